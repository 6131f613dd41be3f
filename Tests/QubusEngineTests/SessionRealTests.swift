import CAllocationCounter
import Foundation
import Logging
import QubusCore
import QubusDevices
import QubusJobs
import QubusSimulator
import QubusTenancy
import Testing

@testable import QubusEngine

/// Sessions on the state vector and the machine's clock.
final class RealSessions: @unchecked Sendable {
  let engine: Engine
  let sessions: SessionEngine
  let codec = FakeSessionCodec()
  let sink = FakeSink()

  init(_ configure: (inout EngineConfiguration) -> Void = { _ in }) throws {
    var configuration = EngineConfiguration()
    configure(&configuration)
    let clock = SystemClock()
    engine = Engine(
      configuration: configuration, store: FakeStore(clock: clock), codec: FakeCodec(),
      devices: [StateVectorDevice()],
      programs: .openQASM(bytes: 1 << 24, limits: configuration.limits), clock: clock,
      identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      sessionStore: MemorySessionStore(), sessionCodec: codec)
    sessions = try #require(engine.sessions)
    try engine.start()
  }

  /// Layers of rotations and a ring of controlled-Z, with random Pauli strings.
  static func ansatz(
    qubits: Int, layers: Int, terms: Int, gates: [String] = ["ry", "rz"]
  ) -> SessionSpec {
    var random = SplitMix(state: 11)
    var inputs = ""
    var body = ""
    var count = 0
    for layer in 0..<layers {
      for qubit in 0..<qubits {
        for gate in gates {
          inputs += "input float p\(count);\n"
          body += "\(gate)(p\(count)) q[\(qubit)];\n"
          count += 1
        }
      }
      guard layer < layers - 1 || layers == 1 else { continue }
      for qubit in 0..<qubits { body += "cz q[\(qubit)], q[\((qubit + 1) % qubits)];\n" }
    }
    let source = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n\(inputs)qubit[\(qubits)] q;\n\(body)"
    var spec = SessionSpec(program: Array(source.utf8))
    spec.observables = [
      ObservableSpec(
        terms: (0..<terms).map { _ in
          .init(
            pauli: String((0..<qubits).map { _ in Array("IXYZ")[Int(random.next() % 4)] }),
            coefficient: random.uniform() - 0.5)
        })
    ]
    return spec
  }

  func open(_ spec: SessionSpec) async throws -> OpenedSession {
    let result = await withCheckedContinuation { continuation in
      sessions.openSession(
        spec, request: codec.encode(spec), holder: 1, context: SessionHarness.context()
      ) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }

  /// Runs so many steps in place and gives nanoseconds of each and the allocations of all.
  func steps(
    _ id: Identifier, from first: UInt64, count: Int, numbers: [Double], outputs: StepOutputs
  ) -> (nanoseconds: [UInt64], allocations: UInt64, inPlace: Int) {
    var times = [UInt64](repeating: 0, count: count)
    let identity = Identity.submitter(SessionHarness.alice)
    let sink = self.sink
    var numbers = numbers
    // Its own copy, made before the count starts.
    numbers[0] = 0
    var inPlace = 0
    let before = allocation_count()
    for step in 0..<count {
      numbers[0] = Double(step) * 1e-3
      let start = DeviceTime.nanoseconds()
      sessions.door.roundNanoseconds = 0
      let call = StepCall(
        session: id, order: StepOrder(sequence: first + UInt64(step), outputs: outputs),
        columns: numbers.count, checksum: UInt32(step),
        tag: StepTag(connection: 1, callID: 1, serial: UInt64(step)))
      let disposition = numbers.withUnsafeBytes {
        sessions.step(call, parameters: $0, identity: identity, holder: 1, sink: sink)
      }
      if case .answered = disposition { inPlace += 1 }
      times[step] = DeviceTime.nanoseconds() - start
    }
    return (times, allocation_count() - before, inPlace)
  }

  func stop() async {
    let engine = self.engine
    await onThread { engine.stop() }
  }
}

@Suite("Sessions on the state vector", .serialized)
struct SessionRealTests {
  @Test("a thousand steps in place allocate nothing")
  func allocations() async throws {
    // However slow the machine is, a step counts as short.
    let real = try RealSessions { $0.sessions.stepInPlaceSeconds = 3600 }
    let spec = RealSessions.ansatz(qubits: 4, layers: 3, terms: 100)
    let id = try await real.open(spec).session.record.id
    let numbers = [Double](repeating: 0.3, count: 24)
    // The ring of answers fills and the numbers find their memory.
    let warm = real.steps(id, from: 1, count: 200, numbers: numbers, outputs: [])
    #expect(warm.inPlace == 200)
    let values = real.steps(id, from: 201, count: 1000, numbers: numbers, outputs: [])
    #expect(values.inPlace == 1000)
    #expect(values.allocations == 0)
    _ = real.steps(
      id, from: 1201, count: 200, numbers: numbers, outputs: [.values, .gradients])
    let both = real.steps(
      id, from: 1401, count: 1000, numbers: numbers, outputs: [.values, .gradients])
    #expect(both.inPlace == 1000)
    #expect(both.allocations == 0)
    if isMeasuring {
      let name = "step in place, 4 qubits, 100 terms"
      print(
        name, "p50", values.nanoseconds.sorted()[500], "ns,",
        "with gradient", both.nanoseconds.sorted()[500], "ns")
    }
    await real.stop()
  }

