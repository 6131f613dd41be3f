internal import HeapModule
internal import QubusCore
internal import QubusScheduler

/// Feeds the scheduler from a mailbox, hands its decisions out in order, and runs timers.
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
  }
  private struct Batch {
    var events: [SchedulerEvent] = []
    var timers: [Timer] = []
    var isLast = false
  }
  private let clock: any Clock
  private let scheduler: Monitor<Scheduler>
  private let mailbox = Monitor(Mailbox())
  private let thread = Monitor<EngineThread?>(nil)

  init(_ scheduler: Scheduler, clock: any Clock) {
    self.clock = clock
    self.scheduler = Monitor(scheduler)
  }

  func start(_ carryOut: @escaping @Sendable (SchedulerDecision) -> Void) {
    thread.withLock { thread in
      thread = EngineThread { [self] in
        while !turn(carryOut) {}
      }
    }
  }

  func stop() {
    mailbox.signal { $0.isStopping = true }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  func post(_ event: SchedulerEvent) { mailbox.signal { $0.events.append(event) } }

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

  /// One round; true after the last.
  private func turn(_ carryOut: (SchedulerDecision) -> Void) -> Bool {
    let deadline = scheduler.withLock { $0.nextDeadline }
    let batch = nextBatch(deadline)
    let now = clock.now()
    let decisions = scheduler.withLock { scheduler in
      for event in batch.events { scheduler.apply(event, now: now) }
      return batch.isLast ? [] : scheduler.decide(now: now)
    }
    for decision in decisions { carryOut(decision) }
    for timer in batch.timers { timer.work() }
    return batch.isLast
  }

  private func nextBatch(_ deadline: Microseconds?) -> Batch {
    let clock = self.clock
    let due = mailbox.withLock { mailbox in
      [deadline, mailbox.timers.min?.time].compactMap { $0 }.min()
    }
    let take: (inout Mailbox) -> Batch? = { mailbox in
      let now = clock.now()
      var batch = Batch()
      while let timer = mailbox.timers.min, timer.time <= now {
        batch.timers.append(mailbox.timers.removeMin())
      }
      let isDeadlineDue = deadline.map { $0 <= now } ?? false
      let hasEarlierTimer = mailbox.timers.min.map { $0.time < due ?? .max } ?? false
      guard
        !mailbox.events.isEmpty || !batch.timers.isEmpty || mailbox.isWoken || isDeadlineDue
          || hasEarlierTimer || mailbox.isStopping
      else { return nil }
      swap(&batch.events, &mailbox.events)
      mailbox.isWoken = false
      batch.isLast = mailbox.isStopping
      return batch
    }
    guard let due else { return mailbox.wait(take) }
    // At most an hour, so that a wall clock that was set back cannot make a deadline wait for ever.
    let microseconds = min(3_600_000_000, max(1000, due - clock.now()))
    return mailbox.wait(microseconds: microseconds, take) ?? Batch()
  }
}
