import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("Estimates and refusals before a job is accepted")
struct EstimateTests {
  private let device = StateVectorDevice()

  private func estimate(
    _ circuit: Circuit, _ outputs: ExactOutputs = ExactOutputs(), memory: UInt64 = 16 << 30
  ) throws(QubusError) -> ResourceEstimate {
    try device.estimate(
      ProgramCompiler.compile(circuit, source: [UInt8]()), precision: .double, outputs: outputs,
      wantsShots: true,
      memoryLimitBytes: memory)
  }

  @Test("a state that cannot fit is refused with both figures")
  func insufficientMemory() {
    let error = #expect(throws: QubusError.self) { try estimate(Circuit(qubits: 34)) }
    #expect(error?.code == .insufficientMemory)
    #expect(error?.message.contains("256 GiB") == true)
    #expect(error?.message.contains("16 GiB") == true)
    #expect(throws: Never.self) { try estimate(Circuit(qubits: 26)) }
  }

  @Test("more qubits than an index has bits are refused before anything is computed from them")
  func tooManyQubits() {
    for qubits in [64, 100, 100_000] {
      let error = #expect(throws: QubusError.self) { try estimate(Circuit(qubits: qubits)) }
      #expect(error?.code == .tooManyQubits)
      #expect(error?.message.contains("\(qubits) qubits") == true)
    }
    let error = #expect(throws: QubusError.self) { try estimate(Circuit(qubits: 63)) }
    #expect(error?.code == .insufficientMemory)
  }

