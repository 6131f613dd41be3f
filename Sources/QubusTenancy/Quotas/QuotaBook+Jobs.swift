package import QubusCore
package import QubusJobs

/// What a job is to take when it is accepted.
package struct JobDemand: Sendable, Hashable {
  package var shots: UInt64
  package var memoryBytes: UInt64
  /// Of the device that it is to run on.
  package var deviceFamily: String?

  package init(shots: UInt64, memoryBytes: UInt64, deviceFamily: String? = nil) {
    self.shots = shots
    self.memoryBytes = memoryBytes
    self.deviceFamily = deviceFamily
  }
}

/// Time as a book sees it.
package struct QuotaTime: Sendable, Hashable {
  /// Microseconds UTC.
  package var now: Microseconds
  package var monotonic: Microseconds

  package init(now: Microseconds, monotonic: Microseconds) {
    self.now = now
    self.monotonic = monotonic
  }
}

extension QuotaBook {
  /// Counts a job that is about to be accepted, in all of its places or in none.
  /// - Returns: the day its shots count for, for `giveBack`.
  /// - Throws: `quota_exceeded`, naming limit, use and, where time helps, when to come again.
  package mutating func admit(
    _ demand: JobDemand, of principal: Principal, _ time: QuotaTime
  ) throws(QubusError) -> Int64 {
    turn(time.now)
    let path = path(principal, on: demand.deviceFamily, time.monotonic)
    for place in path {
      try checkDay(place, shots: demand.shots, time.now)
      try checkMemory(place, demand.memoryBytes)
      try checkCount(place, .jobsQueued, counts[place].use.queued)
    }
    for place in path {
      change(place) {
        $0.use.queued += 1
        $0.use.add(shots: demand.shots, deviceNanoseconds: 0)
      }
    }
    return day
  }

  /// A job that was accepted before this life of the service waits again.
  package mutating func restoreQueued(
    _ principal: Principal, on deviceFamily: String? = nil, monotonic: Microseconds
  ) {
    for place in path(principal, on: deviceFamily, monotonic) {
      change(place) { $0.use.queued += 1 }
    }
  }

  /// The job was not accepted after all: its shots are free again, unless their day is over.
  package mutating func giveBack(
    shots: UInt64, of principal: Principal, on deviceFamily: String? = nil, day taken: Int64,
    _ time: QuotaTime
  ) {
    turn(time.now)
    guard taken == day else { return }
    for place in path(principal, on: deviceFamily, time.monotonic) {
      change(place) { $0.use.shots = max(0, $0.use.shots - Int64(clamping: shots)) }
    }
  }

  /// A job waits no more.
  package mutating func leaveQueue(
    _ principal: Principal, on deviceFamily: String? = nil, monotonic: Microseconds
  ) {
    for place in path(principal, on: deviceFamily, monotonic) {
      change(place) { $0.use.queued = max(0, $0.use.queued - 1) }
    }
  }

  package mutating func begin(
    _ principal: Principal, memoryBytes: UInt64, monotonic: Microseconds
  ) {
    for place in path(principal, monotonic) {
      change(place) {
        $0.use.running += 1
        $0.use.memoryBytes = $0.use.memoryBytes.addingClamped(Int64(clamping: memoryBytes))
      }
    }
  }

  package mutating func end(
    _ principal: Principal, memoryBytes: UInt64, monotonic: Microseconds
  ) {
    for place in path(principal, monotonic) {
      change(place) {
        $0.use.running = max(0, $0.use.running - 1)
        $0.use.memoryBytes = max(0, $0.use.memoryBytes - Int64(clamping: memoryBytes))
      }
    }
  }

  /// Counts what was used; never refused.
  package mutating func charge(
    shots: UInt64 = 0, deviceNanoseconds: UInt64, to principal: Principal,
    on deviceFamily: String? = nil, _ time: QuotaTime
  ) {
    turn(time.now)
    for place in path(principal, on: deviceFamily, time.monotonic) {
      change(place) { $0.use.add(shots: shots, deviceNanoseconds: deviceNanoseconds) }
    }
  }

  // MARK: Sessions

  /// Counts a session that is about to be opened.
  /// - Throws: `quota_exceeded`.
  package mutating func openSession(
    of principal: Principal, _ time: QuotaTime
  ) throws(QubusError) {
    turn(time.now)
    let path = path(principal, time.monotonic)
    for place in path {
      try checkDay(place, shots: 0, time.now)
      try checkCount(place, .sessions, counts[place].use.sessions)
    }
    for place in path { change(place) { $0.use.sessions += 1 } }
  }

  /// One of an earlier life of the service, which is never refused.
  package mutating func restoreSession(_ principal: Principal, monotonic: Microseconds) {
    for place in path(principal, monotonic) { change(place) { $0.use.sessions += 1 } }
  }

  package mutating func closeSession(_ principal: Principal, monotonic: Microseconds) {
    for place in path(principal, monotonic) {
      change(place) { $0.use.sessions = max(0, $0.use.sessions - 1) }
    }
  }

  /// What a session's plan takes by itself.
  /// - Throws: `quota_exceeded`.
  package mutating func checkMemory(
    _ bytes: UInt64, of principal: Principal, monotonic: Microseconds
  ) throws(QubusError) {
    for place in path(principal, monotonic) { try checkMemory(place, bytes) }
  }

  /// Whether device time of the day is left, and so many shots.
  /// - Throws: `quota_exceeded`, with the next midnight.
  package mutating func checkDay(
    of principal: Principal, on deviceFamily: String? = nil, shots: UInt64, _ time: QuotaTime
  ) throws(QubusError) {
    turn(time.now)
    for place in path(principal, on: deviceFamily, time.monotonic) {
      try checkDay(place, shots: shots, time.now)
    }
  }

  // MARK: Rules

  private func checkDay(
    _ place: Int, shots: UInt64, _ now: Microseconds
  ) throws(QubusError) {
    let count = counts[place]
    guard !count.limits.isEmpty else { return }
    let wait = max(0, resetsAt - now)
    if let limit = count.limits[.shotsPerDay] {
      let asked = Int64(clamping: shots)
      if count.use.shots.addingClamped(asked) > limit, asked > 0 {
        // More than a day has: no day is long enough.
        throw QuotaRefusal(
          scope: count.scope, quota: .shotsPerDay, limit: limit, used: count.use.shots,
          asked: asked, resetsAt: resetsAt, retryAfter: asked > limit ? nil : wait
        ).error
      }
    }
    if let limit = count.limits[.deviceSecondsPerDay],
      count.use.deviceNanoseconds >= limit * Self.secondNanoseconds
    {
      throw QuotaRefusal(
        scope: count.scope, quota: .deviceSecondsPerDay, limit: limit,
        used: count.use.deviceNanoseconds / Self.secondNanoseconds, resetsAt: resetsAt,
        retryAfter: limit == 0 ? nil : wait
      ).error
    }
  }

  private func checkMemory(_ place: Int, _ bytes: UInt64) throws(QubusError) {
    let count = counts[place]
    guard let limit = count.limits[.memoryBytes], bytes > UInt64(limit) else { return }
    throw QuotaRefusal(
      scope: count.scope, quota: .memoryBytes, limit: limit, used: count.use.memoryBytes,
      asked: Int64(clamping: bytes)
    ).error
  }

  /// How long others need nobody knows, so that no time is named.
  private func checkCount(_ place: Int, _ quota: Quota, _ used: Int64) throws(QubusError) {
    let count = counts[place]
    guard let limit = count.limits[quota], used >= limit else { return }
    throw QuotaRefusal(scope: count.scope, quota: quota, limit: limit, used: used).error
  }
}