  @Test("a step by a worker has the bits of a step in place")
  func sameBits() async throws {
    let inPlace = try RealSessions { $0.sessions.stepInPlaceSeconds = 1 }
    let waiting = try RealSessions { $0.sessions.stepInPlaceSeconds = 0 }
    var spec = RealSessions.ansatz(qubits: 6, layers: 2, terms: 20)
    spec.seed = 5
    spec.shots = 1000
    var answers: [[Double]] = []
    let identity = Identity.submitter(SessionHarness.alice)
    for real in [inPlace, waiting] {
      let id = try await real.open(spec).session.record.id
      let numbers = (0..<24).map { Double($0) * 0.1 }
      let call = StepCall(
        session: id, order: StepOrder(sequence: 1, outputs: []), columns: 24, checksum: 1,
        tag: StepTag(connection: 1, callID: 1, serial: 1))
      let disposition = numbers.withUnsafeBytes {
        real.sessions.step(
          call, parameters: $0, identity: identity, holder: 1, sink: real.sink)
      }
      switch disposition {
      case .answered(let result): answers.append(Array(result.answer.values))
      case .pending: answers.append(try await real.sink.outcome(1).get().values)
      case .refused(let error): throw error
      }
      await real.stop()
    }
    #expect(answers[0] == answers[1])
  }

  @Test("a step by a worker costs a hop there and back", .enabled(if: isMeasuring))
  func hop() async throws {
    let real = try RealSessions { $0.sessions.stepInPlaceSeconds = 0 }
    let spec = RealSessions.ansatz(qubits: 4, layers: 3, terms: 100)
    let id = try await real.open(spec).session.record.id
    let identity = Identity.submitter(SessionHarness.alice)
    let times = await onThread {
      (1...2000).map { step in
        let start = DeviceTime.nanoseconds()
        let numbers = [Double](repeating: Double(step), count: 24)
        let call = StepCall(
          session: id, order: StepOrder(sequence: UInt64(step), outputs: []), columns: 24,
          checksum: UInt32(step),
          tag: StepTag(connection: 1, callID: 1, serial: UInt64(step)))
        let disposition = numbers.withUnsafeBytes {
          real.sessions.step(
            call, parameters: $0, identity: identity, holder: 1, sink: real.sink)
        }
        if case .pending = disposition { _ = real.sink.waitForOutcome(UInt64(step)) }
        return DeviceTime.nanoseconds() - start
      }
    }
    print("step by a worker, 4 qubits, 100 terms: p50", times.sorted()[1000], "ns")
    #expect(times.count == 2000)
    await real.stop()
  }

  @Test("a program that measures on its way has no exact values, and says why")
  func midCircuit() async throws {
    let real = try RealSessions()
    var spec = RealSessions.ansatz(qubits: 2, layers: 1, terms: 3)
    spec.program += Array("bit c;\nc = measure q[0];\nif (c) x q[1];\n".utf8)
    do {
      _ = try await real.open(spec)
      Issue.record("exact values of a program without a final state")
    } catch let error as QubusError {
      #expect(error.code == .invalidOutputs && error.message.contains("measures or resets"))
    }
    await real.stop()
  }

  @Test("Adam reaches the ground energy of a small Hamiltonian, thousands of iterations a second")
  func adam() async throws {
    let real = try RealSessions()
    // 28 parameters: 4 qubits, 3 layers of two rotations and one of one.
    var spec = RealSessions.ansatz(qubits: 4, layers: 7, terms: 1, gates: ["ry"])
    spec.observables = [
      ObservableSpec(
        terms: [
          ("IIII", -0.0971), ("IIIZ", 0.1714), ("IIZI", 0.1714), ("IZII", -0.2234),
          ("ZIII", -0.2234), ("IIZZ", 0.1687), ("IZIZ", 0.1206), ("ZIIZ", 0.1659),
          ("IZZI", 0.1659), ("ZIZI", 0.1206), ("ZZII", 0.1744), ("YYXX", -0.0453),
          ("XYYX", 0.0453), ("YXXY", 0.0453), ("XXYY", -0.0453),
        ].map { ObservableSpec.Term(pauli: $0.0, coefficient: $0.1) })
    ]
    let id = try await real.open(spec).session.record.id
    var optimize = OptimizeSpec(
      session: id, method: "adam", initial: (0..<28).map { 0.1 + 0.05 * Double($0 % 5) })
    optimize.maxIterations = 20_000
    optimize.options = ["gradient_tolerance": 0]
    let watcher = FakeWatcher()
    let start = DeviceTime.nanoseconds()
    real.sessions.optimize(optimize, holder: 1, context: SessionHarness.context(), watcher: watcher)
    let state = watcher.state
    let report = try await onThread { state.wait { $0.ending } }.get()
    let seconds = Double(DeviceTime.nanoseconds() - start) / 1e9
    #expect(report.iterations == 20_000 && watcher.iterations == Array(1...20_000))
    #expect(report.bestValue < -1.1)
    if isMeasuring {
      print(
        "Adam, 4 qubits, 28 parameters:", Int(20_000 / seconds), "iterations/s, device",
        report.deviceMicroseconds, "µs")
    }
    await real.stop()
  }
}
