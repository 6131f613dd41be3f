internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Where the calendars of devices meet jobs.
extension Engine {
  /// Tells the scheduler all windows now and whenever administration changes one.
  func watchCalendar() {
    reservations.watch { [weak self] reservations in
      guard let self else { return }
      // A device that is installed no more has no jobs to keep.
      let windows = reservations.compactMap { reservation in
        self.deviceNumbers[reservation.device].map { CalendarWindow(reservation, device: $0) }
      }
      scheduler.post(.scheduled(windows))
    }
  }

  /// A job whose turn it was waits, as its run would reach into a window that is closed to it.
  func postpone(_ id: Identifier, _ delay: CalendarDelay) {
    // One that is not in memory is told of when somebody looks: its reason is news, not state.
    guard let job = table.job(id) else { return }
    let record = job.withLock { state in
      state.phase == .queued && state.withheld.isEmpty ? state.record : nil
    }
    guard let record else { return }
    let text =
      "\(record.device) \(delay.window.text); the job has its turn again at "
      + TimeText.rfc3339(delay.until)
    var update = JobUpdate(
      jobID: id, attempt: record.attempt,
      events: [event(.queueMoved, delay.window, record, details: text)])
    update.events[0].body.details["until"] = String(delay.until)
    update.reason = delay.window.kind.rawValue
    write(update, job)
  }

  /// A job whose owner's window begins soon, whether it waits or runs.
  func announce(_ window: CalendarWindow, to id: Identifier) {
    guard let job = table.job(id) else { return }
    let record = job.withLock { state in
      state.phase == .queued || state.phase == .running ? state.record : nil
    }
    guard let record else { return }
    let who = window.isShared ? "this job and others of its owner first" : "its owner's jobs alone"
    let text = "\(record.device) \(window.text): for \(who)"
    write(
      JobUpdate(
        jobID: id, attempt: record.attempt,
        events: [event(.notice, window, record, details: text)]), job)
  }

  private func event(
    _ kind: JobEventKind, _ window: CalendarWindow, _ record: JobRecord, details text: String
  ) -> NewEvent {
    var body = JobEventBody()
    body.details = [
      "message": text, "starts_at": String(window.startsAt), "ends_at": String(window.endsAt),
    ]
    return NewEvent(
      time: clock.now(), kind: kind, status: record.status, reason: window.kind.rawValue,
      attempt: record.attempt, body: body)
  }
}

extension CalendarWindow {
  fileprivate init(_ reservation: Reservation, device: UInt16) {
    let kind: Kind =
      switch reservation.kind {
      case .reservation: .reserved
      case .maintenance: .maintenance
      case .calibration: .calibration
      }
    self.init(
      id: reservation.id, device: device, kind: kind, startsAt: reservation.startsAt,
      endsAt: reservation.endsAt, isShared: reservation.isShared,
      holder: reservation.holder.map { AccountPath($0) })
  }

  /// `is reserved from … to …`.
  fileprivate var text: String {
    let state =
      switch kind {
      case .reserved: "is reserved"
      case .maintenance: "is in maintenance"
      case .calibration: "is calibrated"
      }
    return "\(state) from \(TimeText.rfc3339(startsAt)) to \(TimeText.rfc3339(endsAt))"
  }
}
