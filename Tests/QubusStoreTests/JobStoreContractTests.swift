import QubusCore
import QubusJobs
import Testing

/// What every store promises; a new implementation joins by its case in `StoreKind`.
@Suite("JobStore contract")
struct JobStoreContractTests {
  @Test("an accepted job reads back field for field", arguments: StoreKind.allCases)
  func roundTrip(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    var record = fixture.record(key: "k", tenant: "t", project: "p", name: "ünï")
    record.clientJobID = "client-7"
    record.clientVersion = "0.1.0"
    record.name = "bell"
    record.tags = ["a", "", "été"]
    record.seed = .max
    record.device = "sim.statevector"
    record.traceID = "trace"
    record.annotations = ["x": "1", "y": ""]
    record.notices = ["delay is ignored"]
    record.replayOf = fixture.ids.next()
    record.fallbackUsed = true
    record.error = QubusError(.executionFailed, "before")
    let stored = try await fixture.accept(record)
    var expected = record
    expected.status = .queued
    expected.lastSequence = 2
    #expect(stored == expected)
    #expect(try fixture.store.job(record.id) == expected)
    #expect(try fixture.store.job(fixture.ids.next()) == nil)
  }

  @Test("a job goes through its lifecycle with gapless events", arguments: StoreKind.allCases)
  func lifecycle(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let job = try await fixture.accept(fixture.record())
    var update = fixture.move(job.id, .reserved, .running)
    update.device = "sim.statevector"
    update.reason = "because"
    update.events[1].body.device = "sim.statevector"
    update.phases = PhaseLedger()
    update.phases?.startedAt = 17
    #expect(try await fixture.store.update(update).map(\.sequence) == [3, 4])
    var progress = JobUpdate(jobID: job.id, attempt: 1)
    progress.shotsDone = 512
    progress.events = [
      NewEvent(time: 5, kind: .progress, status: .running, attempt: 1)
    ]
    #expect(try await fixture.store.update(progress).map(\.sequence) == [5])
    fixture.clock.advance(microseconds: 1000)
    _ = try await fixture.finish(job.id, with: [[1, 2, 3]])
    let record = try #require(try fixture.store.job(job.id))
    #expect(record.status == .succeeded)
    #expect(record.device == "sim.statevector")
    #expect(record.reason == "because")
    #expect(record.shotsDone == 512)
    #expect(record.phases.acceptedAt == job.phases.acceptedAt)
    #expect(record.phases.startedAt == 17)
    #expect(record.phases.storedAt == fixture.clock.now())
    #expect(record.hasResult)
    let events = try fixture.store.events(job.id, after: 0, limit: 100)
    #expect(events.map(\.sequence) == Array(1...7))
    #expect(record.lastSequence == 7)
    #expect(
      events.map(\.status)
        == [
          .accepted, .queued, .reserved, .running, .running, .processingResults, .succeeded,
        ])
    #expect(events[3].body.device == "sim.statevector")
    #expect(try fixture.store.events(job.id, after: 5, limit: 1).map(\.sequence) == [6])
    #expect(try fixture.store.events(job.id, after: .max, limit: 5).isEmpty)
  }

  @Test(
    "a stale attempt, an illegal move and an unknown job change nothing",
    arguments: StoreKind.allCases)
  func fencing(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let job = try await fixture.running()
    var again = fixture.move(job.id, .queued)
    again.newAttempt = 2
    again.reason = JobReason.interrupted
    _ = try await store.update(again)
    let before = try store.job(job.id)
    let stale = fixture.move(job.id, .reserved)
    #expect(await code { _ = try await store.update(stale) } == .illegalTransition)
    let leap = fixture.move(job.id, .reserved, .succeeded, attempt: 2)
    #expect(await code { _ = try await store.update(leap) } == .illegalTransition)
    var silent = fixture.move(job.id, .reserved, attempt: 2)
    silent.events = []
    #expect(await code { _ = try await store.update(silent) } == .invariantViolated)
    var backwards = fixture.move(job.id, .reserved, attempt: 2)
    backwards.newAttempt = 1
    #expect(await code { _ = try await store.update(backwards) } == .illegalTransition)
    let unknown = fixture.move(fixture.ids.next(), .reserved)
    #expect(await code { _ = try await store.update(unknown) } == .jobNotFound)
    #expect(try store.job(job.id) == before)
    #expect(try store.events(job.id, after: 0, limit: 100).count == 5)
  }

  @Test("a job ends once", arguments: StoreKind.allCases)
  func endsOnce(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let job = try await fixture.running()
    _ = try await store.update(fixture.move(job.id, .canceled))
    var late = fixture.move(job.id, .processingResults, .succeeded)
    late.result = fixture.result(job.id, [[1]])
    #expect(await code { _ = try await store.update(late) } == .jobAlreadyFinished)
    late.moves = []
    late.events = []
    #expect(await code { _ = try await store.update(late) } == .jobAlreadyFinished)
    #expect(try store.result(job.id) == nil)
    var note = JobUpdate(jobID: job.id, attempt: 1)
    note.annotations = ["kept": "yes"]
    note.events = [
      NewEvent(time: 9, kind: .annotationAdded, status: .canceled, attempt: 1)
    ]
    _ = try await store.update(note)
    let record = try #require(try store.job(job.id))
    #expect(record.status == .canceled)
    #expect(record.annotations == ["kept": "yes"])
    let ends = try store.events(job.id, after: 0, limit: 100)
      .filter { $0.kind == .statusChanged && $0.status.isTerminal }
    #expect(ends.count == 1)
  }

  @Test("a place in the queue told after the end is refused", arguments: StoreKind.allCases)
  func lateQueueNews(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let job = try await fixture.running()
    var news = JobUpdate(jobID: job.id, attempt: 1)
    news.events = [NewEvent(time: 8, kind: .queueMoved, status: .queued, attempt: 1)]
    #expect(await code { _ = try await store.update(news) } == .illegalTransition)
    _ = try await store.update(fixture.move(job.id, .canceled))
    #expect(await code { _ = try await store.update(news) } == .illegalTransition)
    #expect(try store.events(job.id, after: 0, limit: 100).last?.status == .canceled)
  }

  @Test(
    "who keeps a waiting job from its start is stored, whoever writes first",
    arguments: StoreKind.allCases)
  func withholding(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let job = try await fixture.accept(fixture.record())
    func change(_ adds: Withholding, _ removes: Withholding) async throws -> Withholding? {
      var update = JobUpdate(jobID: job.id, attempt: 1)
      update.withholding = WithholdingChange(adds: adds, removes: removes)
      update.events = [NewEvent(time: 8, kind: .queueMoved, status: .queued, attempt: 1)]
      _ = try await store.update(update)
      return try store.job(job.id)?.withheld
    }
    #expect(job.withheld == [])
    #expect(try await change(.held, []) == .held)
    #expect(try await change(.paused, []) == [.held, .paused])
    #expect(try await change([], .held) == .paused)
    #expect(try await change([], .held) == .paused)
    #expect(try await change(.held, .paused) == .held)
    #expect(try store.unfinishedJobs().map(\.withheld) == [.held])
    var refused = JobUpdate(jobID: job.id, attempt: 2)
    refused.withholding = WithholdingChange(removes: .held)
    #expect(await code { _ = try await store.update(refused) } == .illegalTransition)
    #expect(try store.job(job.id)?.withheld == .held)
  }

  @Test(
    "lane and priority of a waiting job are stored, each by itself", arguments: StoreKind.allCases)
  func placement(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let job = try await fixture.accept(fixture.record())
    #expect(job.priority == 0)
    func change(_ lane: String?, _ priority: Int?, attempt: UInt32 = 1) async throws -> JobRecord? {
      var update = JobUpdate(jobID: job.id, attempt: attempt)
      (update.lane, update.priority) = (lane, priority)
      update.events = [NewEvent(time: 8, kind: .queueMoved, status: .queued, attempt: attempt)]
      _ = try await store.update(update)
      return try store.job(job.id)
    }
    let first = try await change(nil, -7)
    #expect(first?.priority == -7 && first?.lane == job.lane)
    let second = try await change("long", nil)
    #expect(second?.priority == -7 && second?.lane == "long")
    #expect(await code { _ = try await change("batch", 1, attempt: 2) } == .illegalTransition)
    #expect(try store.unfinishedJobs().map(\.lane) == ["long"])
    #expect(try store.unfinishedJobs().map(\.priority) == [-7])
  }

  @Test(
    "jobs know their batch and the one they run again; lists find a batch",
    arguments: StoreKind.allCases)
  func links(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let alone = try await fixture.accept(fixture.record())
    let batch = Identifier(high: 1, low: 2)
    var batched: [Identifier] = []
    for number in 0..<3 {
      var record = fixture.record()
      record.batch = batch
      if number == 1 { record.resubmitOf = alone.id }
      batched.append(try await fixture.accept(record).id)
    }
    var record = fixture.record()
    record.batch = Identifier(high: 1, low: 3)
    _ = try await fixture.accept(record)
    #expect(try store.job(alone.id)?.batch == nil)
    #expect(try store.job(batched[0])?.batch == batch && store.job(batched[0])?.resubmitOf == nil)
    #expect(try store.job(batched[1])?.resubmitOf == alone.id)
    var filter = JobFilter()
    filter.batch = batch
    #expect(Set(try store.jobs(filter).map(\.id)) == Set(batched))
    filter.principal = alone.principal
    #expect(try store.jobs(filter).count == 3)
    filter.limit = 2
    #expect(try store.jobs(filter).count == 2)
    filter.principal?.tenant = "other"
    #expect(try store.jobs(filter).isEmpty)
    filter = JobFilter()
    filter.batch = Identifier(high: 9, low: 9)
    #expect(try store.jobs(filter).isEmpty)
  }

  @Test("two changes of who keeps a job do together what they do one after another")
  func mergedWithholding() {
    let all: [Withholding] = [[], .paused, .held, [.paused, .held]]
    let changes = all.flatMap { adds in
      all.filter { $0.isDisjoint(with: adds) }.map { WithholdingChange(adds: adds, removes: $0) }
    }
    for start in all {
      for first in changes {
        for second in changes {
          var (one, other) = (start, start)
          one.apply(first)
          one.apply(second)
          other.apply(first.merged(with: second))
          #expect(one == other, "\(start) \(first) \(second)")
        }
      }
    }
  }

  @Test("an annotation tells the state at its commit", arguments: StoreKind.allCases)
  func annotationState(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let job = try await fixture.running()
    _ = try await fixture.store.update(fixture.move(job.id, .canceled))
    var note = JobUpdate(jobID: job.id, attempt: 1)
    note.events = [NewEvent(time: 9, kind: .annotationAdded, status: .running, attempt: 1)]
    #expect(try await fixture.store.update(note).map(\.status) == [.canceled])
  }

  @Test("one idempotency key is one job in its project", arguments: StoreKind.allCases)
  func idempotency(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let first = try await fixture.accept(fixture.record(key: "k"))
    let same = try await store.accept(fixture.record(key: "k"), [fixture.event(.accepted)])
    guard case .duplicate(let known) = same else {
      Issue.record("the same submit made a second job")
      return
    }
    #expect(known == first)
    do {
      _ = try await store.accept(
        fixture.record(key: "k", fingerprint: 2), [fixture.event(.accepted)])
      Issue.record("another request under the same key was taken")
    } catch let error as QubusError {
      #expect(error.code == .idempotencyConflict)
      #expect(error.details["existing_job_id"] == first.id.description)
      #expect(error.details["existing_fingerprint"] == String(repeating: "01", count: 32))
      #expect(error.details["fingerprint"] == String(repeating: "02", count: 32))
    }
    _ = try await fixture.accept(fixture.record(key: "k", fingerprint: 2, project: "other"))
    _ = try await fixture.accept(fixture.record())
    _ = try await fixture.accept(fixture.record())
    #expect(try store.jobs(JobFilter()).count == 4)
    let taken = first
    #expect(
      await code { _ = try await store.accept(taken, []) } == nil, "its key makes it a duplicate")
    var stolen = fixture.record()
    stolen.id = first.id
    let twice = stolen
    #expect(await code { _ = try await store.accept(twice, []) } == .invariantViolated)
  }

  @Test("evidence is written with its change, or not at all", arguments: StoreKind.allCases)
  func evidence(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    let events = [fixture.event(.accepted), fixture.event(.queued)]
    let record = fixture.record(key: "k")
    let submit = AuditEntry.sample("job \(record.id)")
    _ = try await store.accept(record, events, audit: submit)
    #expect(try fixture.audit() == [submit])
    // A submit that is sent again made nothing, and is told as such.
    let again = fixture.record(key: "k")
    _ = try await store.accept(again, events, audit: .sample("job \(again.id)"))
    let duplicate = AuditEntry.sample("job \(record.id) (duplicate)")
    #expect(try fixture.audit() == [submit, duplicate])
    let conflict = fixture.record(key: "k", fingerprint: 2)
    #expect(
      await code { _ = try await store.accept(conflict, events, audit: .sample()) }
        == .idempotencyConflict)
    var stolen = fixture.record()
    stolen.id = record.id
    let taken = stolen
    #expect(
      await code { _ = try await store.accept(taken, events, audit: .sample()) }
        == .invariantViolated)
    // What the service does by itself is no evidence of anybody.
    _ = try await store.update(fixture.move(record.id, .reserved))
    #expect(try fixture.audit() == [submit, duplicate])
    var cancel = fixture.move(record.id, .canceled)
    let entries = [AuditEntry.sample(method: "Cancel"), .sample(method: "Annotate")]
    cancel.audit = entries
    _ = try await store.update(cancel)
    #expect(try fixture.audit() == [submit, duplicate] + entries)
    let late = cancel
    #expect(await code { _ = try await store.update(late) } == .jobAlreadyFinished)
    #expect(try fixture.audit().count == 4)
  }

  @Test("results read back chunk by chunk, small, large and empty", arguments: StoreKind.allCases)
  func results(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let small: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 7, count: 12_000)]
    let large = [noise(3 << 20, seed: 1), Array(repeating: 0, count: 300_000), noise(100, seed: 2)]
    for data in [small, large] {
      let job = try await fixture.running()
      #expect(
        await code { _ = try fixture.store.resultChunk(job.id, item: 0, chunk: 0) }
          == .resultNotReady)
      let result = try await fixture.finish(job.id, with: data)
      let (manifest, provenance) = try #require(try fixture.store.result(job.id))
      #expect(manifest == result.manifest)
      #expect(provenance == result.provenance)
      for (index, item) in manifest.items.enumerated() {
        var bytes: [UInt8] = []
        for chunk in item.chunks.indices {
          bytes += try fixture.store.resultChunk(job.id, item: index, chunk: chunk)
        }
        #expect(bytes == data[index])
      }
      #expect(
        await code { _ = try fixture.store.resultChunk(job.id, item: 9, chunk: 0) }
          == .unknownResultItem)
    }
  }

  @Test("a result that contradicts its manifest is refused", arguments: StoreKind.allCases)
  func contradiction(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let job = try await fixture.running()
    var update = fixture.move(job.id, .processingResults, .succeeded)
    update.result = fixture.result(job.id, [[1, 2, 3]])
    update.result?.data[0].append(4)
    let wrong = update
    #expect(await code { _ = try await fixture.store.update(wrong) } == .invariantViolated)
    #expect(try fixture.store.job(job.id)?.status == .running)
  }

  @Test("listing filters, pages and sorts newest first", arguments: StoreKind.allCases)
  func listing(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let store = fixture.store
    var ids: [Identifier] = []
    for i in 0..<10 {
      var record = fixture.record(
        tenant: i == 9 ? "other" : "default", name: i % 2 == 0 ? "alice" : "bob")
      record.name = i == 3 ? "three" : ""
      record.tags = i % 3 == 0 ? ["fizz", "n\(i)"] : []
      ids.append(try await fixture.accept(record).id)
    }
    _ = try await store.update(fixture.move(ids[4], .canceled))
    _ = try await store.update(fixture.move(ids[5], .failed))
    func list(_ change: (inout JobFilter) -> Void) throws -> [Int?] {
      var filter = JobFilter()
      filter.principal = Principal(tenant: "default", project: "default", name: "")
      change(&filter)
      return try store.jobs(filter).map { ids.firstIndex(of: $0.id) }
    }
    #expect(try list { _ in } == [8, 7, 6, 5, 4, 3, 2, 1, 0])
    #expect(try list { $0.limit = 3 } == [8, 7, 6])
    #expect(try list { $0.limit = 0 } == [])
    #expect(
      try list {
        $0.before = ids[6]
        $0.limit = 2
      } == [5, 4])
    #expect(try list { $0.principal?.name = "bob" } == [7, 5, 3, 1])
    #expect(try list { $0.statuses = [.canceled] } == [4])
    #expect(try list { $0.statuses = [.canceled, .failed] } == [5, 4])
    #expect(try list { $0.statuses = [.running] } == [])
    #expect(try list { $0.name = "three" } == [3])
    #expect(try list { $0.tags = ["fizz"] } == [6, 3, 0])
    #expect(try list { $0.tags = ["fizz", "n6"] } == [6])
    #expect(try list { $0.principal = nil }.count == 10)
    #expect(
      try list { $0.principal = Principal(tenant: "default", project: "none", name: "") } == [])
    #expect(
      try store.unfinishedJobs().map(\.id)
        == ids.enumerated()
        .filter { $0.offset != 4 && $0.offset != 5 }.map(\.element))
  }

  @Test("producers on several threads each keep their order", arguments: StoreKind.allCases)
  func concurrency(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let finished = SequenceLog()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for producer in 0..<4 {
        group.addTask {
          for i in 0..<50 {
            let record = fixture.record(key: "\(producer)-\(i)")
            let id = record.id
            let store = fixture.store
            store.perform(
              .accept(record, [fixture.event(.accepted), fixture.event(.queued)]) { _ in })
            let moves: [JobStatus] = [.reserved, .running]
            for move in moves {
              store.perform(
                .update(fixture.move(id, move)) { result in
                  guard case .success(let events) = result else { return }
                  finished.add(events.map(\.sequence), of: id)
                })
            }
            _ = try store.job(id)
          }
        }
      }
      try await group.waitForAll()
    }
    try await fixture.store.flush()
    let all = finished.all
    #expect(all.count == 200)
    #expect(all.values.allSatisfy { $0 == [3, 4] })
    #expect(try fixture.store.unfinishedJobs().count == 200)
  }

  @Test("after close every command fails", arguments: StoreKind.allCases)
  func closed(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    try fixture.store.close()
    try fixture.store.close()
    let record = fixture.record()
    #expect(await code { _ = try await fixture.store.accept(record, []) } == .storageUnavailable)
    #expect(await code { try await fixture.store.flush() } == .storageUnavailable)
  }
}

private final class SequenceLog: Sendable {
  private let sequences = Lock<[Identifier: [UInt64]]>([:])

  var all: [Identifier: [UInt64]] { sequences.withLock { $0 } }

  func add(_ more: [UInt64], of id: Identifier) {
    sequences.withLock { $0[id, default: []] += more }
  }
}
