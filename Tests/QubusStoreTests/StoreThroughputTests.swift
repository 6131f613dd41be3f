import Dispatch
import Foundation
import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

/// Figures of the disk at hand, printed, not judged: run with QUBUS_BENCH=1 on an idle machine.
/// Targets: 20,000 accepts/s in groups; one accept within the disk's fdatasync plus 60 µs.
@Suite(
  "Store throughput", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["QUBUS_BENCH"] != nil))
struct StoreThroughputTests {
  @Test("accepts in groups and one by one, beside the bare disk")
  func accepts() async throws {
    let clock = SystemClock()
    let fixture = try StoreFixture(.sqlite, options: StoreOptions())
    for _ in 0..<2 {
      try await groups(fixture, clock, isAudited: false)
      try await groups(fixture, clock, isAudited: true)
    }
    try await singles(fixture, clock)
  }

  private func groups(
    _ fixture: StoreFixture, _ clock: SystemClock, isAudited: Bool
  ) async throws {
    let count = 40_000
    let records = (0..<count).map { i in
      var record = fixture.record(key: "key-\(i)-\(isAudited)-\(clock.now())")
      record.request = Array(repeating: 9, count: 300)
      return record
    }
    let events = [fixture.event(.accepted), fixture.event(.queued)]
    let window = DispatchSemaphore(value: 1024)
    let (start, processorStart) = (clock.monotonic(), processorNanoseconds())
    for record in records {
      window.wait()
      fixture.store.perform(
        .accept(record, events, audit: isAudited ? entry(of: record) : nil) { result in
          if case .failure(let error) = result { Issue.record(error) }
          window.signal()
        })
    }
    try await fixture.store.flush()
    let elapsed = clock.monotonic() - start
    print(
      "accepts in groups\(isAudited ? " with their audit entries" : ""):"
        + " \(Int64(count) * 1_000_000 / elapsed) per second,"
        + " \((processorNanoseconds() - processorStart) / Int64(count)) ns of processors each")
  }

  /// Of all threads; unlike time it hardly depends on what else the machine does.
  private func processorNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// One accept, one finishing update and one bare write in turn, so that all meet the same disk.
  private func singles(_ fixture: StoreFixture, _ clock: SystemClock) async throws {
    let file = open(fixture.directory.file("probe"), O_RDWR | O_CREAT, 0o600)
    defer { close(file) }
    let block = [UInt8](repeating: 1, count: 32 << 10)
    for _ in 0..<512 { write(file, block, block.count) }
    fsync(file)
    var accepts: [Microseconds] = []
    var audited: [Microseconds] = []
    var ends: [Microseconds] = []
    var probes: [Microseconds] = []
    var pages: (accept: [Int], audited: [Int], end: [Int]) = ([], [], [])
    let done = DispatchSemaphore(value: 0)
    func timed(_ command: StoreCommand) -> Microseconds {
      let start = clock.monotonic()
      fixture.store.perform(command)
      done.wait()
      return clock.monotonic() - start
    }
    let count = 400
    for i in 0..<count {
      var record = fixture.record(key: "single-\(i)")
      record.request = Array(repeating: 9, count: 300)
      let events = [fixture.event(.accepted), fixture.event(.queued)]
      var update = fixture.move(
        record.id, .reserved, .running, .processingResults, .succeeded)
      var result = fixture.result(record.id, [noise(80, seed: UInt64(i))])
      result.provenance.device = String(repeating: "p", count: 600)
      update.result = result
      update.phases = record.phases
      // In turn, so that neither always comes first.
      for isAudited in i.isMultiple(of: 2) ? [false, true] : [true, false] {
        var accepted = record
        if isAudited {
          accepted = fixture.record(key: "single-\(i)-audited")
          accepted.request = record.request
        }
        let before = try logPages(fixture)
        let time = timed(
          .accept(accepted, events, audit: isAudited ? entry(of: accepted) : nil) { _ in
            done.signal()
          })
        let between = try logPages(fixture)
        if isAudited { audited.append(time) } else { accepts.append(time) }
        // The log may have begun anew in between.
        guard before < between else { continue }
        if isAudited {
          pages.audited.append(between - before)
        } else {
          pages.accept.append(between - before)
        }
      }
      let beforeEnd = try logPages(fixture)
      ends.append(timed(.update(update) { _ in done.signal() }))
      let after = try logPages(fixture)
      if beforeEnd < after { pages.end.append(after - beforeEnd) }
      let start = clock.monotonic()
      pwrite(file, block, block.count, off_t(i * block.count))
      fdatasync(file)
      probes.append(clock.monotonic() - start)
    }
    report("one accept", accepts, pages: pages.accept)
    report("one accept with its audit entry", audited, pages: pages.audited)
    report("one finishing update", ends, pages: pages.end)
    report("32 KiB overwritten and fdatasync", probes, pages: [8])
  }

  /// As long as those of the daemon.
  private func entry(of record: JobRecord) -> AuditEntry {
    AuditEntry(
      time: record.phases.acceptedAt ?? 0, principal: record.principal, credential: "uid:1000",
      method: "SubmitJob", action: "jobs.submit", subject: "job \(record.id)", tenant: "default",
      outcome: .allowed, policy: "submitter of default/default",
      traceID: "4bf92f3577b34da6a3ce929d0e0e4736")
  }

  /// Pages in the log, from the header of its index (`mxFrame`, SQLite's "WAL-mode File Format").
  private func logPages(_ fixture: StoreFixture) throws -> Int {
    let file = try FileHandle(
      forReadingFrom: URL(
        fileURLWithPath: fixture.directory.file("qubus.sqlite-shm")))
    let header = try file.read(upToCount: 20) ?? Data()
    try #require(header.count == 20)
    return Int(header.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: UInt32.self) })
  }

  private func report(_ what: String, _ times: [Microseconds], pages: [Int]) {
    let sorted = times.sorted()
    print(
      "\(what): p10 \(sorted[sorted.count / 10]) µs, median \(sorted[sorted.count / 2]) µs,"
        + " p99 \(sorted[sorted.count * 99 / 100]) µs,"
        + " \(pages.reduce(0, +) * 10 / pages.count) tenths of a page")
  }
}
