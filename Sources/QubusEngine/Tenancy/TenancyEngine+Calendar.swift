package import QubusCore
internal import QubusJobs
package import QubusTenancy

/// What the calendar of devices needs.
package struct CalendarSurroundings: Sendable {
  package var book: ReservationBook
  /// Names of the devices that have a calendar.
  package var devices: [String]
  package var identifiers: IdentifierSource

  package init(book: ReservationBook, devices: [String], identifiers: IdentifierSource) {
    self.book = book
    self.devices = devices
    self.identifiers = identifiers
  }
}

/// Reservations, maintenance and calibration of devices.
extension TenancyEngine {
  private static let service = Resource(tenant: "", project: "")

  private func calendars() throws(QubusError) -> CalendarSurroundings {
    guard let calendar else {
      throw QubusError(.unknownMethod, "this service keeps no calendar")
    }
    return calendar
  }

  // MARK: Changes

  func planCalendar(
    _ order: CalendarOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    switch order {
    case .create(let order): try planCreation(order, context)
    case .extend(let id, let seconds): try planExtension(of: id, by: seconds, context)
    case .cancel(let id): try planCancellation(of: id, context)
    }
  }

  private func planCreation(
    _ order: ReservationOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let (calendar, now) = (try calendars(), directory.now())
    let holder = order.holder ?? (order.kind == .reservation ? Self.project(context) : nil)
    let reservation = Reservation(
      id: calendar.identifiers.next(), device: order.device, kind: order.kind,
      isShared: order.isShared, holder: holder, startsAt: order.startsAt ?? now,
      endsAt: try Self.end(
        of: order.startsAt ?? now, order.seconds, order.kind),
      createdBy: context.principal, createdAt: now)
    let (action, grant) = try check(reservation, context)
    try check(order.device, calendar, context)
    if let startsAt = order.startsAt { try Self.check(startsAt, now: now) }
    guard calendar.book.all(now: now).count < ReservationLimits.windows else {
      throw QubusError(
        .reservationConflict,
        "the calendars hold \(ReservationLimits.windows) windows "
          + "(limit: \(ReservationLimits.windows))")
    }
    if let holder {
      try checkQuota(reservation.endsAt - reservation.startsAt, for: holder, calendar, context)
    }
    return plan(.create(reservation), reservation, action, grant)
  }

  private func planExtension(
    of id: Identifier, by seconds: Double, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let calendar = try calendars()
    let (before, action, grant) = try known(id, calendar, context)
    let time = try ReservationLimits.microseconds(seconds, before.kind)
    if let holder = before.holder { try checkQuota(time, for: holder, calendar, context) }
    var after = before
    after.endsAt += time
    return plan(.extend(id, endsAt: after.endsAt), after, action, grant)
  }

  private func planCancellation(
    of id: Identifier, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let (reservation, action, grant) = try known(id, try calendars(), context)
    return plan(.cancel(id), reservation, action, grant)
  }

  private func plan(
    _ change: CalendarChange, _ reservation: Reservation, _ action: Action, _ grant: Grant?
  ) -> TenancyPlan {
    TenancyPlan(
      action: action, grant: grant, subject: reservation.text,
      tenant: reservation.holder?.tenant ?? "", changes: [.calendar(change)]
    ) { .reservation(reservation) }
  }

  /// One that has not ended and that the caller may change; any other is not there.
  private func known(
    _ id: Identifier, _ calendar: CalendarSurroundings, _ context: CallContext
  ) throws(QubusError) -> (Reservation, Action, Grant?) {
    guard let reservation = calendar.book.reservation(id, now: directory.now()) else {
      throw .reservationNotFound(id)
    }
    let (action, grant) = try check(reservation, context, hidden: .reservationNotFound(id))
    return (reservation, action, grant)
  }

