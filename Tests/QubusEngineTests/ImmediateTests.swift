import Foundation
import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

/// Jobs of microseconds, which run while their acceptance is written.
@Suite struct ImmediateTests {
  /// A harness whose program is compiled already, as only then a job may run at once.
  private static func warm(
    _ device: FakeDevice = FakeDevice(seconds: 1e-6),
    configure: (inout EngineConfiguration) -> Void = { _ in }
  ) async throws -> EngineHarness {
    let harness = try EngineHarness(device: device) { configuration in
      // However slow the machine is, a job counts as short.
      configuration.announceSeconds = 3600
      configure(&configuration)
    }
    try await harness.finished(try await harness.submitted())
    return harness
  }

  /// An answer comes a moment before the thread that ran the job lets go of it.
  private static func letGo(_ harness: EngineHarness) async {
    while harness.engine.load().jobsRunning > 0 { await Task.yield() }
  }

  @Test("the store has the acceptance before the job runs; the events are those of any other job")
  func acceptanceFirst() async throws {
    let device = FakeDevice(seconds: 1e-6)
    let harness = try await Self.warm(device)
    let atTheStore = Monitor<[Int]>([])
    let store = harness.store
    device.state.signal {
      $0.whenDone = FakeDevice.Hook { _ in
        let groups = store.state.withLock { $0.groups.count }
        atTheStore.signal { $0.append(groups) }
      }
    }
    let ordinary = try await Self.warm { $0.immediateSeconds = 0 }
    let id = try await harness.submitted()
    let other = try await ordinary.submitted()
    try await harness.finished(id)
    try await ordinary.finished(other)
    // Two groups before it, and its acceptance.
    #expect(atTheStore.withLock { $0 } == [3])
    #expect(harness.store.state.withLock { $0.groups } == [1, 1, 1, 1])
    #expect(ordinary.store.state.withLock { $0.groups } == [1, 1, 1, 1])
    let events = try harness.events(id)
    let otherEvents = try ordinary.events(other)
    #expect(events.map(\.kind) == otherEvents.map(\.kind))
    #expect(events.map(\.status) == otherEvents.map(\.status))
    #expect(try harness.words(id, "counts.values") == [1000])
    await Self.letGo(harness)
    await harness.stop()
    await ordinary.stop()
  }

  @Test("nothing is acknowledged before the commit, and nothing shows")
  func acknowledgedAfterTheCommit() async throws {
    let harness = try await Self.warm()
    harness.store.state.signal { $0.isHolding = true }
    let answered = Monitor(false)
    harness.engine.submit(
      EngineHarness.spec(), request: harness.codec.encode(EngineHarness.spec()),
      context: harness.context
    ) { _ in answered.signal { $0 = true } }
    // The submit ran on this thread; its two commands wait for the disk.
    #expect(harness.store.state.withLock { $0.held.count } == 2)
    #expect(!answered.withLock { $0 })
    #expect(try harness.engine.jobs(JobFilter(), context: harness.context).count == 1)
    harness.store.release()
    // Whoever delivers for the store at that moment brings the answer.
    await onThread { answered.wait { $0 ? () : nil } }
    #expect(try harness.engine.jobs(JobFilter(), context: harness.context).count == 2)
    await harness.stop()
  }

  @Test("a submit sent again gets the first job; its own run leaves nothing")
  func duplicate() async throws {
    let harness = try await Self.warm()
    let spec = EngineHarness.spec { $0.idempotencyKey = "once" }
    let first = try await harness.submit(spec)
    let second = try await harness.submit(spec)
    #expect(second.isDuplicate && !first.isDuplicate)
    #expect(second.job.record.id == first.job.record.id)
    #expect(try harness.engine.jobs(JobFilter(), context: harness.context).count == 2)
    await Self.letGo(harness)
    #expect(harness.engine.load().trouble.isEmpty)
    await harness.stop()
  }

