import Foundation
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("What expires goes")
struct RetentionStoreTests {
  private static let day: Microseconds = 86_400_000_000

  /// An ended job whose result expires after a day.
  private func ended(
    _ fixture: StoreFixture, _ data: [[UInt8]] = [[1, 2, 3]], expiresIn time: Microseconds = day
  ) async throws -> Identifier {
    let id = try await fixture.running().id
    var update = fixture.move(id, .processingResults, .succeeded)
    update.result = fixture.result(id, data)
    var change = RetentionChange()
    change.resultsExpireAt = fixture.clock.now() + time
    change.eventsExpireAt = fixture.clock.now() + 2 * time
    update.retention = change
    _ = try await fixture.store.update(update)
    return id
  }

  private func change(
    _ fixture: StoreFixture, _ id: Identifier, _ edit: (inout RetentionChange) -> Void
  ) async throws {
    var change = RetentionChange()
    edit(&change)
    var update = JobUpdate(jobID: id, attempt: 1)
    update.retention = change
    update.audit = [.sample("results of job \(id)")]
    _ = try await fixture.store.update(update)
  }

  @Test(
    "the data of an expired result go; the job, its manifest and provenance stay",
    arguments: StoreKind.allCases)
  func result(_ kind: StoreKind) async throws {
    var options = StoreOptions.forTests
    options.inlineResultBytes = 1000
    let fixture = try StoreFixture(kind, options: options)
    for data in [[[UInt8](repeating: 7, count: 20)], [noise(900, seed: 1), noise(5000, seed: 2)]] {
      let id = try await ended(fixture, data)
      let before = try #require(try fixture.store.job(id))
      #expect(before.retention.resultsExpireAt == fixture.clock.now() + Self.day)
      #expect(before.retention.eventsExpireAt == fixture.clock.now() + 2 * Self.day)
      #expect(!before.retention.isResultRemoved)
      #expect(try fixture.store.resultChunk(id, item: 0, chunk: 0) == data[0])
      try await change(fixture, id) { $0.removesResult = true }
      let error = #expect(throws: QubusError.self) {
        try fixture.store.resultChunk(id, item: 0, chunk: 0)
      }
      #expect(error?.code == .resultExpired)
      let time = TimeText.rfc3339(fixture.clock.now() + Self.day)
      #expect(error?.message.contains(time) == true)
      let after = try #require(try fixture.store.job(id))
      #expect(after.retention.isResultRemoved && after.hasResult)
      let (manifest, provenance) = try #require(try fixture.store.result(id))
      #expect(manifest.items.count == data.count && provenance.device == "sim.statevector")
      #expect(try fixture.audit().last?.subject == "results of job \(id)")
    }
    fixture.close()
  }

  @Test("a result that went comes back whole, and may go again", arguments: StoreKind.allCases)
  func restored(_ kind: StoreKind) async throws {
    var options = StoreOptions.forTests
    options.inlineResultBytes = 1000
    let fixture = try StoreFixture(kind, options: options)
    for data in [[[UInt8](repeating: 7, count: 20)], [noise(900, seed: 1), noise(5000, seed: 2)]] {
      let id = try await ended(fixture, data)
      for expiry in [fixture.clock.now() + 9, nil] {
        try await change(fixture, id) { $0.removesResult = true }
        var update = JobUpdate(jobID: id, attempt: 1)
        update.result = fixture.result(id, data)
        var back = RetentionChange()
        back.restoresResult = true
        back.resultsExpireAt = expiry
        update.retention = back
        _ = try await fixture.store.update(update)
        let record = try #require(try fixture.store.job(id))
        #expect(record.retention.isArchivedCopy && record.hasResult)
        #expect(record.retention.resultsExpireAt == expiry)
        for (item, bytes) in data.enumerated() {
          #expect(try fixture.store.resultChunk(id, item: item, chunk: 0) == bytes)
        }
      }
    }
    fixture.close()
  }

  @Test(
    "a result that was restored while its end was on the way stays", arguments: StoreKind.allCases)
  func restoredMeanwhile(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let id = try await ended(fixture)
    let found = try #require(try fixture.store.job(id)).retention.resultsExpireAt
    var back = JobUpdate(jobID: id, attempt: 1)
    back.result = fixture.result(id, [[1, 2, 3]])
    var restoration = RetentionChange()
    restoration.restoresResult = true
    restoration.resultsExpireAt = fixture.clock.now() + 5 * Self.day
    back.retention = restoration
    _ = try await fixture.store.update(back)
    let late = await code {
      try await change(fixture, id) {
        $0.removesResult = true
        $0.removedExpiry = found
      }
    }
    #expect(late == .illegalTransition)
    #expect(try fixture.store.resultChunk(id, item: 0, chunk: 0) == [1, 2, 3])
    #expect(try fixture.store.job(id)?.retention.isArchivedCopy == true)
    try await change(fixture, id) {
      $0.removesResult = true
      $0.removedExpiry = restoration.resultsExpireAt
    }
    #expect(try fixture.store.job(id)?.retention.isResultRemoved == true)
    fixture.close()
  }

  @Test("without a restoration the result of an ended job is final", arguments: StoreKind.allCases)
  func endedIsFinal(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let id = try await ended(fixture)
    var edited = JobUpdate(jobID: id, attempt: 1)
    edited.result = fixture.result(id, [[4]])
    let update = edited
    #expect(
      await code { _ = try await fixture.store.update(update) } == .jobAlreadyFinished)
    #expect(try fixture.store.resultChunk(id, item: 0, chunk: 0) == [1, 2, 3])
    fixture.close()
  }

  @Test("expired events go up to the one that is named", arguments: StoreKind.allCases)
  func events(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let id = try await ended(fixture)
    let last = try #require(try fixture.store.job(id)).lastSequence
    try await change(fixture, id) { $0.removesEventsThrough = 2 }
    #expect(try fixture.store.events(id, after: 0, limit: 100).first?.sequence == 3)
    #expect(try fixture.store.job(id)?.retention.areEventsRemoved == false)
    try await change(fixture, id) {
      $0.removesEventsThrough = last
      $0.endsEvents = true
    }
    #expect(try fixture.store.events(id, after: 0, limit: 100).isEmpty)
    let record = try #require(try fixture.store.job(id))
    #expect(record.retention.areEventsRemoved && record.lastSequence == last)
    fixture.close()
  }

  @Test("nothing of a job expires before its end", arguments: StoreKind.allCases)
  func unfinished(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    let id = try await fixture.running().id
    let found = await code { try await change(fixture, id) { $0.removesResult = true } }
    #expect(found == .illegalTransition)
    fixture.close()
  }

  @Test("what has expired is listed in order, once, and no more than asked for")
  func listed() async throws {
    let fixture = try StoreFixture(.sqlite)
    let store = fixture.sqlite
    var ids: [Identifier] = []
    for days in [3, 1, 2] as [Microseconds] {
      ids.append(try await ended(fixture, expiresIn: days * Self.day))
    }
    let undated = try await fixture.running().id
    _ = try await fixture.finish(undated, with: [[1]])
    let now = fixture.clock.now()
    #expect(try store.expiredJobs(by: now, limit: 10).isEmpty)
    #expect(try store.expiredJobs(by: now + 2 * Self.day, limit: 10) == [ids[1], ids[2]])
    #expect(try store.expiredJobs(by: now + 3 * Self.day, limit: 10) == [ids[1], ids[2], ids[0]])
    #expect(try store.expiredJobs(by: now + 9 * Self.day, limit: 2).count == 2)
    try await change(fixture, ids[1]) { $0.removesResult = true }
    #expect(try store.expiredJobs(by: now + Self.day, limit: 10).isEmpty)
    #expect(try store.expiredJobs(by: now + 2 * Self.day, limit: 10) == [ids[2], ids[1]])
    #expect(
      try store.undatedJobs(results: true, events: false, after: 0, limit: 10)
        == JobScan(jobs: [undated], next: nil))
    let first = try store.undatedJobs(results: false, events: true, after: 0, limit: 3)
    #expect(first.jobs.isEmpty)
    let second = try store.undatedJobs(
      results: false, events: true, after: try #require(first.next), limit: 3)
    #expect(second == JobScan(jobs: [undated], next: nil))
    #expect(try store.undatedJobs(results: false, events: false, after: 0, limit: 9).jobs.isEmpty)
    fixture.close()
  }

  // MARK: Files

  private func files(_ fixture: StoreFixture) -> Int { fixture.sqlite.blobs.names().count }

  @Test("a file goes with the last result that names it, at the second look")
  func sharedFile() async throws {
    var options = StoreOptions.forTests
    options.inlineResultBytes = 100
    let fixture = try StoreFixture(.sqlite, options: options)
    let data = [noise(5000, seed: 3)]
    let ids = [try await ended(fixture, data), try await ended(fixture, data)]
    #expect(files(fixture) == 1)
    try await change(fixture, ids[0]) { $0.removesResult = true }
    for _ in 0..<3 { #expect(try fixture.sqlite.removeUnnamedFiles() == 0) }
    #expect(try fixture.store.resultChunk(ids[1], item: 0, chunk: 0) == data[0])
    try await change(fixture, ids[1]) { $0.removesResult = true }
    #expect(try fixture.sqlite.removeUnnamedFiles() == 0)
    #expect(files(fixture) == 1)
    #expect(try fixture.sqlite.removeUnnamedFiles() == 1)
    #expect(files(fixture) == 0)
    fixture.close()
  }

  @Test("a file whose row is on its way stays")
  func claimedFile() async throws {
    let fixture = try StoreFixture(.sqlite)
    let name = Checksum.of([1])
    var claims = [try fixture.sqlite.blobs.write([1], sha256: name)]
    claims.append(try fixture.sqlite.blobs.write([1], sha256: name))
    for _ in 0..<3 { #expect(try fixture.sqlite.removeUnnamedFiles() == 0) }
    claims.removeLast()
    for _ in 0..<3 { #expect(try fixture.sqlite.removeUnnamedFiles() == 0) }
    claims.removeLast()
    #expect(try fixture.sqlite.removeUnnamedFiles() == 0)
    #expect(try fixture.sqlite.removeUnnamedFiles() == 1)
    #expect(files(fixture) == 0)
    fixture.close()
  }

  @Test("files written while others are removed are all there")
  func race() async throws {
    var options = StoreOptions.forTests
    options.inlineResultBytes = 100
    let fixture = try StoreFixture(.sqlite, options: options)
    // The same bytes come and go: the file of one is what another has just stopped naming.
    let data = [noise(20_000, seed: 4)]
    let isDone = Lock(false)
    let remover = Task.detached { () -> Int in
      var removed = 0
      while !isDone.withLock({ $0 }) { removed += try fixture.sqlite.removeUnnamedFiles() }
      return removed
    }
    for _ in 0..<60 {
      let id = try await ended(fixture, data)
      #expect(try fixture.store.resultChunk(id, item: 0, chunk: 0) == data[0])
      try await change(fixture, id) { $0.removesResult = true }
    }
    let kept = try await ended(fixture, data)
    isDone.withLock { $0 = true }
    _ = try await remover.value
    _ = try fixture.sqlite.removeUnnamedFiles()
    #expect(try fixture.store.resultChunk(kept, item: 0, chunk: 0) == data[0])
    fixture.close()
  }
}