  @Test("outputs beyond their limits are refused, naming field and limit")
  func outputs() {
    let wide = Circuit(qubits: 25)
    let state = #expect(throws: QubusError.self) {
      try estimate(wide, ExactOutputs(stateVector: true))
    }
    #expect(state?.code == .invalidOutputs)
    #expect(state?.violations.first?.limit == "24")
    let bits = Circuit(qubits: 1, bits: 40, [.measure(0)])
    let probabilities = #expect(throws: QubusError.self) {
      try estimate(bits, ExactOutputs(probabilities: true))
    }
    #expect(probabilities?.code == .invalidOutputs)
    let observable = #expect(throws: QubusError.self) {
      try estimate(.bell, ExactOutputs(observables: [PauliSum(qubitCount: 3, terms: [])]))
    }
    #expect(observable?.code == .invalidObservable)
    #expect(observable?.violations.first?.field == "observables[0]")
  }

  @Test("a state is refused at acceptance when a qubit is surely used after its measurement")
  func noFinalState() throws {
    let used = Circuit(qubits: 1, bits: 1, [.measure(0), .apply(.h, 0)])
    let error = #expect(throws: QubusError.self) {
      try estimate(used, ExactOutputs(stateVector: true))
    }
    #expect(error?.code == .invalidOutputs)
    // Here it depends on control flow that only binding resolves.
    let maybe = Circuit(qubits: 1, bits: 2, [.measure(0), .when(1, [.apply(.h, 0)])])
    #expect(throws: Never.self) { try estimate(maybe, ExactOutputs(stateVector: true)) }
    #expect(try Workbench().state(maybe) == [.one, .zero])
  }

  @Test("chunks of shots that run by themselves shrink with the circuit, sampled ones do not")
  func chunks() throws {
    #expect(try estimate(.bell).shotsPerChunk == 1 << 20)
    func perShot(_ qubits: Int) throws -> ResourceEstimate {
      var circuit = Circuit.layered(qubits: qubits, depth: 4)
      circuit.operations.append(.apply(.x, 0))
      return try estimate(circuit)
    }
    let small = try perShot(3)
    let large = try perShot(20)
    #expect(small.isPerShot && large.isPerShot)
    #expect(small.shotsPerChunk > 100 && small.shotsPerChunk < 1 << 20)
    #expect(large.shotsPerChunk >= 1 && large.shotsPerChunk < 10)
  }

  @Test("time grows with qubits, gates, rows and shots, and falls with single precision")
  func monotonic() throws {
    func seconds(_ qubits: Int, _ depth: Int, rows: Int = 1, shots: UInt64 = 100) throws -> Double {
      try estimate(.layered(qubits: qubits, depth: depth)).seconds(rows: rows, shots: shots)
    }
    for qubits in 4..<26 { #expect(try seconds(qubits, 4) < seconds(qubits + 1, 4)) }
    for depth in 1..<20 { #expect(try seconds(12, depth) < seconds(12, depth + 1)) }
    #expect(try seconds(6, 4, rows: 10) < seconds(6, 4, rows: 11))
    #expect(try seconds(6, 4, shots: 1000) < seconds(6, 4, shots: 2000))
    let program = Workbench().compile(.layered(qubits: 26, depth: 4))
    let both = try [Precision.double, .single].map { precision in
      try device.estimate(
        program, precision: precision, outputs: ExactOutputs(), wantsShots: false,
        memoryLimitBytes: 16 << 30)
    }
    #expect(both[0].memoryBytes == 2 * both[1].memoryBytes)
    #expect(both[0].rowSeconds > both[1].rowSeconds)
  }

  @Test("shots that measure on the way share states, so that many cost little more than few")
  func branches() throws {
    var circuit = Circuit.layered(qubits: 16, depth: 4, measured: false)
    circuit = Circuit(qubits: 16, bits: 1, circuit.operations + [.measure(0), .apply(.h, 0)])
    let estimate = try estimate(circuit)
    #expect(estimate.isPerShot && estimate.branchLimit == 2)
    let few = estimate.seconds(rows: 1, shots: 2)
    #expect(estimate.seconds(rows: 1, shots: 1000) < 2 * few)
  }

  @Test("planning's memory counts by the gate, and a program that it does not fit is refused")
  func planning() throws {
    let gates = 1_000_000
    let operations = [Operation](repeating: .apply(.h, 0), count: gates)
    let circuit = Circuit(qubits: 4, bits: 4, operations)
    let estimate = try estimate(circuit)
    #expect(estimate.planBytes > UInt64(500 * gates) && estimate.planBytes < UInt64(800 * gates))
    #expect(estimate.memoryBytes == (try self.estimate(Circuit(qubits: 4, bits: 4))).memoryBytes)
    let limit = estimate.memoryBytes + estimate.planBytes
    #expect(throws: Never.self) { try self.estimate(circuit, memory: limit) }
    let error = #expect(throws: QubusError.self) { try self.estimate(circuit, memory: limit - 1) }
    #expect(error?.code == .insufficientMemory)
    #expect(error?.message.contains("1000000 gates need 642.") == true, "\(error?.message ?? "")")
    #expect(error?.details["limit_bytes"] == "\(limit - 1)")
  }

  @Test("gates of loops count as often as loops are guessed to run, at most as a row may have")
  func plannedLoops() throws {
    func loop(_ body: [QubusCircuit.Operation]) -> QubusCircuit.Operation {
      .forLoop(
        variable: 0, first: .constant(.int(1, width: 32)), step: .constant(.int(1, width: 32)),
        last: .constant(.int(9, width: 32)), body: body)
    }
    let gate = [Operation](repeating: .apply(.h, 0), count: 100)
    let flat = try estimate(Circuit(qubits: 1, gate)).planBytes
    #expect(try estimate(Circuit(qubits: 1, [loop(gate)])).planBytes == 8 * flat)
    #expect(try estimate(Circuit(qubits: 1, [loop([loop(gate)])])).planBytes == 64 * flat)
    let deep = (0..<8).reduce(gate) { body, _ in [loop(body)] }
    let most = try estimate(Circuit(qubits: 1, deep)).planBytes
    #expect(most == flat / 100 * UInt64(Limits().programOperations))
  }

  @Test("a chunk larger than the device takes is refused")
  func largeChunk() throws {
    let error = #expect(throws: QubusError.self) {
      try Workbench().shots(.bell, 1 << 40)
    }
    #expect(error?.code == .invalidShots)
  }
}
