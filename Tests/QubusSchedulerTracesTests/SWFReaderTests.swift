import QubusCore
import QubusSchedulerTraces
import Testing

@Suite("The Standard Workload Format")
struct SWFReaderTests {
  private static let header = "; Computer: test\n; MaxProcs: 8\n"
  private static let good = "1 5 -1 100 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1"

  private func read(_ lines: String, skipping: Bool = false) throws -> Trace {
    try SWFReader(skipsInvalidJobs: skipping).read(Self.header + lines, name: "t")
  }

  private func error(_ lines: String) throws -> QubusError {
    try #require(throws: QubusError.self) { try read(lines) }
  }

  @Test("a job's submission, run time, processors, estimate and user are read")
  func reads() throws {
    let trace = try read(Self.good + "\r\n\n2 6.5 -1 0.5 -1 -1 -1 8 -1 -1 1 9 -1 -1 -1 -1 -1 -1\n")
    #expect(trace.processors == 8)
    #expect(
      trace.jobs == [
        TraceJob(
          number: 1, submitted: 5_000_000, runTime: 100_000_000, requestedTime: 200_000_000,
          processors: 4, user: 0),
        TraceJob(number: 2, submitted: 6_500_000, runTime: 500_000, processors: 8, user: 1),
      ])
  }

  @Test("requested processors count before allocated ones")
  func requestedProcessors() throws {
    let trace = try read("1 0 -1 9 4 -1 -1 2 -1 -1 1 7 -1 -1 -1 -1 -1 -1")
    #expect(trace.jobs[0].processors == 2)
  }

  @Test(
    "a broken line is named with its column",
    arguments: [
      ("1 5 -1 100 4", "18 fields", 13),
      ("1 5 -1 100 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1 -1", "this line has 19", 52),
      ("1 5 -1 x 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "field 4 is not a number", 8),
      ("1 5 -1 nan 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "field 4 is not a number", 8),
      ("1 5 -1 -100 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "field 4 is negative", 8),
      ("1 -1 -1 100 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "submit time is unknown", 3),
      ("1 5 -1 1e300 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "above the limit", 8),
      ("1 5 -1 0 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "no run time", 8),
      ("1 5 -1 9 -1 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "no processors", 10),
      ("1 5 -1 9 9 -1 -1 9 200 -1 1 7 -1 -1 -1 -1 -1 -1", "larger than the machine of 8", 18),
      ("1 4 -1 9 1 -1 -1 1 200 -1 1 7 -1 -1 -1 -1 -1 -1", "the clock goes back", 3),
    ])
  func brokenLine(line: String, says: String, column: Int) throws {
    let error = try error(Self.good + "\n" + line + "\n")
    #expect(error.code == .invalidRequest)
    #expect(error.message.contains(says), "\(error.message)")
    #expect(error.location?.line == 4)
    #expect(error.location?.column == column)
  }

  @Test("jobs that cannot run are left out and counted on request; broken lines never are")
  func skips() throws {
    let invalid = "2 6 -1 0 4 -1 -1 -1 200 -1 1 7 -1 -1 -1 -1 -1 -1"
    let trace = try read(Self.good + "\n" + invalid + "\n", skipping: true)
    #expect(trace.jobs.count == 1)
    #expect(trace.skippedCount == 1)
    #expect(throws: QubusError.self) { try read(Self.good + "\n1 2 3\n", skipping: true) }
  }

  @Test("a machine of unknown size is an error; a given size counts before the header")
  func machineSize() throws {
    #expect(throws: QubusError.self) { try SWFReader().read(Self.good, name: "t") }
    #expect(try SWFReader(processors: 4).read(Self.good, name: "t").processors == 4)
    let error = try #require(throws: QubusError.self) {
      try SWFReader(processors: 0).read(Self.good, name: "t")
    }
    #expect(error.message.contains("processors"))
  }

  @Test("text that was cut or altered gives an error or a trace, never a crash")
  func altered() throws {
    let seed = UInt64.random(in: 0...(.max))
    var random = LoadRandom(seed: seed)
    let text = Array((Self.header + Self.good + "\n" + Self.good + "\n").utf8)
    for round in 0..<3000 {
      var bytes = text
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] =
          UInt8.random(in: 0...255, using: &random)
      }
      bytes.removeLast(Int.random(in: 0...bytes.count / 2, using: &random))
      do throws(QubusError) {
        let trace = try SWFReader(skipsInvalidJobs: round.isMultiple(of: 2)).read(
          String(decoding: bytes, as: UTF8.self), name: "altered")
        #expect(trace.jobs.allSatisfy { $0.processors <= trace.processors }, "seed \(seed)")
      } catch {
        #expect(error.code == .invalidRequest, "seed \(seed)")
      }
    }
  }
}
