import QubusCircuit
import QubusCompiler
import Testing

@Suite("Circuit hash")
struct CircuitHashTests {
  private func hash(_ circuit: Circuit) -> [UInt8] {
    ProgramCompiler.compile(circuit, source: [UInt8]()).circuitHash
  }

  @Test("names of registers and variables and notices do not matter, names of inputs do")
  func names() {
    var circuit = Circuit.bell
    circuit.variables = [ClassicalVariable(name: "a", type: .bool, initial: .bool(false))]
    circuit.inputs = [InputParameter(name: "theta", type: .float(width: 64))]
    var renamed = circuit
    renamed.qubitRegisters[0].name = "other"
    renamed.bitRegisters[0].name = "result"
    renamed.variables[0].name = "b"
    renamed.notices = [Notice(message: "delay ignored")]
    #expect(hash(renamed) == hash(circuit))
    renamed.inputs[0].name = "phi"
    #expect(hash(renamed) != hash(circuit))
  }

  @Test("the program hash is SHA-256 of the source")
  func programHash() {
    let program = ProgramCompiler.compile(.bell, source: Array("abc".utf8))
    let text = program.programHash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    #expect(
      text.joined() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("circuits that differ in anything that runs differ in their bytes")
  func injective() {
    let one = Expression.constant(.int(1, width: 32))
    let variants: [[Operation]] = [
      [], [.apply(.h, 0)], [.apply(.h, 1)], [.apply(.x, 0)], [.apply(.x, 0, control: 1)],
      [.gate(GateApplication(.x, targets: [0], controls: [Control(1, isPositive: false)]))],
      [.gate(GateApplication(.x, targets: [0], exponent: .radians(1)))],
      [.gate(GateApplication(.x, targets: [0], exponent: .radians(2)))],
      [.apply(.rx, 0, [0.0])], [.apply(.rx, 0, [-0.0])],
      [.gate(GateApplication(.rx, [.input(0)], targets: [0]))],
      [.gate(GateApplication(.rx, [.variable(0)], targets: [0]))],
      [.apply(.swap, 0, 1)], [.apply(.swap, 1, 0)],
      [.measure(0)], [.measure(0, 1)], [.measure(qubit: 0, into: nil)], [.reset(qubit: 0)],
      [.barrier(qubits: [0])], [.barrier(qubits: [0, 1])], [.barrier(qubits: []), .apply(.h, 0)],
      [.when(0, [.apply(.h, 0)])], [.when(0, []), .apply(.h, 0)],
      [.branch(condition: .bit(0), then: [], otherwise: [.apply(.h, 0)])],
      [.whileLoop(condition: .bit(0), body: [.apply(.h, 0)])],
      [.whileLoop(condition: .bit(0), body: [.breakLoop])],
      [.whileLoop(condition: .bit(0), body: [.continueLoop])], [.end],
      [.assignBit(.bit(0), .bit(1))], [.assignBit(.bit(1), .bit(0))],
      [.assignBit(.element(offset: 0, width: 2, index: one), .bit(1))],
      [.assignRegister(offset: 0, width: 2, one)], [.assign(variable: 0, one)],
      [.assign(variable: 0, .constant(.uint(1, width: 32)))],
      [.assign(variable: 0, .constant(.bits(1, width: 32)))],
      [.assign(variable: 0, .constant(.int(1, width: 16)))],
      [.assign(variable: 0, .binary(.add, one, one))],
      [.assign(variable: 0, .binary(.subtract, one, one))],
      [.assign(variable: 0, .unary(.minus, one))], [.assign(variable: 0, .call(.sin, [one]))],
      [.assign(variable: 0, .cast(.bool, one))],
      [.assign(variable: 0, .register(offset: 0, width: 2))],
      [.assign(variable: 0, .bitOf(one, index: one))],
      [.select(one, cases: [SwitchCase(values: [1, 2], body: [])], otherwise: [])],
      [
        .select(
          one, cases: [SwitchCase(values: [1], body: []), SwitchCase(values: [2], body: [])],
          otherwise: [])
      ],
      [.forLoop(variable: 0, first: one, step: one, last: one, body: [])],
    ]
    var seen: [[UInt8]: Int] = [:]
    for (index, operations) in variants.enumerated() {
      var encoder = CircuitEncoder()
      encoder.encode(Circuit(qubits: 2, bits: 2, operations))
      let earlier = seen.updateValue(index, forKey: encoder.bytes)
      #expect(earlier == nil, "\(operations) and \(earlier.map { variants[$0] } ?? [])")
    }
    #expect(hash(Circuit(qubits: 2, bits: 2)) != hash(Circuit(qubits: 2, bits: 3)))
  }
}
