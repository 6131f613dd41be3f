import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator

/// Short ways to build circuits and run them on the device.
struct Workbench {
  let team: ComputeTeam
  let device = StateVectorDevice()

  init(threads: Int = 1) { team = ComputeTeam(threadCount: threads) }

  func compile(_ circuit: Circuit) -> CompiledProgram {
    ProgramCompiler.compile(circuit, source: [UInt8]())
  }

  func open(
    _ circuit: Circuit, inputs: [Value] = [], seed: UInt64 = 7,
    cancellation: CancellationFlag = CancellationFlag()
  ) throws(QubusError) -> any DeviceExecution {
    try device.open(
      compile(circuit), inputs: inputs, precision: .double, seed: seed, team: team,
      cancellation: cancellation)
  }

  func shots(
    _ circuit: Circuit, _ count: UInt64, inputs: [Value] = [], seed: UInt64 = 7,
    memory: Bool = false
  ) throws(QubusError) -> ChunkResult {
    let execution = try open(circuit, inputs: inputs, seed: seed)
    return try execution.run(.shots(first: 0, count: count, memory: memory))
  }

  func exact(
    _ circuit: Circuit, _ outputs: ExactOutputs, inputs: [Value] = []
  ) throws(QubusError) -> ChunkResult {
    try open(circuit, inputs: inputs).run(.exact(outputs))
  }

  func state(_ circuit: Circuit) throws(QubusError) -> [Complex] {
    let numbers = try exact(circuit, ExactOutputs(stateVector: true)).stateVector ?? []
    return (0..<numbers.count / 2).map { Complex(numbers[2 * $0], numbers[2 * $0 + 1]) }
  }
}

extension DeviceExecution {
  func run(_ work: ChunkWork) throws(QubusError) -> ChunkResult {
    try run(
      ChunkRequest(
        jobID: Identifier(high: 1, low: 2), attempt: 1, lease: 1, pub: 0, row: 0, work: work))
  }
}

extension Circuit {
  init(qubits: Int, bits: Int = 0, _ operations: [Operation] = []) {
    self.init()
    qubitCount = qubits
    bitCount = bits
    qubitRegisters = [Register(name: "q", offset: 0, size: qubits)]
    if bits > 0 { bitRegisters = [Register(name: "c", offset: 0, size: bits)] }
    self.operations = operations
  }

  static var bell: Circuit {
    Circuit(
      qubits: 2, bits: 2,
      [.apply(.h, 0), .apply(.x, 1, control: 0), .measure(0), .measure(1)])
  }

  /// Gates of the whole table with controls of both kinds and whole exponents.
  static func random(qubits: Int, gates: Int, _ generator: inout SeededGenerator) -> Circuit {
    var circuit = Circuit(qubits: qubits)
    while circuit.operations.count < gates {
      let gate = Gate.allCases.randomElement(using: &generator) ?? .h
      guard gate.targetCount <= qubits else { continue }
      let order = Array(0..<qubits).shuffled(using: &generator)
      let free = qubits - gate.targetCount
      let controls = order[gate.targetCount...]
        .prefix(Int.random(in: 0...min(2, free), using: &generator))
        .map { Control($0, isPositive: Bool.random(using: &generator)) }
      let exponents: [Double?] = [nil, nil, nil, -1, 0, 2, 3, -2]
      circuit.operations.append(
        .gate(
          GateApplication(
            gate,
            (0..<gate.parameterCount).map { _ in
              .radians(Double.random(in: -7...7, using: &generator))
            }, targets: Array(order.prefix(gate.targetCount)), controls: controls,
            exponent: (exponents.randomElement(using: &generator) ?? nil).map {
              .radians($0)
            })))
    }
    return circuit
  }

  /// Layers of u gates and entanglers with non-dyadic angles, then all qubits measured.
  static func layered(qubits: Int, depth: Int, measured: Bool = true) -> Circuit {
    var circuit = Circuit(qubits: qubits, bits: measured ? qubits : 0)
    for layer in 0..<depth {
      for qubit in 0..<qubits {
        let angle = 0.1 + 0.37 * Double(qubit) + 0.71 * Double(layer)
        circuit.operations.append(.apply(.u, qubit, [angle, 1.1 * angle, -0.7 * angle]))
      }
      for qubit in stride(from: layer % 2, to: qubits - 1, by: 2) {
        circuit.operations.append(.apply(.x, qubit + 1, control: qubit))
      }
    }
    if measured { for qubit in 0..<qubits { circuit.operations.append(.measure(qubit)) } }
    return circuit
  }
}

extension Operation {
  static func apply(_ gate: Gate, _ target: Int, _ angles: [Double] = []) -> Operation {
    .gate(GateApplication(gate, angles.map { .radians($0) }, targets: [target]))
  }

  static func apply(_ gate: Gate, _ target: Int, control: Int) -> Operation {
    .gate(GateApplication(gate, targets: [target], controls: [Control(control)]))
  }

  static func apply(_ gate: Gate, _ first: Int, _ second: Int, _ angles: [Double] = [])
    -> Operation
  {
    .gate(GateApplication(gate, angles.map { .radians($0) }, targets: [first, second]))
  }

  static func measure(_ qubit: Int) -> Operation { .measure(qubit: qubit, into: .bit(qubit)) }
  static func measure(_ qubit: Int, _ bit: Int) -> Operation {
    .measure(qubit: qubit, into: .bit(bit))
  }

  static func when(_ bit: Int, _ body: [Operation]) -> Operation {
    .branch(condition: .bit(bit), then: body, otherwise: [])
  }
}

extension Counts {
  /// Count of an outcome written highest bit leftmost.
  subscript(_ text: String) -> UInt64 {
    for index in values.indices where bitString(at: index) == text { return values[index] }
    return 0
  }

  var table: [String: UInt64] {
    var table: [String: UInt64] = [:]
    for index in values.indices { table[bitString(at: index)] = values[index] }
    return table
  }
}

/// |observed - expected| within six standard deviations of a binomial (false alarm below 2e-9).
func isPlausible(_ observed: UInt64, of shots: UInt64, probability: Double) -> Bool {
  let mean = Double(shots) * probability
  let deviation = (mean * (1 - probability)).squareRoot()
  return abs(Double(observed) - mean) <= 6 * deviation + 1e-9
}
