package import QubusCore
internal import QubusJobs

/// Limits and what is used of them, counted for every principal, its project and its tenant. A pure
/// value in whole numbers: time is an argument, the same calls give the same answers.
///
/// Days are those of UTC and begin at midnight. A day that was begun is never left for an earlier
/// one, so that a clock that goes back refills nothing, and one that comes again to a midnight it
/// has passed neither. Every call finds a principal's three counts with one look-up.
package struct QuotaBook: Sendable {
  struct Use: Sendable, Hashable {
    var queued: Int64 = 0
    var running: Int64 = 0
    var memoryBytes: Int64 = 0
    var sessions: Int64 = 0
    /// Of `day`.
    var shots: Int64 = 0
    var deviceNanoseconds: Int64 = 0
  }

  struct QuotaPath: Hashable {
    var principal: Principal
    var deviceFamily: String?
  }

  struct Count: Sendable {
    let scope: QuotaScope
    var limits = QuotaLimits()
    var use = Use()
    var requests: TokenBucket
    var streamBytes: TokenBucket
  }

  private(set) var counts: [Count] = []
  private var places: [QuotaScope: Int] = [:]
  /// Places of a principal's counts: its own, its project's, its tenant's, each on the family's
  /// devices first. The narrowest first, so that a refusal names it.
  private var paths: [QuotaPath: [Int]] = [:]
  /// Days since 1970.
  package private(set) var day: Int64

  /// - Parameter now: microseconds UTC.
  package init(now: Microseconds) { day = Self.day(of: now) }

  static let dayMicroseconds: Microseconds = 86_400_000_000
  static let secondNanoseconds: Int64 = 1_000_000_000

  package static func day(of time: Microseconds) -> Int64 {
    let day = time / dayMicroseconds
    return time < day * dayMicroseconds ? day - 1 : day
  }

  /// Midnight that the present day ends with.
  package var resetsAt: Microseconds { (day + 1) * Self.dayMicroseconds }

  // MARK: Limits

  /// - Parameter limit: nil: none from now on. Rates begin with a full bucket.
  package mutating func set(
    _ quota: Quota, of scope: QuotaScope, to limit: Int64?, monotonic: Microseconds
  ) {
    let place = place(scope, monotonic)
    counts[place].limits[quota] = limit
    switch quota {
    case .requestsPerSecond: counts[place].requests = TokenBucket(now: monotonic)
    case .streamBytesPerSecond: counts[place].streamBytes = TokenBucket(now: monotonic)
    case .jobsQueued, .jobsRunning, .shotsPerDay, .deviceSecondsPerDay, .sessions, .memoryBytes,
      .reservedSeconds:
      break
    }
  }

  /// In order of scope and quota.
  package var limits: [QuotaRecord] {
    counts.flatMap { count in
      Quota.allCases.compactMap { quota in
        count.limits[quota].map { QuotaRecord(scope: count.scope, quota: quota, limit: $0) }
      }
    }.sorted { ($0.scope.text, $0.quota.rawValue) < ($1.scope.text, $1.quota.rawValue) }
  }

  // MARK: Days

  /// Begins a new day when it is time; never an earlier one.
  package mutating func turn(_ now: Microseconds) {
    let today = Self.day(of: now)
    guard today > day else { return }
    day = today
    for place in counts.indices {
      counts[place].use.shots = 0
      counts[place].use.deviceNanoseconds = 0
    }
  }

  /// What the present day brought before this life of the service.
  package mutating func restore(_ use: DayUse, monotonic: Microseconds) {
    for place in path(use.principal, on: use.deviceFamily, monotonic) {
      counts[place].use.add(shots: use.shots, deviceNanoseconds: use.deviceNanoseconds)
    }
  }

  // MARK: Places

  private mutating func place(_ scope: QuotaScope, _ monotonic: Microseconds) -> Int {
    if let place = places[scope] { return place }
    counts.append(
      Count(
        scope: scope, requests: TokenBucket(now: monotonic),
        streamBytes: TokenBucket(now: monotonic)))
    places[scope] = counts.count - 1
    return counts.count - 1
  }

  /// - Parameter deviceFamily: nil: for what is counted of all devices together.
  mutating func path(
    _ principal: Principal, on deviceFamily: String? = nil, _ monotonic: Microseconds
  ) -> [Int] {
    let key = QuotaPath(principal: principal, deviceFamily: deviceFamily)
    if let known = paths[key] { return known }
    var path: [Int] = []
    for scope in QuotaScope.all(of: principal).reversed() {
      if deviceFamily != nil { path.append(place(scope.on(deviceFamily), monotonic)) }
      path.append(place(scope, monotonic))
    }
    paths[key] = path
    return path
  }

  func knownPlace(_ scope: QuotaScope) -> Int? { places[scope] }

  mutating func change(_ place: Int, _ body: (inout Count) -> Void) { body(&counts[place]) }
}

extension QuotaBook.Use {
  /// Stops at the largest number instead of beginning anew.
  mutating func add(shots more: UInt64, deviceNanoseconds time: UInt64) {
    shots = shots.addingClamped(Int64(clamping: more))
    deviceNanoseconds = deviceNanoseconds.addingClamped(Int64(clamping: time))
  }
}

extension Int64 {
  func addingClamped(_ other: Int64) -> Int64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? .max : sum
  }
}