  /// Whether the caller may make or change it: operators any, others their project's.
  private func check(
    _ reservation: Reservation, _ context: CallContext, hidden: QubusError? = nil
  ) throws(QubusError) -> (Action, Grant?) {
    guard let holder = reservation.holder else {
      let grant = try context.identity.check(
        .manageDevices, on: Self.service, now: directory.now())
      return (.manageDevices, grant)
    }
    var place = holder.resource
    place.deviceFamily = Resource.family(ofDevice: reservation.device)
    let grant = try context.identity.check(
      .reserveDevices, on: place, now: directory.now(), hidden: hidden ?? self.hidden(holder))
    return (.reserveDevices, grant)
  }

  /// Operators reserve for others beyond their quotas.
  private func checkQuota(
    _ time: Microseconds, for holder: QuotaScope, _ calendar: CalendarSurroundings,
    _ context: CallContext
  ) throws(QubusError) {
    let now = directory.now()
    if Authority.allows(context.identity, .manageDevices, on: Self.service, now: now) { return }
    try quotas.checkReserved(time, for: holder, in: calendar.book, now: now)
  }

  /// A device of another tenant is not there.
  private func check(
    _ device: String, _ calendar: CalendarSurroundings, _ context: CallContext
  ) throws(QubusError) {
    let open = calendar.devices.filter { isOpen($0, to: context) }
    guard !open.contains(device) else { return }
    throw .field(
      .unknownDevice, "device", "there is no device \"\(device)\"",
      limit: "one of: \(open.joined(separator: ", "))")
  }

  private func isOpen(_ device: String, to context: CallContext) -> Bool {
    guard let owner = ledger?.book.dedicated[device] else { return true }
    return owner == context.principal.tenant
      || Authority.allows(
        context.identity, .manageDevices, on: Self.service, now: directory.now())
  }

  private static func project(_ context: CallContext) -> QuotaScope {
    .project(tenant: context.principal.tenant, context.principal.project)
  }

  private static func end(
    of startsAt: Microseconds, _ seconds: Double, _ kind: Reservation.Kind
  ) throws(QubusError) -> Microseconds {
    let end = startsAt.addingReportingOverflow(try ReservationLimits.microseconds(seconds, kind))
    guard !end.overflow else { throw tooFar }
    return end.partialValue
  }

  private static func check(
    _ startsAt: Microseconds, now: Microseconds
  ) throws(QubusError) {
    guard startsAt >= now else {
      throw .field(
        .invalidReservation, "starts_at", "\(TimeText.rfc3339(startsAt)) is in the past",
        limit: "\(TimeText.rfc3339(now)) or later")
    }
    guard startsAt - now <= ReservationLimits.ahead else { throw tooFar }
  }

  private static let tooFar = QubusError.field(
    .invalidReservation, "starts_at", "the window begins too far ahead",
    limit: "\(ReservationLimits.ahead / 86_400_000_000) days from now")

  // MARK: Reads

  func calendarAnswer(
    of device: String?, _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let (calendar, now) = (try calendars(), directory.now())
    try context.identity.checkAnywhere(.readDevices, now: now)
    if let device { try check(device, calendar, context) }
    let seen = calendar.book.all(now: now).filter { reservation in
      device.map { $0 == reservation.device } ?? isOpen(reservation.device, to: context)
    }
    let reports = seen.map { reservation in
      ReservationReport(
        reservation: reservation,
        isNamed: reservation.holder.map {
          Authority.allows(context.identity, .readDevices, on: $0.resource, now: now)
        } ?? true)
    }
    let (found, next) = page.cut(reports, by: \.place)
    return .reservations(found, next: next)
  }

  /// The statuses with what is reserved, which the quotas' own book does not count.
  func withReservations(_ statuses: [QuotaStatus]) -> [QuotaStatus] {
    guard let calendar else { return statuses }
    return statuses.map { status in
      guard status.quota == .reservedSeconds else { return status }
      var status = status
      status.used = calendar.book.secondsAhead(of: status.scope, now: directory.now())
      return status
    }
  }
}
