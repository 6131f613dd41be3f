internal import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One who has sessions open.
///
/// `@unchecked Sendable`: `sessions` belongs to the table's lock.
final class SessionAccount: @unchecked Sendable {
  let principal: Principal
  /// Names it in the fair queue.
  let number: Int
  /// Nanoseconds of steps in place that the fair queue does not know of yet.
  let debt = Atomic<UInt64>(0)
  /// Something of the day is used up: its steps are asked for before they run.
  let isOverQuota = Atomic<Bool>(false)
  var sessions = 0

  init(_ principal: Principal, number: Int) {
    self.principal = principal
    self.number = number
  }
}

/// An open session: its plan, what it has answered, and what of it waits.
///
/// Whoever claims it owns `core` until release: the transport thread for a step in place, a step
/// worker for one that waited, a thread that wants its memory. A claim is one atomic exchange, so
/// that a step in place takes no lock.
///
/// `@unchecked Sendable`: `core` is reached under the claim, `line` under the room's lock,
/// `closers`, `closing` and `isPutAway` under the table's, and `stepper` is the transport thread's;
/// everything else is constant or atomic. `SessionRaceTests` run it from many threads.
final class Session: @unchecked Sendable {
  struct Core {
    var evaluator: (any StepEvaluator)?
    var answers: SessionAnswers
    var usage: SessionUsage
    var timing = StepTiming()
    /// Told with the next answer.
    var wasRebuilt = false
    /// Steps up to here were charged before a restart: they may be computed again, free of charge.
    var chargedSequence: UInt64 = 0
    var isFinal = false
    let numbers = StepNumbers()
  }

  /// As it was opened; usage, state and times of use are kept apart.
  let base: SessionRecord
  let account: SessionAccount
  /// Names it in the fair queue.
  let number: Int
  /// Nil for one of an earlier life of the service that nobody has resumed.
  let plan: SessionPlan?
  /// Told again to an open that is repeated before the first step; empty afterwards unknown.
  let secret: [UInt8]
  /// Stops whatever runs, once the session is over.
  let flag = CancellationFlag()
  let usage: SessionUsageCell
  let holder: Atomic<UInt64>
  let lastUsedAt: Atomic<Microseconds>
  let memoryBytes = Atomic<UInt64>(0)
  let rebuilds = Atomic<UInt64>(0)
  /// Steps that wait or run; only the transport thread adds.
  let inFlight = Atomic<Int>(0)
  let isOptimizing = Atomic<Bool>(false)
  /// Predicted time of the last kind of step, nanoseconds.
  let costHint = Atomic<UInt64>(0)
  /// Version of the usage that was journaled last; the journal's.
  let journaledVersion = Atomic<UInt64>(0)
  /// Usage that quotas know of; under the table's lock.
  var charged: SessionUsage
  var core: Core
  var line = StepLine()
  /// Who stepped it last: its rights were judged then, and hold while it is the same object.
  var stepper: Identity?
  /// When it ended; 0 while it is open.
  let closedAt = Atomic<Microseconds>(0)
  /// The end is written.
  var isPutAway = false
  var closers: [@Sendable (Result<Void, QubusError>) -> Void] = []
  /// Nil: its device is free.
  let meter: SessionMeter?
  /// Evidence of who closed it.
  var closing: AuditEntry?
  private let claim = Atomic<Bool>(false)
  private let endingCode = Atomic<UInt8>(0)

  var id: Identifier { base.id }

  init(
    _ base: SessionRecord, account: SessionAccount, number: Int, plan: SessionPlan?,
    evaluator: (any StepEvaluator)?, holder: UInt64, secret: [UInt8],
    configuration: SessionConfiguration, meter: SessionMeter? = nil
  ) {
    self.base = base
    self.meter = meter
    self.account = account
    self.number = number
    self.plan = plan
    self.secret = secret
    self.holder = Atomic(holder)
    usage = SessionUsageCell(base.usage)
    charged = base.usage
    lastUsedAt = Atomic(base.lastUsedAt)
    core = Core(
      evaluator: evaluator,
      answers: SessionAnswers(
        count: plan == nil ? 1 : configuration.answersKept,
        byteLimit: configuration.keptAnswerBytes), usage: base.usage)
  }

  /// Takes `core` for this thread; false when another has it.
  @inline(__always)
  func tryClaim() -> Bool {
    claim.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent)
      .exchanged
  }

  /// Waits for the claim: others hold it for one small step, or to drop the plan.
  func claimNow() {
    while !tryClaim() { sched_yield() }
  }

  /// Gives `core` back; then see whether the session is over.
  @inline(__always)
  func release() {
    // In one order with `markEnded`: either the ender gets the claim, or the releaser sees the end.
    claim.store(false, ordering: .sequentiallyConsistent)
  }

  @inline(__always)
  var isEnded: Bool { endingCode.load(ordering: .sequentiallyConsistent) != 0 }

  var ending: SessionEnding? {
    SessionEnding(rawValue: endingCode.load(ordering: .sequentiallyConsistent))
  }

  /// False when it is over already.
  func markEnded(_ ending: SessionEnding) -> Bool {
    endingCode.compareExchange(
      expected: 0, desired: ending.rawValue, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// The record with what is known now.
  var record: SessionRecord {
    var record = base
    record.usage = usage.read().usage
    record.lastUsedAt = lastUsedAt.load(ordering: .relaxed)
    if let ending {
      record.state = ending.isByLimit ? .ended : .closed
      record.reason = ending.reason
    }
    return record
  }
}

/// Measured against predicted time of a session's steps, by what they give.
struct StepTiming {
  private static let kinds = 16
  private var ratios = (
    1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0
  )
  private var lastOrder = StepOrder(sequence: 0, rows: 0)
  private var lastPrediction = 0.0

  /// Seconds that the step is expected to take on one thread.
  mutating func predict(_ order: StepOrder, _ evaluator: any StepEvaluator) -> Double {
    var kind = order
    kind.sequence = 0
    if kind != lastOrder {
      lastOrder = kind
      lastPrediction = evaluator.predictedSeconds(order)
    }
    return lastPrediction * ratio(order)
  }

  /// A running mean over about eight steps; one that was held up counts as four times the mean.
  mutating func measured(_ order: StepOrder, seconds: Double) {
    guard lastPrediction > 0 else { return }
    let now = ratio(order)
    let sample = min(max(seconds / lastPrediction, now / 4), now * 4)
    let offset = 8 * kind(order)
    withUnsafeMutableBytes(of: &ratios) { bytes in
      bytes.storeBytes(of: now + (sample - now) / 8, toByteOffset: offset, as: Double.self)
    }
  }

  private func ratio(_ order: StepOrder) -> Double {
    withUnsafeBytes(of: ratios) { $0.load(fromByteOffset: 8 * kind(order), as: Double.self) }
  }

  private func kind(_ order: StepOrder) -> Int { Int(order.outputs.rawValue) % Self.kinds }
}
