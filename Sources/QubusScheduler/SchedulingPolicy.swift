package import QubusCore

/// A waiting job's place.
package struct QueuePosition: Sendable, Hashable {
  /// 1 is next in its lane.
  package var inLane: UInt64
  /// 1 is next of all, as far as the policy can say today.
  package var overall: UInt64
  /// Predicted run time of the jobs ahead.
  package var microsecondsAhead: Microseconds
}

/// Who is next. The scheduler owns slots, memory and time; a policy owns the order alone, so that
/// another order replaces this one without a change anywhere else.
///
/// Deterministic: the same calls in the same order give the same answers.
package protocol SchedulingPolicy: Sendable {
  /// Time goes on; told before anything else that happens at that time. An earlier one than before
  /// changes nothing.
  mutating func advance(to now: Microseconds)
  mutating func insert(_ job: SchedulerJob)
  /// Takes a waiting job out; nil when it does not wait here.
  mutating func remove(_ id: Identifier) -> SchedulerJob?
  /// The job whose turn it is for slots of this class. It keeps its turn until it starts or leaves,
  /// so that a large job collects the slots that fall free.
  func next(for slot: SlotClass) -> SchedulerJob?
  /// Tells that a job was started; it is no longer waiting.
  mutating func started(_ job: SchedulerJob, in slot: SlotClass)
  /// Tells that a job that was started left its slot.
  mutating func finished(_ id: Identifier)
  func waiting(_ id: Identifier) -> SchedulerJob?
  func position(of id: Identifier) -> QueuePosition?
  func count(in lane: Lane) -> Int
  /// Places of waiting jobs, taken or not: what a copy of the policy costs.
  var size: Int { get }
  /// Why it is not a waiting job's turn; of others only sums are told.
  func constraints(on id: Identifier) -> [WaitConstraint]
  /// Weights of accounts from now on, each above 0 and finite; all others have 1.
  mutating func setWeights(_ weights: [AccountPath: Double])
  /// Device-seconds that principals used, worth what their age left of them; what another life of
  /// the service is to know.
  var use: [AccountPath: Double] { get }
  /// Takes over the use of an earlier life, already aged.
  mutating func restore(_ use: [AccountPath: Double])
  /// What it decides by; nil for an order without lanes and shares.
  var rules: FairPolicy? { get }
  /// What an account counts now; nil for an order without accounts.
  func standing(of account: AccountPath) -> AccountStanding?
  /// Waiting jobs of an account, in order of their ids.
  func waiting(of account: AccountPath) -> [Identifier]
  /// Waiting jobs in the lane of reservations that are for one device.
  func reservedCount(on device: UInt16) -> Int
  /// The job of that lane whose turn it is there, if slots of this class take it.
  func nextReserved(for slot: SlotClass) -> SchedulerJob?
}

/// For orders that look neither at time nor at use, and know no reservations.
extension SchedulingPolicy {
  package mutating func advance(to now: Microseconds) {}
  package var size: Int { Lane.allCases.reduce(0) { $0 + count(in: $1) } }
  package mutating func finished(_ id: Identifier) {}
  package func constraints(on id: Identifier) -> [WaitConstraint] { [] }
  package mutating func setWeights(_ weights: [AccountPath: Double]) {}
  package var use: [AccountPath: Double] { [:] }
  package mutating func restore(_ use: [AccountPath: Double]) {}
  package var rules: FairPolicy? { nil }
  package func standing(of account: AccountPath) -> AccountStanding? { nil }
  package func waiting(of account: AccountPath) -> [Identifier] { [] }
  package func reservedCount(on device: UInt16) -> Int { 0 }
  package func nextReserved(for slot: SlotClass) -> SchedulerJob? { nil }
}