  @Test("a store that refuses the acceptance refuses the submit; nothing is tried again")
  func refused() async throws {
    let harness = try await Self.warm()
    harness.store.state.signal { $0.acceptFailure = QubusError(.diskFull, "no space left") }
    await #expect(throws: QubusError.self) { try await harness.submitted() }
    harness.store.state.signal { $0.acceptFailure = nil }
    await Self.letGo(harness)
    #expect(harness.engine.load().trouble.isEmpty)
    #expect(try harness.engine.jobs(JobFilter(), context: harness.context).count == 1)
    // The service goes on.
    try await harness.finished(try await harness.submitted())
    await harness.stop()
  }

  @Test("a job that waits is not passed")
  func queueNotPassed() async throws {
    let harness = try await Self.warm()
    harness.engine.drain(true)
    let waiting = try await harness.submitted()
    let groups = harness.store.state.withLock { $0.groups.count }
    let second = try await harness.submitted()
    #expect(harness.store.state.withLock { $0.groups[groups...] } == [1])
    #expect(try harness.engine.job(second, context: harness.context).record.status == .queued)
    harness.engine.drain(false)
    try await harness.finished(waiting)
    try await harness.finished(second)
    await harness.stop()
  }

  @Test("many rows times observables run on a compute thread, however short the prediction")
  func manyValues() async throws {
    let harness = try await Self.warm(FakeDevice(seconds: 1e-9))
    try await harness.finished(try await harness.submitted(Self.grid(4, 4)))
    // The program is known from here on.
    #expect(try await Self.ranHere(Self.grid(4, 4), harness))
    for spec in [Self.grid(4, 80), Self.grid(5, 1), Self.grid(500, 500)] {
      #expect(try await !Self.ranHere(spec, harness))
    }
    await harness.stop()
  }

  /// Whether everything that the store got for a job came from the thread that brought it.
  private static func ranHere(_ spec: JobSpec, _ harness: EngineHarness) async throws -> Bool {
    let request = harness.codec.encode(spec)
    let id = Monitor<Identifier?>(nil)
    let cameFromElsewhere = Monitor(false)
    let accepted = await onThread {
      let here = pthread_self()
      harness.store.state.signal {
        $0.whenCalled = FakeStore.Hook {
          if pthread_equal(pthread_self(), here) == 0 { cameFromElsewhere.signal { $0 = true } }
        }
      }
      harness.engine.submit(spec, request: request, context: harness.context) { result in
        id.signal { $0 = try? result.get().job.record.id }
      }
      return id.wait { $0 }
    }
    try await harness.finished(accepted)
    harness.store.state.signal { $0.whenCalled = nil }
    return cameFromElsewhere.withLock { !$0 }
  }

  @Test("a request of many values is not even prepared on the thread that brings it")
  func manyValuesElsewhere() async throws {
    let harness = try await Self.warm()
    try await harness.finished(try await harness.submitted(Self.grid(4, 4)))
    func isHere(_ spec: JobSpec) async -> Bool {
      let request = harness.codec.encode(spec)
      return await onThread {
        let here = pthread_self()
        let answer = Monitor<Bool?>(nil)
        harness.store.state.signal {
          $0.whenCalled = FakeStore.Hook {
            answer.signal {
              if $0 == nil { $0 = pthread_equal(pthread_self(), here) != 0 }
            }
          }
        }
        harness.engine.submit(spec, request: request, context: harness.context) { _ in }
        return answer.wait { $0 }
      }
    }
    #expect(await isHere(Self.grid(4, 4)))
    #expect(await !isHere(Self.grid(500, 600)))
    #expect(await !isHere(Self.grid(1100, 1)))
    harness.store.state.signal { $0.whenCalled = nil }
    while harness.engine.load().jobsRunning + harness.engine.load().jobsQueued > 0 {
      await Task.yield()
    }
    await harness.stop()
  }

  /// Values of one input against as many observables.
  private static func grid(_ rows: Int, _ observables: Int) -> JobSpec {
    EngineHarness.spec("1 0 a:float", shots: nil) { spec in
      spec.pubs[0].parameters = [
        ParameterArray(
          name: "a", shape: [rows, 1], values: (0..<rows).map { 0.001 * Double($0) })
      ]
      spec.pubs[0].observables = (0..<observables).map {
        ObservableSpec(terms: [.init(pauli: "Z", coefficient: Double($0))])
      }
      spec.pubs[0].observablesShape = [observables]
      spec.pubs[0].outputs = [.expectationValues]
    }
  }
}
