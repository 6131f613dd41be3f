import QubusCore
import QubusSchedulerTraces
import Testing

@Suite("A policy that breaks the rules of a replay")
struct ReplayErrorTests {
  /// Says the same at every call.
  private struct Stubborn: ReplayScheduler {
    var decisions: [ReplayDecision]
    mutating func apply(_ event: ReplayEvent, now: Microseconds) {}
    mutating func decide(now: Microseconds) -> [ReplayDecision] { decisions }
  }

  @Test(
    "is stopped with an error that says what it did",
    arguments: [
      ([ReplayDecision.start(7, slice: nil)], "job 7, which does not wait"),
      ([.start(-1, slice: nil)], "job -1, which does not wait"),
      ([.start(0, slice: nil), .start(0, slice: nil)], "job 0, which does not wait"),
      ([.start(0, slice: nil), .start(1, slice: nil)], "while 1 are free"),
      ([.start(0, slice: 0)], "for 0 µs"),
      ([.preempt(0)], "job 0, which does not run"),
      ([], "leaves 2 jobs waiting"),
    ])
  func stopped(decisions: [ReplayDecision], says: String) throws {
    let job = TraceJob(number: 1, submitted: 0, runTime: 10, processors: 2)
    let trace = try Trace(name: "t", processors: 3, jobs: [job, job])
    let error = try #require(throws: QubusError.self) {
      try Replay.run(trace, through: Stubborn(decisions: decisions))
    }
    #expect(error.code == .internalError)
    #expect(error.message.contains(says), "\(error.message)")
  }

  @Test("settings without sense are refused")
  func settings() throws {
    let trace = try Trace(name: "t", processors: 1, jobs: [])
    for settings in [Replay.Settings(chunk: 0), Replay.Settings(switchCost: -1)] {
      #expect(throws: QubusError.self) {
        try Replay.run(trace, through: Stubborn(decisions: []), settings: settings)
      }
    }
  }
}
