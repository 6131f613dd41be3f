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
    let count = 40_000
    let records = (0..<count).map { i in
      var record = fixture.record(key: "key-\(i)")
      record.request = Array(repeating: 9, count: 300)
      return record
    }
    let events = [fixture.event(.accepted), fixture.event(.queued)]
    let window = DispatchSemaphore(value: 1024)
    let start = clock.monotonic()
    for record in records {
      window.wait()
      fixture.store.perform(
        .accept(record, events) { result in
          if case .failure(let error) = result { Issue.record(error) }
          window.signal()
        })
    }
    try await fixture.store.flush()
    let elapsed = clock.monotonic() - start
    print("accepts in groups: \(Int64(count) * 1_000_000 / elapsed) per second")
    try await singles(fixture, clock)
  }

  private func singles(_ fixture: StoreFixture, _ clock: SystemClock) async throws {
    var times: [Microseconds] = []
    let done = DispatchSemaphore(value: 0)
    for i in 0..<2000 {
      var record = fixture.record(key: "single-\(i)")
      record.request = Array(repeating: 9, count: 300)
      let events = [fixture.event(.accepted), fixture.event(.queued)]
      let start = clock.monotonic()
      fixture.store.perform(.accept(record, events) { _ in done.signal() })
      done.wait()
      times.append(clock.monotonic() - start)
    }
    report("one accept", times)
    let file = open(fixture.directory.file("probe"), O_RDWR | O_CREAT, 0o600)
    defer { close(file) }
    let block = [UInt8](repeating: 1, count: 32 << 10)
    for _ in 0..<512 { write(file, block, block.count) }
    fsync(file)
    times = (0..<500).map { i in
      let start = clock.monotonic()
      pwrite(file, block, block.count, off_t(i * block.count))
      fdatasync(file)
      return clock.monotonic() - start
    }
    report("32 KiB overwritten and fdatasync", times)
  }

  private func report(_ what: String, _ times: [Microseconds]) {
    let sorted = times.sorted()
    print(
      "\(what): median \(sorted[sorted.count / 2]) µs, p99 \(sorted[sorted.count * 99 / 100]) µs")
  }
}
