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

  @Test("a chunk larger than the device takes is refused")
  func largeChunk() throws {
    let error = #expect(throws: QubusError.self) {
      try Workbench().shots(.bell, 1 << 40)
    }
    #expect(error?.code == .invalidShots)
  }
}
