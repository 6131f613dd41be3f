import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct FairExplainTests {
  func fair(
    _ number: Int, cores: Int = 1, expected: Microseconds = 1_000_000, preemptible: Bool = false
  ) -> FairJob {
    FairJob(
      id: id(number), account: AccountPath(tenant: "a", project: "p", principal: "u"),
      cores: cores, submittedAt: 0, expectedMicroseconds: expected, isPreemptible: preemptible)
  }

  @Test("a job that runs, or is not known, waits for nothing")
  func running() throws {
    var scheduler = try FairScheduler(cores: 4)
    try scheduler.apply(.submitted(fair(1)), now: 0)
    _ = scheduler.decide(now: 0)
    #expect(scheduler.explain(id(1)) == [] && scheduler.explain(id(2)) == [])
  }

  @Test("turn, room and reservation are told apart, each with the time that it costs")
  func kinds() throws {
    var scheduler = try FairScheduler(cores: 4)
    try scheduler.apply(.submitted(fair(1, cores: 3)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.submitted(fair(2, cores: 4)), now: 0)
    try scheduler.apply(.submitted(fair(3, expected: 5_000_000)), now: 0)
    #expect(scheduler.decide(now: 0) == [])
    let head = scheduler.explain(id(2))
    #expect(head.map(\.kind) == [.tooLarge] && head[0].delay == 1_000_000)
    let second = scheduler.explain(id(3))
    #expect(second.map(\.kind) == [.shareTurn, .reserved])
    // Four core-seconds of the head on four cores, and the head's reservation.
    #expect(second.map(\.delay) == [1_000_000, 1_000_000])
    try scheduler.apply(.drained(true), now: 7)
    try scheduler.apply(.drained(true), now: 9)
    #expect(scheduler.explain(id(2)).first?.kind == .deviceOffline)
    #expect(scheduler.explain(id(2)).first?.since == 7)
    try scheduler.apply(.drained(false), now: 10)
    #expect(scheduler.explain(id(2)).map(\.kind) == [.tooLarge])
  }

  @Test("a job that made room is told what it has done")
  func preempted() throws {
    var scheduler = try FairScheduler(cores: 1)
    try scheduler.apply(.submitted(fair(1, preemptible: true)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.yielded(id(1), nil), now: 500_000)
    #expect(scheduler.explain(id(1)).map(\.kind) == [.preempted])
  }
}
