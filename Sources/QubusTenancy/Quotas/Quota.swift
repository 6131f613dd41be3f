package import QubusCore

/// What is bounded for a tenant, a project or a principal. Without a limit nothing is.
package enum Quota: String, Sendable, Hashable, CaseIterable {
  /// Accepted and not begun, those that wait for an approval among them.
  case jobsQueued = "jobs_queued"
  /// At one time; further jobs wait.
  case jobsRunning = "jobs_running"
  /// Of jobs accepted and steps answered in one UTC day.
  case shotsPerDay = "shots_per_day"
  /// Used by jobs that ended and steps answered in one UTC day.
  case deviceSecondsPerDay = "device_seconds_per_day"
  /// Open at one time.
  case sessions
  /// Of the jobs that run at one time; further jobs wait. Of a session by itself.
  case memoryBytes = "memory_bytes"
  /// Calls and steps, in any second as many as in one burst.
  case requestsPerSecond = "requests_per_second"
  /// Sent in streams: events, results in chunks, optimizations. Streams go slower.
  case streamBytesPerSecond = "stream_bytes_per_second"
  /// Of devices, from now on. Unlike the others, a tenant without a limit may reserve nothing.
  case reservedSeconds = "reserved_seconds"

  /// Begins anew at midnight UTC.
  package var isDaily: Bool {
    switch self {
    case .shotsPerDay, .deviceSecondsPerDay: true
    case .jobsQueued, .jobsRunning, .sessions, .memoryBytes, .requestsPerSecond,
      .streamBytesPerSecond, .reservedSeconds:
      false
    }
  }

  /// Whether it can be bounded for a family of devices: what is counted where a device is known.
  package var isOfFamilies: Bool {
    switch self {
    case .jobsQueued, .shotsPerDay, .deviceSecondsPerDay: true
    case .jobsRunning, .sessions, .memoryBytes, .requestsPerSecond, .streamBytesPerSecond,
      .reservedSeconds:
      false
    }
  }

  /// The largest limit: the arithmetic of seconds is in nanoseconds, that of rates in millionths.
  package var largestLimit: Int64 {
    switch self {
    case .deviceSecondsPerDay, .reservedSeconds: 1_000_000_000
    case .requestsPerSecond, .streamBytesPerSecond: 1_000_000_000_000
    case .jobsQueued, .jobsRunning, .shotsPerDay, .sessions, .memoryBytes: 1 << 53
    }
  }

  /// - Throws: `invalid_request`, naming the range, for a limit below 0 or too large.
  package func check(_ limit: Int64) throws(QubusError) {
    if let refusal = refusal(of: limit) { throw refusal }
  }

  /// Why the scope can have no limit of it; nil when it can.
  package func refusal(for scope: QuotaScope) -> QubusError? {
    guard scope.deviceFamily != nil, !isOfFamilies else { return nil }
    return .field(
      .invalidRequest, "device_family", "\(rawValue) is not counted by families of devices",
      limit: Self.allCases.filter(\.isOfFamilies).map(\.rawValue).joined(separator: ", "))
  }

  /// Why it is no limit; nil when it is one.
  func refusal(of limit: Int64) -> QubusError? {
    guard limit < 0 || limit > largestLimit else { return nil }
    return .field(
      .invalidRequest, "limit", "\(limit) is no limit of \(rawValue)", limit: "0 to \(largestLimit)"
    )
  }
}

/// The limits of one tenant, project or principal.
package struct QuotaLimits: Sendable, Hashable {
  /// By `place`; -1: none. Empty while there are none at all.
  private var values: [Int64] = []

  package init() {}

  package var isEmpty: Bool { values.isEmpty }

  package subscript(_ quota: Quota) -> Int64? {
    get {
      guard !values.isEmpty, values[quota.place] >= 0 else { return nil }
      return values[quota.place]
    }
    set {
      if values.isEmpty { values = Array(repeating: -1, count: Quota.allCases.count) }
      values[quota.place] = newValue ?? -1
      if values.allSatisfy({ $0 < 0 }) { values = [] }
    }
  }
}

extension Quota {
  fileprivate var place: Int {
    switch self {
    case .jobsQueued: 0
    case .jobsRunning: 1
    case .shotsPerDay: 2
    case .deviceSecondsPerDay: 3
    case .sessions: 4
    case .memoryBytes: 5
    case .requestsPerSecond: 6
    case .streamBytesPerSecond: 7
    case .reservedSeconds: 8
    }
  }
}
