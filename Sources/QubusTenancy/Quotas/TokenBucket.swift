package import QubusCore

/// A rate with bursts of one second, in whole numbers: what is missing of a full bucket, in
/// millionths of a unit. Time is the monotonic clock's; when it goes back nothing is refilled until
/// it has passed again where it was.
package struct TokenBucket: Sendable, Hashable {
  private var missing: Int64 = 0
  private var filledAt: Microseconds

  /// A full one.
  package init(now: Microseconds) { filledAt = now }

  private static let unit: Int64 = 1_000_000
  private static let largestDebt = Int64.max / 2

  /// Takes units, unless fewer are there.
  /// - Parameters:
  ///   - count: at most `rate`, or it never succeeds.
  ///   - rate: units a second, 0 to 10^12.
  /// - Returns: 0 when they were taken; else the microseconds after which they can be, which hold
  ///   when nobody takes any in between; nil: never.
  package mutating func take(_ count: Int64, rate: Int64, now: Microseconds) -> Microseconds? {
    guard count <= rate else { return nil }
    refill(rate, now)
    let lack = missing + (count - rate) * Self.unit
    guard lack > 0 else {
      missing += count * Self.unit
      return 0
    }
    return wait(lack, rate, now)
  }

  /// Units that were taken and are not needed.
  package mutating func giveBack(_ count: Int64, rate: Int64, now: Microseconds) {
    refill(rate, now)
    missing = max(0, missing - count * Self.unit)
  }

  /// Takes units that cannot be refused: the bucket may come to owe some.
  package mutating func owe(_ count: Int64, rate: Int64, now: Microseconds) {
    refill(rate, now)
    let (amount, overflows) = count.multipliedReportingOverflow(by: Self.unit)
    missing = min(Self.largestDebt, missing + min(Self.largestDebt, overflows ? .max : amount))
  }

  /// Microseconds until it owes nothing; nil: never.
  package mutating func debtWait(rate: Int64, now: Microseconds) -> Microseconds? {
    guard rate > 0 else { return nil }
    refill(rate, now)
    let lack = missing - rate * Self.unit
    return lack <= 0 ? 0 : wait(lack, rate, now)
  }

  /// Units taken and not refilled yet.
  package mutating func used(rate: Int64, now: Microseconds) -> Int64 {
    refill(rate, now)
    return (missing + Self.unit - 1) / Self.unit
  }

  /// A clock that went back has first to come where it was.
  private func wait(_ lack: Int64, _ rate: Int64, _ now: Microseconds) -> Microseconds {
    (lack - 1) / rate + 1 + max(0, filledAt - now)
  }

  private mutating func refill(_ rate: Int64, _ now: Microseconds) {
    guard now > filledAt else { return }
    let (amount, overflows) = (now - filledAt).multipliedReportingOverflow(by: rate)
    missing = overflows ? 0 : max(0, missing - amount)
    filledAt = now
  }
}
