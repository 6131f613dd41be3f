package import QubusCore
package import QubusJobs
internal import Synchronization

/// The book of quotas of a running service: asked wherever work is taken in, and told whatever is
/// used. One lock, held for a look-up and some additions; rates cost an atomic load while nobody
/// has any.
package final class QuotaKeeper: Sendable {
  fileprivate struct Work: Sendable {
    var principal: Principal
    var memoryBytes: UInt64
  }
  fileprivate struct Waiting: Sendable {
    var principal: Principal
    var deviceFamily: String?
  }
  fileprivate struct State: Sendable {
    var book: QuotaBook
    /// Accepted and not begun.
    var queued: [Identifier: Waiting] = [:]
    var running: [Identifier: Work] = [:]
    var watchers: [@Sendable ([QuotaRecord]) -> Void] = []
  }
  private let state: Lock<State>
  private let clock: ForwardClock
  private let hasRequestRates = Atomic<Bool>(false)
  private let hasStreamRates = Atomic<Bool>(false)

  /// - Parameters:
  ///   - records: limits that are set.
  ///   - use: what the present day brought so far.
  package init(
    _ records: [QuotaRecord] = [], use: [DayUse] = [], clock: any Clock = SystemClock()
  ) {
    self.clock = ForwardClock(clock)
    let monotonic = clock.monotonic()
    var book = QuotaBook(now: self.clock.now())
    for record in records {
      book.set(record.quota, of: record.scope, to: record.limit, monotonic: monotonic)
    }
    for use in use { book.restore(use, monotonic: monotonic) }
    hasRequestRates.store(book.hasLimit(.requestsPerSecond), ordering: .relaxed)
    hasStreamRates.store(book.hasLimit(.streamBytesPerSecond), ordering: .relaxed)
    state = Lock(State(book: book))
  }

  private var time: QuotaTime {
    QuotaTime(now: clock.now(), monotonic: clock.monotonic())
  }

  // MARK: Limits

  /// Takes over limits that are durable.
  package func apply(_ changes: [TenancyChange]) {
    var isChanged = false
    let monotonic = clock.monotonic()
    state.withLock { state in
      for case .setQuota(let scope, let quota, let limit) in changes {
        state.book.set(quota, of: scope, to: limit, monotonic: monotonic)
        isChanged = true
      }
      hasRequestRates.store(state.book.hasLimit(.requestsPerSecond), ordering: .releasing)
      hasStreamRates.store(state.book.hasLimit(.streamBytesPerSecond), ordering: .releasing)
    }
    guard isChanged else { return }
    let (watchers, limits) = state.withLock { ($0.watchers, $0.book.limits) }
    for watcher in watchers { watcher(limits) }
  }

  /// Tells the limits now and whenever they change.
  package func watch(_ watcher: @escaping @Sendable ([QuotaRecord]) -> Void) {
    let limits = state.withLock { state in
      state.watchers.append(watcher)
      return state.book.limits
    }
    watcher(limits)
  }

  package var limits: [QuotaRecord] { state.withLock { $0.book.limits } }

  package func status(of scope: QuotaScope) -> [QuotaStatus] {
    state.withLock { $0.book.status(of: scope, time) }
  }

  /// Of each scope all, then what is bounded there by families of devices.
  package func statuses(of scopes: [QuotaScope]) -> [QuotaStatus] {
    let limits = limits
    return scopes.flatMap { scope in
      status(of: scope)
        + limits.filter { $0.scope.deviceFamily != nil && $0.scope.on(nil) == scope }
        .map { status(of: $0.scope, $0.quota) }
    }
  }

  package func status(of scope: QuotaScope, _ quota: Quota) -> QuotaStatus {
    state.withLock { $0.book.status(of: scope, quota, time) }
  }

  // MARK: Jobs

  /// Counts a job that is about to be accepted.
  /// - Throws: `quota_exceeded`.
  package func admit(
    _ id: Identifier, _ demand: JobDemand, of principal: Principal
  ) throws(QubusError) -> QuotaTicket {
    try state.withLock { (state) throws(QubusError) in
      let day = try state.book.admit(demand, of: principal, time)
      state.queued[id] = Waiting(principal: principal, deviceFamily: demand.deviceFamily)
      return QuotaTicket(
        keeper: self, job: id, principal: principal, demand: demand, day: day)
    }
  }

  /// A job that was accepted in an earlier life of the service waits again.
  package func restore(
    _ id: Identifier, of principal: Principal, on deviceFamily: String? = nil
  ) {
    state.withLock { state in
      let waiting = Waiting(principal: principal, deviceFamily: deviceFamily)
      guard state.queued.updateValue(waiting, forKey: id) == nil else { return }
      state.book.restoreQueued(principal, on: deviceFamily, monotonic: clock.monotonic())
    }
  }

  fileprivate func giveBack(_ ticket: QuotaTicket) {
    state.withLock { state in
      state.leaveQueue(ticket.job, clock.monotonic())
      state.book.giveBack(
        shots: ticket.demand.shots, of: ticket.principal, on: ticket.demand.deviceFamily,
        day: ticket.day, time)
    }
  }

  /// A waiting job is to run on a device of another family, where it counts from now on.
  /// - Returns: nil when nothing changes.
  /// - Throws: `quota_exceeded`; it counts where it did.
  package func move(
    _ id: Identifier, _ demand: JobDemand, of principal: Principal, acceptedAt: Microseconds
  ) throws(QubusError) -> QuotaMove? {
    try state.withLock { (state) throws(QubusError) -> QuotaMove? in
      guard let waiting = state.queued[id], waiting.deviceFamily != demand.deviceFamily else {
        return nil
      }
      let monotonic = clock.monotonic()
      var book = state.book
      book.leaveQueue(principal, on: waiting.deviceFamily, monotonic: monotonic)
      book.giveBack(
        shots: demand.shots, of: principal, on: waiting.deviceFamily,
        day: QuotaBook.day(of: acceptedAt), time)
      _ = try book.admit(demand, of: principal, time)
      state.book = book
      state.queued[id] = Waiting(principal: principal, deviceFamily: demand.deviceFamily)
      var old = demand
      old.deviceFamily = waiting.deviceFamily
      return QuotaMove(keeper: self, job: id, principal: principal, old: old, new: demand)
    }
  }

  fileprivate func takeBack(_ move: QuotaMove) {
    state.withLock { state in
      let monotonic = clock.monotonic()
      guard state.queued.removeValue(forKey: move.job) != nil else { return }
      state.book.leaveQueue(move.principal, on: move.new.deviceFamily, monotonic: monotonic)
      state.book.giveBack(
        shots: move.new.shots, of: move.principal, on: move.new.deviceFamily,
        day: QuotaBook.day(of: clock.now()), time)
      state.queued[move.job] = Waiting(
        principal: move.principal, deviceFamily: move.old.deviceFamily)
      state.book.restoreQueued(move.principal, on: move.old.deviceFamily, monotonic: monotonic)
      state.book.charge(
        shots: move.old.shots, deviceNanoseconds: 0, to: move.principal,
        on: move.old.deviceFamily, time)
    }
  }

  package func began(_ id: Identifier, of principal: Principal, memoryBytes: UInt64) {
    let monotonic = clock.monotonic()
    state.withLock { state in
      state.leaveQueue(id, monotonic)
      let work = Work(principal: principal, memoryBytes: memoryBytes)
      guard state.running.updateValue(work, forKey: id) == nil else { return }
      state.book.begin(principal, memoryBytes: memoryBytes, monotonic: monotonic)
    }
  }

  /// It runs no more.
  package func ended(_ id: Identifier) {
    state.withLock { state in
      guard let work = state.running.removeValue(forKey: id) else { return }
      state.book.end(
        work.principal, memoryBytes: work.memoryBytes, monotonic: clock.monotonic())
    }
  }

  /// Its end is durable.
  package func finished(
    _ id: Identifier, of principal: Principal, on deviceFamily: String? = nil,
    deviceMicroseconds: Microseconds
  ) {
    state.withLock { state in
      state.leaveQueue(id, clock.monotonic())
      guard deviceMicroseconds > 0 else { return }
      let (time, overflows) = UInt64(deviceMicroseconds).multipliedReportingOverflow(by: 1000)
      state.book.charge(
        deviceNanoseconds: overflows ? .max : time, to: principal, on: deviceFamily, self.time)
    }
  }

  // MARK: Sessions

  /// Counts a session that is about to be opened.
  /// - Throws: `quota_exceeded`.
  package func openSession(of principal: Principal) throws(QubusError) {
    try state.withLock { (state) throws(QubusError) in
      try state.book.openSession(of: principal, time)
    }
  }

  package func restoreSession(of principal: Principal) {
    state.withLock { $0.book.restoreSession(principal, monotonic: clock.monotonic()) }
  }

  package func closeSession(of principal: Principal) {
    state.withLock { $0.book.closeSession(principal, monotonic: clock.monotonic()) }
  }

  /// - Throws: `quota_exceeded` for memory that nobody of the principal's may take at once.
  package func checkMemory(_ bytes: UInt64, of principal: Principal) throws(QubusError) {
    try state.withLock { (state) throws(QubusError) in
      try state.book.checkMemory(bytes, of: principal, monotonic: clock.monotonic())
    }
  }

  /// - Throws: `quota_exceeded` when no device time of the day is left, or fewer shots.
  package func checkDay(
    of principal: Principal, on deviceFamily: String? = nil, shots: UInt64
  ) throws(QubusError) {
    try state.withLock { (state) throws(QubusError) in
      try state.book.checkDay(of: principal, on: deviceFamily, shots: shots, time)
    }
  }

  /// Counts what steps used.
  package func charge(
    shots: UInt64, deviceNanoseconds: UInt64, to principal: Principal,
    on deviceFamily: String? = nil
  ) {
    state.withLock {
      $0.book.charge(
        shots: shots, deviceNanoseconds: deviceNanoseconds, to: principal, on: deviceFamily, time)
    }
  }

  // MARK: Rates

  /// Counts a call or a step.
  /// - Throws: `rate_limited`.
  @inline(__always)
  package func request(of principal: Principal) throws(QubusError) {
    guard hasRequestRates.load(ordering: .relaxed) else { return }
    try countRequest(principal)
  }

  @inline(never)
  private func countRequest(_ principal: Principal) throws(QubusError) {
    try state.withLock { (state) throws(QubusError) in
      try state.book.request(of: principal, monotonic: clock.monotonic())
    }
  }

  /// Counts bytes that a stream sent.
  package func streamed(_ bytes: Int, to principal: Principal) {
    guard hasStreamRates.load(ordering: .relaxed) else { return }
    state.withLock { $0.book.streamed(bytes, to: principal, monotonic: clock.monotonic()) }
  }

  /// Microseconds that a stream has to wait before it goes on; `.max`: as long as its limit is 0.
  package func streamWait(of principal: Principal) -> Microseconds {
    guard hasStreamRates.load(ordering: .relaxed) else { return 0 }
    return state.withLock { $0.book.streamWait(of: principal, monotonic: clock.monotonic()) }
  }
}

/// A job that counts on another family of devices than before.
package struct QuotaMove: Sendable {
  fileprivate let keeper: QuotaKeeper
  fileprivate let job: Identifier
  fileprivate let principal: Principal
  fileprivate let old: JobDemand
  fileprivate let new: JobDemand

  /// It was not changed after all.
  package func takeBack() { keeper.takeBack(self) }
}

/// What a job took when it was admitted.
package struct QuotaTicket: Sendable {
  fileprivate let keeper: QuotaKeeper
  fileprivate let job: Identifier
  fileprivate let principal: Principal
  fileprivate let demand: JobDemand
  fileprivate let day: Int64

  /// The job was refused, or was there before.
  package func giveBack() { keeper.giveBack(self) }
}

extension QuotaKeeper.State {
  fileprivate mutating func leaveQueue(_ id: Identifier, _ monotonic: Microseconds) {
    guard let waiting = queued.removeValue(forKey: id) else { return }
    book.leaveQueue(waiting.principal, on: waiting.deviceFamily, monotonic: monotonic)
  }
}
