internal import HeapModule
internal import QubusCore
internal import QubusScheduler
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Feeds the scheduler from a mailbox, hands its decisions out in order, and runs timers.
///
/// Whoever posts an event takes the turn itself when nobody else has it: a hop to another thread
/// costs more than a decision (decision 0002). The thread is for what comes with time.
final class SchedulerThread: Sendable {
  private struct Timer: Comparable {
    var time: Microseconds
    var number: UInt64
    var work: @Sendable () -> Void

    static func < (a: Timer, b: Timer) -> Bool {
      a.time != b.time ? a.time < b.time : a.number < b.number
    }
    static func == (a: Timer, b: Timer) -> Bool { a.number == b.number }
  }
  private struct Mailbox {
    var events: [SchedulerEvent] = []
    var timers = Heap<Timer>()
    var timerCount: UInt64 = 0
    var isWoken = false
    var isStopping = false
    /// When the thread wakes by itself; nil while it is awake.
    var sleepsUntil: Microseconds?
  }
  private let clock: any Clock
  private let scheduler: Monitor<Scheduler>
  private let mailbox = Monitor(Mailbox())
  private let thread = Monitor<EngineThread?>(nil)
  /// In a structure, because a bare closure behind a generic lock is wrapped anew by each access.
  private struct Hands: Sendable {
    var carryOut: @Sendable (SchedulerDecision) -> Void
  }
  /// Nil until `start`; events wait in the mailbox until then.
  private let hands = Monitor<Hands?>(nil)
  /// Set by the one who applies events, decides and carries out.
  private let isTurning = Atomic<Bool>(false)

  init(_ scheduler: Scheduler, clock: any Clock) {
    self.clock = clock
    self.scheduler = Monitor(scheduler)
  }

  func start(_ carryOut: @escaping @Sendable (SchedulerDecision) -> Void) {
    hands.withLock { $0 = Hands(carryOut: carryOut) }
    thread.withLock { thread in
      thread = EngineThread { [self] in
        while !sleep() {}
      }
    }
    takeTurns()
  }

  func stop() {
    mailbox.signal { $0.isStopping = true }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  func post(_ event: SchedulerEvent) {
    tell(event)
    takeTurns()
  }

  /// Hands an event over for the next turn, which the caller takes when it holds no lock: so events
  /// of one job come in the order in which its lock was held.
  func tell(_ event: SchedulerEvent) {
    mailbox.withLock { $0.events.append(event) }
  }

  /// Starts an admitted job at once if nothing waits; then `finished` must follow.
  func startNow(_ job: SchedulerJob) -> Bool {
    let now = clock.now()
    return hands.withLock { $0 != nil } && scheduler.withLock { $0.startNow(job, now: now) != nil }
  }

  /// Looks at the clock again; for clocks that move by hand.
  func wake() { mailbox.signal { $0.isWoken = true } }

  /// Runs `work` on this thread at `time` of the injected clock.
  func schedule(at time: Microseconds, _ work: @escaping @Sendable () -> Void) {
    mailbox.signal { mailbox in
      mailbox.timerCount += 1
      mailbox.timers.insert(Timer(time: time, number: mailbox.timerCount, work: work))
    }
  }

  /// A short look at the scheduler, from any thread.
  func withScheduler<Result, Failure: Error>(
    _ body: (inout Scheduler) throws(Failure) -> Result
  ) throws(Failure) -> Result where Result: Sendable {
    try scheduler.withLock { (scheduler) throws(Failure) in try body(&scheduler) }
  }

  /// Applies what waits and carries out what follows, until nothing waits. Returns at once when
  /// another thread has the turn: it looks again after it gave the turn back.
  func takeTurns() {
    guard let carryOut = hands.withLock({ $0 })?.carryOut else { return }
    repeat {
      guard
        isTurning.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
      else { return }
      turn(carryOut)
      isTurning.store(false, ordering: .releasing)
    } while mailbox.withLock { !$0.events.isEmpty && !$0.isStopping }
  }

  private func turn(_ carryOut: (SchedulerDecision) -> Void) {
    let (events, isLast) = mailbox.withLock { mailbox in
      defer { mailbox.events.removeAll() }
      return (mailbox.events, mailbox.isStopping)
    }
    let now = clock.now()
    let (decisions, deadline) = scheduler.withLock { scheduler in
      for event in events { scheduler.apply(event, now: now) }
      return (isLast ? [] : scheduler.decide(now: now), scheduler.nextDeadline)
    }
    for decision in decisions { carryOut(decision) }
    let isEarlier = mailbox.withLock { mailbox in
      guard let deadline, let sleepsUntil = mailbox.sleepsUntil else { return false }
      return deadline < sleepsUntil
    }
    if isEarlier { wake() }
  }

  /// Sleeps until a deadline or a timer is due or somebody wakes it; true when it is to end.
  private func sleep() -> Bool {
    let deadline = scheduler.withLock { $0.nextDeadline }
    let clock = self.clock
    let due = mailbox.withLock { mailbox in
      let due = [deadline, mailbox.timers.min?.time].compactMap { $0 }.min()
      mailbox.sleepsUntil = due ?? .max
      return due
    }
    let wakes: (inout Mailbox) -> Bool? = { mailbox in
      let now = clock.now()
      let isDue = due.map { $0 <= now } ?? false
      let isEarlier = mailbox.timers.min.map { $0.time < due ?? .max } ?? false
      return isDue || isEarlier || mailbox.isWoken || mailbox.isStopping ? true : nil
    }
    if let due {
      // At most an hour, so that a wall clock that was set back cannot make a deadline wait for
      // ever.
      let microseconds = min(3_600_000_000, max(1000, due - clock.now()))
      _ = mailbox.wait(microseconds: microseconds, wakes)
    } else {
      _ = mailbox.wait(wakes)
    }
    let (timers, isLast) = mailbox.withLock { mailbox in
      let now = clock.now()
      var timers: [Timer] = []
      while let timer = mailbox.timers.min, timer.time <= now {
        timers.append(mailbox.timers.removeMin())
      }
      mailbox.isWoken = false
      mailbox.sleepsUntil = nil
      return (timers, mailbox.isStopping)
    }
    takeTurnWaiting()
    for timer in timers { timer.work() }
    return isLast
  }

  /// The thread's own turn must not be lost to a turn that looked at the clock before it.
  private func takeTurnWaiting() {
    guard let carryOut = hands.withLock({ $0 })?.carryOut else { return }
    while !isTurning.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    {
      sched_yield()
    }
    turn(carryOut)
    isTurning.store(false, ordering: .releasing)
    takeTurns()
  }
}
