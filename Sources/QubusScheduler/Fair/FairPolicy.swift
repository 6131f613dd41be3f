package import QubusCore

/// The rules of the fair queue, all in one value that every user may see.
/// - Source: docs/scheduling.md, where the bounds that follow from them stand.
package struct FairPolicy: Sendable, Hashable {
  /// Bandwidth of a lane relative to the others; what a lane does not use goes to those that wait.
  package var laneShares: [Lane: Double] = [
    .reserved: 0.2, .overdue: 0.1, .interactive: 0.2, .batch: 0.4, .long: 0.1,
  ]
  /// Weights of tenants, projects in their tenant and principals in their project; others have 1.
  package var weights: [AccountPath: Double] = [:]
  /// Age at which used time counts half; nil: the past does not count.
  package var usageHalfLife: Microseconds? = 7 * 86_400_000_000
  /// What the past may multiply a weight by, 1 ÷ this to this.
  package var usageFactor: Double = 4
  /// Time on the device that is lost when one job makes room for another; measured.
  package var switchCost: Microseconds = 5_000
  /// First slice of a job; every further one is twice as long.
  package var firstSlice: [Lane: Microseconds] = [.interactive: 100_000]
  package var defaultFirstSlice: Microseconds = 1_000_000
  package var longestSlice: Microseconds = 60_000_000
  /// Inside a principal a job is due `stretch` times its expected time after its submit, and the
  /// earliest due goes first: 0 is first come first served, large is shortest first.
  package var stretch: Double = 1000
  /// No job is due later than this after its submit: longer ones take their turn as they come, so
  /// that none of them waits for all that is shorter.
  package var longestDue: Microseconds = .max
  /// Wait after which a job goes to the overdue lane.
  package var overdueAfter: [Lane: Microseconds] = [
    .reserved: 60_000_000, .interactive: 60_000_000, .batch: 86_400_000_000,
    .long: 7 * 86_400_000_000,
  ]
  /// A job is overdue earlier if it waited this many times its expected time, which counts as
  /// `shortest` at least; nil: only the lane decides.
  package var overdueStretch: Double? = 150
  /// Run time below which a shorter one is no reason to be served sooner.
  package var shortest: Microseconds = 10_000_000
  /// Trees and jobs looked at behind a head that does not fit, at most.
  package var backfillLooks = 64

  /// Slices are at least this many times as long as a switch, so that switching costs under 5 %.
  package static let slicePerSwitch: Microseconds = 20

  package init() {}

  /// - Throws: `invalid_configuration` naming the field and its limit.
  package func validate() throws(QubusError) {
    for lane in Lane.allCases {
      try Self.check(laneShares[lane] ?? 0, "lane_shares.\(lane.rawValue)")
    }
    for path in weights.keys.sorted(by: { $0.description < $1.description }) {
      try Self.checkWeight(weights[path] ?? 0, of: path)
    }
    try Self.check(Double(usageHalfLife ?? 1), "usage_half_life")
    try Self.check(Double(defaultFirstSlice), "first_slice")
    for (lane, slice) in firstSlice.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      try Self.check(Double(slice), "first_slice.\(lane.rawValue)")
    }
    try Self.check(Double(longestSlice), "longest_slice")
    for (lane, wait) in overdueAfter.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      try Self.check(Double(wait), "overdue_after.\(lane.rawValue)")
    }
    try Self.check(usageFactor, "usage_factor", atLeast: 1)
    try Self.check(Double(switchCost), "switch_cost", atLeast: 0)
    try Self.check(stretch, "stretch", atLeast: 0)
    try Self.check(Double(longestDue), "longest_due", atLeast: 0)
    try Self.check(overdueStretch ?? 1, "overdue_stretch")
    try Self.check(Double(shortest), "shortest", atLeast: 0)
    try Self.check(Double(backfillLooks), "backfill_looks", atLeast: 0)
  }

  /// - Throws: `invalid_configuration` when a weight is not a positive, finite number.
  static func checkWeight(_ weight: Double, of path: AccountPath) throws(QubusError) {
    try check(weight, "weights.\(path)")
  }

  private static func check(
    _ value: Double, _ field: String, atLeast minimum: Double? = nil
  ) throws(QubusError) {
    let holds = minimum.map { value >= $0 } ?? (value > 0)
    if holds && value.isFinite { return }
    let limit = minimum.map { "at least \($0)" } ?? "above 0"
    throw QubusError(
      .invalidConfiguration, "\(field) is \(value); it must be \(limit) and finite",
      violations: [FieldViolation(field: field, explanation: "is \(value)", limit: limit)])
  }

  /// Longest time that a job runs before others are asked again.
  /// - Parameter slices: how many it has had.
  package func slice(_ slices: Int, in lane: Lane) -> Microseconds {
    let first = max(firstSlice[lane] ?? defaultFirstSlice, leastSlice)
    let longest = max(longestSlice, leastSlice)
    let doubled = first.multipliedReportingOverflow(by: 1 << Microseconds(min(slices, 32)))
    return doubled.overflow ? longest : min(longest, doubled.partialValue)
  }

  /// Wait after which a job of this lane is overdue; nil: never.
  /// - Parameter expected: its run time, 0 when nothing is known.
  package func patience(_ expected: Microseconds, in lane: Lane) -> Microseconds? {
    guard lane != .overdue else { return 0 }
    let byLane = overdueAfter[lane]
    guard let overdueStretch, expected > 0 else { return byLane }
    let byLength = overdueStretch * Double(max(expected, shortest))
    return byLength < Double(byLane ?? .max) ? Microseconds(byLength) : byLane
  }

  package var leastSlice: Microseconds { Self.slicePerSwitch * switchCost }
}
