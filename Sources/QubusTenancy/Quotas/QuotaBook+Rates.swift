package import QubusCore
package import QubusJobs

extension QuotaBook {
  /// Counts a call.
  /// - Throws: `rate_limited`, with the time after which the next one is taken.
  package mutating func request(
    of principal: Principal, monotonic: Microseconds
  ) throws(QubusError) {
    let path = path(principal, monotonic)
    for (index, place) in path.enumerated() {
      guard let rate = counts[place].limits[.requestsPerSecond] else { continue }
      var wait: Microseconds? = 0
      change(place) { wait = $0.requests.take(1, rate: rate, now: monotonic) }
      if wait == 0 { continue }
      // What the narrower ones gave for it goes back: a call that is refused costs nothing.
      for taken in path[..<index] { change(taken) { $0.returnRequest(monotonic) } }
      var used: Int64 = 0
      change(place) { used = $0.requests.used(rate: rate, now: monotonic) }
      throw QuotaRefusal(
        scope: counts[place].scope, quota: .requestsPerSecond, limit: rate, used: used,
        retryAfter: wait
      ).error
    }
  }

  /// Counts bytes that a stream sent.
  package mutating func streamed(
    _ bytes: Int, to principal: Principal, monotonic: Microseconds
  ) {
    for place in path(principal, monotonic) {
      guard let rate = counts[place].limits[.streamBytesPerSecond] else { continue }
      change(place) { $0.streamBytes.owe(Int64(bytes), rate: rate, now: monotonic) }
    }
  }

  /// Microseconds that streams of the principal have to wait; `.max`: as long as the limit is 0.
  package mutating func streamWait(
    of principal: Principal, monotonic: Microseconds
  ) -> Microseconds {
    var longest: Microseconds = 0
    for place in path(principal, monotonic) {
      guard let rate = counts[place].limits[.streamBytesPerSecond] else { continue }
      change(place) {
        longest = max(longest, $0.streamBytes.debtWait(rate: rate, now: monotonic) ?? .max)
      }
    }
    return longest
  }

  package func hasLimit(_ quota: Quota) -> Bool { counts.contains { $0.limits[quota] != nil } }

  // MARK: What is used

  /// All quotas of a scope, limited or not.
  package mutating func status(of scope: QuotaScope, _ time: QuotaTime) -> [QuotaStatus] {
    turn(time.now)
    return Quota.allCases.map { status(of: scope, $0, time) }
  }

  package mutating func status(
    of scope: QuotaScope, _ quota: Quota, _ time: QuotaTime
  ) -> QuotaStatus {
    turn(time.now)
    var status = QuotaStatus(
      scope: scope, quota: quota, limit: nil, used: 0,
      resetsAt: quota.isDaily ? resetsAt : nil)
    guard let place = knownPlace(scope) else { return status }
    status.limit = counts[place].limits[quota]
    let rate = status.limit ?? 0
    change(place) { count in
      status.used =
        switch quota {
        case .jobsQueued: count.use.queued
        case .jobsRunning: count.use.running
        case .shotsPerDay: count.use.shots
        case .deviceSecondsPerDay: count.use.deviceNanoseconds / Self.secondNanoseconds
        case .sessions: count.use.sessions
        case .memoryBytes: count.use.memoryBytes
        case .requestsPerSecond: count.requests.used(rate: rate, now: time.monotonic)
        case .streamBytesPerSecond: count.streamBytes.used(rate: rate, now: time.monotonic)
        // Counted where the windows are (`ReservationBook`).
        case .reservedSeconds: 0
        }
    }
    return status
  }
}

extension QuotaBook.Count {
  fileprivate mutating func returnRequest(_ monotonic: Microseconds) {
    guard let rate = limits[.requestsPerSecond] else { return }
    requests.giveBack(1, rate: rate, now: monotonic)
  }
}
