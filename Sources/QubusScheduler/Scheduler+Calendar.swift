internal import QubusCore

/// What the calendar of a job's device makes of its turn.
extension Scheduler {
  /// Jobs of a holder that are told of one window.
  private static let tellings = 256
  /// Jobs that one call takes out of the order or puts back, so that a border holds up nobody for
  /// long; the next call goes on.
  static let movesPerCall = 1024

  mutating func setCalendar(_ windows: [CalendarWindow], now: Microseconds) {
    let change = calendar.set(windows)
    for window in change.closed { changeLanes(window) }
    for job in setAside.takeAll(of: change.devices) { insert(job) }
  }

  /// Carries the calendar on to `now`.
  mutating func passBorders(_ now: Microseconds, _ decisions: inout [SchedulerDecision]) {
    for border in calendar.advance(to: now) {
      switch border {
      case .near(let window):
        decisions += holdersJobs(window).map { .announce($0, window) }
      case .opened(let window), .closed(let window): changeLanes(window)
      }
    }
    var moves = 0
    while moves < Self.movesPerCall, let job = setAside.popDue(calendar.now) {
      insert(job)
      moves += 1
    }
  }

  /// Puts a job into the order, in the lane that the calendar gives it now.
  mutating func insert(_ job: SchedulerJob) { policy.insert(laned(job)) }

  /// The job as it stands in the order now.
  func laned(_ job: SchedulerJob) -> SchedulerJob {
    if calendar.isEmpty, !job.isReserved { return job }
    var job = job
    job.isReserved = calendar.openReservation(of: job.device)?.isHeld(by: job) ?? false
    return job
  }

  /// Whether a job gives way to those of the open window's holder on its device.
  func isBehindHolder(_ job: SchedulerJob) -> Bool {
    guard !calendar.isEmpty, policy.reservedCount(on: job.device) > 0 else { return false }
    return calendar.openReservation(of: job.device)?.isHeld(by: job) == false
  }

  /// A job to be started instead of the one whose turn it is: that turn is the holder's as long as
  /// the holder has jobs waiting for the same device.
  func first(insteadOf job: SchedulerJob, _ slot: SlotClass) -> SchedulerJob {
    isBehindHolder(job) ? policy.nextReserved(for: slot) ?? job : job
  }

  /// Takes a job whose turn it is out of the order when the calendar does not let it start.
  mutating func putAside(
    _ job: SchedulerJob, now: Microseconds, _ decisions: inout [SchedulerDecision]
  ) -> Bool {
    guard !calendar.isEmpty, let delay = calendar.delay(of: job, at: now) else { return false }
    _ = policy.remove(job.id) ?? parked.remove(job.id)
    setAside.add(job, until: delay.until, now: calendar.now)
    decisions.append(.postpone(job.id, delay))
    return true
  }

  /// A window began or ended: the waiting jobs of its holder change lanes.
  /// - Complexity: the holder's waiting jobs, besides the overdue ones of all.
  private mutating func changeLanes(_ window: CalendarWindow) {
    guard let holder = window.holder else { return }
    for id in policy.waiting(of: holder) {
      guard let job = policy.waiting(id), job.device == window.device,
        laned(job).isReserved != job.isReserved, let job = policy.remove(id)
      else { continue }
      insert(job)
    }
  }

  /// Running and waiting jobs of a window's holder on its device, oldest first; the first of many.
  private func holdersJobs(_ window: CalendarWindow) -> [Identifier] {
    guard let holder = window.holder else { return [] }
    var jobs = policy.waiting(of: holder).compactMap { policy.waiting($0) }
    jobs += running.values.map(\.job)
    jobs += setAside.all
    jobs += parked.all
    jobs += withheld.all
    jobs += offline.all
    let ids = jobs.filter { $0.device == window.device && window.isHeld(by: $0) }.map(\.id)
    return Array(ids.sorted().prefix(Self.tellings))
  }

  // MARK: - Why

  /// What the calendar has against a waiting job's start.
  func calendarConstraint(on job: SchedulerJob, now: Microseconds) -> WaitConstraint? {
    let since = setAside.since(job.id) ?? job.id.madeAt ?? now
    if let delay = calendar.delay(of: job, at: now) {
      return WaitConstraint(delay, since: since, now: max(now, calendar.now), job)
    }
    guard isBehindHolder(job), let window = calendar.openReservation(of: job.device) else {
      return nil
    }
    return WaitConstraint(
      kind: .reserved, since: max(since, window.startsAt),
      detail: "the device is reserved until \(TimeText.rfc3339(window.endsAt)), and jobs of the "
        + "reservation, which go first, wait for it",
      remedy: "the start of these jobs, or the end of the reservation",
      delay: window.endsAt - max(now, calendar.now))
  }
}

extension WaitConstraint {
  fileprivate init(
    _ delay: CalendarDelay, since: Microseconds, now: Microseconds, _ job: SchedulerJob
  ) {
    let window = delay.window
    let span = "\(TimeText.rfc3339(window.startsAt)) to \(TimeText.rfc3339(window.endsAt))"
    let taken: String
    switch window.kind {
    case .reserved: taken = "the device is reserved for others from \(span)"
    case .maintenance: taken = "the device is in maintenance from \(span)"
    case .calibration: taken = "the device is calibrated from \(span)"
    }
    let seconds = (Double(job.longMicroseconds) * 1e-5).rounded() / 10
    let reach = "; a run of it, up to \(seconds) s long, would not end before"
    self.init(
      kind: Kind(window.kind), since: since, detail: taken + (window.startsAt > now ? reach : ""),
      remedy: "a gap that is long enough, the next begins at \(TimeText.rfc3339(delay.until)); or "
        + "the end of the window by whoever made it",
      delay: delay.until - now)
  }
}

extension WaitConstraint.Kind {
  fileprivate init(_ kind: CalendarWindow.Kind) {
    switch kind {
    case .reserved: self = .reserved
    case .maintenance: self = .maintenance
    case .calibration: self = .calibration
    }
  }
}
