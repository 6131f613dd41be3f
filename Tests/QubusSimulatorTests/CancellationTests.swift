import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Synchronization
import Testing

@Suite("Cancellation", .serialized)
struct CancellationTests {
  /// 0.1 s is promised of a machine of its own (the Python tests look at that); beside all other
  /// tests this one only tells that the circuit did not go on to its end.
  private static let patienceSeconds = 2.0

  /// Runs `circuit` on a thread, cancels it after its first block of work, and measures the stop.
  private func secondsToStop(_ circuit: Circuit, threads: Int) throws -> Double {
    let flag = CancellationFlag()
    let bench = Workbench(threads: threads)
    let execution = try bench.open(circuit, cancellation: flag)
    let canceler = Canceler(flag)
    canceler.start()
    let error = #expect(throws: QubusError.self) {
      try execution.run(.shots(first: 0, count: 1 << 20, memory: false))
    }
    let stopped = DispatchTime.now().uptimeNanoseconds
    #expect(error?.code == .executionCanceled)
    return Double(stopped) / 1e9 - canceler.canceledAt()
  }

  @Test("a circuit of 24 qubits stops long before its end", arguments: [1, 2])
  func large(threads: Int) throws {
    let circuit = Circuit.layered(qubits: 24, depth: 40)
    let seconds = try secondsToStop(circuit, threads: threads)
    #expect(seconds < Self.patienceSeconds)
  }

  @Test("shots that run one by one stop long before their end", arguments: [1, 2])
  func perShot(threads: Int) throws {
    // Every outcome of the first measurements goes on by itself: thousands of evolutions.
    var circuit = Circuit.layered(qubits: 14, depth: 10)
    circuit.operations += Circuit.layered(qubits: 14, depth: 40).operations
    circuit.operations += [.when(0, [.apply(.x, 1)]), .measure(1)]
    let seconds = try secondsToStop(circuit, threads: threads)
    #expect(seconds < Self.patienceSeconds)
  }

  @Test("nested classical loops without a gate stop long before their end")
  func classicalLoops() throws {
    func range(_ variable: Int, _ body: [QubusCircuit.Operation]) -> QubusCircuit.Operation {
      .forLoop(
        variable: variable, first: .constant(.int(1, width: 32)),
        step: .constant(.int(1, width: 32)), last: .constant(.int(900_000, width: 32)), body: body)
    }
    var circuit = Circuit(qubits: 1, bits: 1, [.apply(.h, 0), .measure(0)])
    circuit.operations += [.when(0, []), range(0, [range(1, [])])]
    circuit.variables = [
      ClassicalVariable(name: "i", type: .int(width: 32), initial: .int(0, width: 32)),
      ClassicalVariable(name: "j", type: .int(width: 32), initial: .int(0, width: 32)),
    ]
    #expect(try secondsToStop(circuit, threads: 1) < 0.1)
  }

  @Test("a flag set beforehand stops before anything is evolved")
  func beforehand() throws {
    let flag = CancellationFlag()
    let execution = try Workbench().open(.layered(qubits: 20, depth: 2), cancellation: flag)
    flag.cancel()
    let error = #expect(throws: QubusError.self) {
      try execution.run(.exact(ExactOutputs(probabilities: true)))
    }
    #expect(error?.code == .executionCanceled)
  }
}

/// Sets a flag from another thread, some work after it was started.
private final class Canceler: Sendable {
  private let flag: CancellationFlag
  private let time = Mutex(0.0)

  init(_ flag: CancellationFlag) { self.flag = flag }

  func start() {
    Thread.detachNewThread { [self] in
      // Work that takes a while stands in for a person; nothing depends on how long it takes.
      var sum = 0.0
      for index in 0..<60_000_000 { sum += Double(index).squareRoot() }
      time.withLock { $0 = sum < 0 ? sum : Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }
      flag.cancel()
    }
  }

  func canceledAt() -> Double { time.withLock { $0 } }
}
