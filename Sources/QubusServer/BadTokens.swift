internal import QubusCore
internal import QubusTenancy

/// Counts the bearer tokens that did not hold, by who presented them. Each costs a signature's
/// check, ten times what another call does: beyond a number in one second they are not looked at.
struct BadTokens {
  private var counts: [Credential: Int] = [:]
  private var secondEnds: Microseconds = 0

  /// In one second, of one credential.
  static let limit = 100

  mutating func add(_ credential: Credential, _ now: Microseconds) {
    if now >= secondEnds {
      counts.removeAll(keepingCapacity: true)
      secondEnds = now + 1_000_000
    }
    counts[credential, default: 0] += 1
  }

  /// - Throws: `rate_limited` for the rest of the second.
  func check(_ credential: Credential, _ now: Microseconds) throws(QubusError) {
    guard now < secondEnds, counts[credential, default: 0] >= Self.limit else { return }
    throw QubusError(
      .rateLimited, "\(Self.limit) tokens that are not good came within a second",
      retryAfterMilliseconds: UInt64((secondEnds - now + 999) / 1000))
  }
}
