import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct RecoveryTests {
  /// A store as a service that died left it: one job, moved as far as `moves`.
  func left(
    _ moves: [JobStatus], clock: ManualClock, codec: FakeCodec,
    spec: JobSpec = EngineHarness.spec(), request: [UInt8]? = nil, cancelRequested: Bool = false
  ) throws -> (FakeStore, Identifier) {
    let store = FakeStore(clock: clock)
    let id = IdentifierSource(clock: clock).next()
    var record = JobRecord(
      id: id, principal: EngineHarness.alice, request: request ?? codec.encode(spec))
    record.status = moves.first == nil ? .accepted : .queued
    record.lane = "interactive"
    record.device = "sim.fake"
    record.seed = 11
    record.shotsTotal = 1000
    record.phases.acceptedAt = clock.now()
    let accepting: [JobStatus] = moves.first == nil ? [.accepted] : [.accepted, .queued]
    store.perform(
      .accept(
        record,
        accepting.map {
          NewEvent(time: clock.now(), kind: .statusChanged, status: $0, attempt: 1)
        }, completion: { _ in }))
    var update = JobUpdate(jobID: id, attempt: 1, moves: Array(moves.dropFirst()))
    update.events = update.moves.map {
      NewEvent(time: clock.now(), kind: .statusChanged, status: $0, attempt: 1)
    }
    update.cancelRequested = cancelRequested
    store.perform(.update(update, completion: { _ in }))
    return (store, id)
  }

  static let lives: [[JobStatus]] = [
    [], [.queued], [.queued, .reserved], [.queued, .reserved, .running],
    [.queued, .reserved, .running, .processingResults],
  ]

  @Test(
    "a job left in any state runs to its end, as a new attempt if it had begun", arguments: lives)
  func goesOn(moves: [JobStatus]) async throws {
    let clock = ManualClock()
    let codec = FakeCodec()
    let (store, id) = try left(moves, clock: clock, codec: codec)
    let harness = try EngineHarness(store: store, codec: codec, clock: clock)
    let record = try await harness.finished(id)
    #expect(record.status == .succeeded)
    let hadBegun = moves.count > 1
    #expect(record.attempt == (hadBegun ? 2 : 1))
    let reasons = try harness.events(id).map(\.reason)
    #expect(reasons.contains(JobReason.interrupted) == hadBegun)
    await harness.stop()
  }

  @Test("an interrupted job waits for the commit of its next attempt before it runs")
  func attemptFirst() async throws {
    let clock = ManualClock()
    let codec = FakeCodec()
    let (store, id) = try left([.queued, .reserved, .running], clock: clock, codec: codec)
    store.state.signal { $0.isHolding = true }
    let harness = try EngineHarness(store: store, codec: codec, clock: clock, start: false)
    let engine = harness.engine
    async let started: Void = onThread {
      do { try engine.start() } catch { Issue.record(error) }
    }
    await store.held(2)
    try #require(harness.device.state.withLock { $0.started } == 0)
    store.release()
    await started
    let record = try await harness.finished(id)
    #expect(record.status == .succeeded && record.attempt == 2)
    await harness.stop()
  }

  @Test("a job whose cancel was asked for ends canceled", arguments: lives)
  func canceled(moves: [JobStatus]) async throws {
    let clock = ManualClock()
    let codec = FakeCodec()
    let (store, id) = try left(moves, clock: clock, codec: codec, cancelRequested: true)
    let harness = try EngineHarness(store: store, codec: codec, clock: clock)
    #expect(try await harness.finished(id).status == .canceled)
    #expect(harness.device.state.withLock { $0.started } == 0)
    await harness.stop()
  }

  @Test("a job whose time passed while nobody ran expires", arguments: lives)
  func expired(moves: [JobStatus]) async throws {
    let clock = ManualClock()
    let codec = FakeCodec()
    let spec = EngineHarness.spec { $0.execution.ttlSeconds = 5 }
    let (store, id) = try left(moves, clock: clock, codec: codec, spec: spec)
    clock.advance(microseconds: 5_000_000)
    let harness = try EngineHarness(store: store, codec: codec, clock: clock)
    let record = try await harness.finished(id)
    #expect(record.status == .expired && record.reason == JobReason.timeToLive)
    await harness.stop()
  }

  @Test("a job whose request no longer decodes fails and says so", arguments: lives)
  func undecodable(moves: [JobStatus]) async throws {
    let clock = ManualClock()
    let codec = FakeCodec()
    let (store, id) = try left(moves, clock: clock, codec: codec, request: [1, 2, 3])
    let harness = try EngineHarness(store: store, codec: codec, clock: clock)
    let record = try await harness.finished(id)
    #expect(record.status == .failed && record.error?.code == .malformedFrame)
    await harness.stop()
  }

  @Test("waiting jobs keep their order over a restart and come before new ones")
  func order() async throws {
    let device = FakeDevice()
    // By the machine's clock a slow run would find the first jobs overdue.
    let clock = ManualClock()
    let first = try EngineHarness(device: device, clock: clock)
    first.engine.drain(true)
    var ids: [Identifier] = []
    for _ in 0..<20 { ids.append(try await first.submitted()) }
    await first.stop()
    clock.advance(microseconds: 1_000_000)
    let second = try EngineHarness(
      device: device, store: first.store, codec: first.codec, clock: clock, start: false)
    second.engine.drain(true)
    try second.engine.start()
    ids.append(try await second.submitted())
    while second.engine.load().jobsQueued < 21 { await Task.yield() }
    let positions = try ids.map { try second.engine.job($0, context: second.context).queuePosition }
    #expect(positions == (1...21).map { UInt64($0) })
    second.engine.drain(false)
    for id in ids { #expect(try await second.finished(id).status == .succeeded) }
    await second.stop()
  }

  @Test("stop abandons a chunk that does not end; the next life runs the job to the same counts")
  func stopAndRestart() async throws {
    let device = FakeDevice(permits: 1, seconds: 1, shotsPerChunk: 100)
    let first = try EngineHarness(device: device)
    let spec = EngineHarness.spec { $0.execution.seed = 5 }
    let id = try await first.submitted(spec)
    await device.started(2)
    await first.stop(graceMicroseconds: 1000)
    let record = try #require(try first.store.job(id))
    #expect(record.status == .queued && record.reason == JobReason.interrupted)
    #expect(record.attempt == 2)
    let error = await #expect(throws: QubusError.self) { try await first.submitted() }
    #expect(error?.code == .serverShuttingDown)
    device.permit(nil)
    let second = try EngineHarness(device: device, store: first.store, codec: first.codec)
    #expect(try await second.finished(id).status == .succeeded)
    let direct = try await second.submitted(spec)
    try await second.finished(direct)
    #expect(try second.words(id, "counts.keys") == second.words(direct, "counts.keys"))
    let hashes = try [id, direct].map {
      try second.engine.result($0, context: second.context).1.executionHash
    }
    #expect(hashes[0] == hashes[1])
    #expect(hashes[0].count == 32)
    await second.stop()
  }

  @Test("stop lets a running chunk end and then leaves the job for the next life")
  func stopAtChunk() async throws {
    let device = FakeDevice(permits: 1, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device)
    let id = try await harness.submitted()
    await device.started(2)
    async let stopped: Void = harness.stop(graceMicroseconds: 60_000_000)
    while !harness.engine.isStopping { await Task.yield() }
    device.permit(5)
    await stopped
    #expect(try harness.store.job(id)?.status == .queued)
    #expect(device.state.withLock { $0.finished } < 10)
  }

  @Test("waiting jobs beyond those kept in memory are read again when their turn comes")
  func beyondMemory() async throws {
    let harness = try EngineHarness { $0.residentJobs = 2 }
    harness.engine.drain(true)
    var ids: [Identifier] = []
    for _ in 0..<10 { ids.append(try await harness.submitted()) }
    #expect(try await harness.cancel(ids[8]).outcome == .beforeStart)
    harness.engine.drain(false)
    for id in ids where id != ids[8] {
      #expect(try await harness.finished(id).status == .succeeded)
    }
    await harness.stop()
  }
}
