internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What a quota does not allow, in words and figures.
struct QuotaRefusal {
  var scope: QuotaScope
  var quota: Quota
  var limit: Int64
  var used: Int64
  /// More than one unit, where several are asked for at once.
  var asked: Int64 = 1
  /// Microseconds UTC.
  var resetsAt: Microseconds?
  /// Microseconds; nil: no time is known after which it would be allowed.
  var retryAfter: Microseconds?

  var error: QubusError {
    var details = [
      "quota": quota.rawValue, "scope": scope.text, "limit": String(limit), "used": String(used),
    ]
    if asked != 1 { details["asked"] = String(asked) }
    if let resetsAt { details["resets_at"] = String(resetsAt) }
    let isRate = quota == .requestsPerSecond
    return QubusError(
      isRate ? .rateLimited : .quotaExceeded, message,
      // Rounded up: a retry after exactly this time is not too early.
      retryAfterMilliseconds: retryAfter.map { UInt64(max(0, ($0 + 999) / 1000)) },
      details: details)
  }

  private var message: String {
    let want = asked != 1 ? ", \(asked) more are asked for" : ""
    let reset = resetsAt.map { " It begins anew at \(Self.text($0))." } ?? ""
    return "\(quota.rawValue) of \(scope.text): \(used) in use (limit: \(limit))\(want)."
      + (quota.isDaily ? reset : "")
  }

  private static func text(_ time: Microseconds) -> String {
    var (seconds, parts) = (time_t(time / 1_000_000), tm())
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
