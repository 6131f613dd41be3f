import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Administration of the calendars of devices")
struct TenancyCalendarTests {
  private typealias H = TenancyHarness
  private static let hour: Microseconds = 3_600_000_000
  private static let qc = QuotaScope.project(tenant: "lab", "qc")
  private static let device = "sim.statevector"

  /// With an hour that the tenant may have reserved.
  private func harness(_ limit: Int64? = 3600) throws -> H {
    let harness = try H()
    try harness.perform(.setQuota(.tenant("lab"), .reservedSeconds, limit: limit), as: H.root)
    return harness
  }

  private func order(
    at startsAt: Microseconds? = nil, seconds: Double = 600,
    _ kind: Reservation.Kind = .reservation,
    device: String = TenancyCalendarTests.device, holder: QuotaScope? = nil, isShared: Bool = false
  ) -> TenancyOrder {
    .calendar(
      .create(
        ReservationOrder(
          device: device, kind: kind, isShared: isShared, holder: holder, startsAt: startsAt,
          seconds: seconds)))
  }

  @discardableResult
  private func made(_ harness: H, _ order: TenancyOrder, as principal: Principal) throws
    -> Reservation
  {
    let answer = try harness.perform(order, as: principal, reason: "demo day")
    guard case .reservation(let reservation) = answer else {
      Issue.record("another answer: \(answer)")
      throw QubusError(.internalError, "another answer")
    }
    return reservation
  }

  private func listed(_ harness: H, as principal: Principal, device: String? = nil) throws
    -> [ReservationReport]
  {
    guard
      case .reservations(let reports, _) = try harness.answer(
        .reservations(device: device, TenancyPage(limit: 100)), as: principal)
    else { return [] }
    return reports
  }

  @Test("administrators reserve for their project, operators for all; nobody else")
  func ranks() throws {
    for (holder, admins) in [
      (Self.qc, [H.root, H.tia, H.pia]), (.principal(H.sam), [H.root, H.tia, H.pia]),
      (.project(tenant: "lab", "nmr"), [H.root, H.tia]), (.project(tenant: "other", "x"), [H.root]),
    ] {
      for principal in H.everyone {
        let harness = try harness()
        let refusal = try harness.refusal(order(holder: holder), as: principal)
        #expect((refusal == nil) == admins.contains(principal), "\(holder.text) \(principal.name)")
      }
    }
    let harness = try harness()
    #expect(
      try harness.refusal(order(holder: Self.qc), as: H.olga)?.code == .projectNotFound)
    for kind in [Reservation.Kind.maintenance, .calibration] {
      for principal in H.everyone where principal != H.root {
        #expect(
          try harness.refusal(order(kind), as: principal)?.code == .permissionDenied,
          "\(principal.name)")
      }
    }
  }

  @Test("a reservation is in force when it is answered, with evidence, and so are its changes")
  func inForce() throws {
    let harness = try harness()
    let told = Monitor<[Reservation]>([])
    let book = try #require(harness.engine.calendar?.book)
    book.watch { reservations in told.signal { $0 = reservations } }
    let now = harness.clock.now()
    let reservation = try made(
      harness, order(at: now + Self.hour, isShared: true), as: H.pia)
    #expect(reservation.holder == Self.qc && reservation.isShared)
    #expect(reservation.startsAt == now + Self.hour)
    #expect(reservation.endsAt == now + Self.hour + 600_000_000)
    #expect(reservation.createdBy == H.pia && reservation.createdAt == now)
    #expect(told.withLock { $0 } == [reservation])
    #expect(harness.store.snapshot().reservations == [reservation])
    let entry = try #require(harness.lastEntry)
    #expect(entry.method == "CreateReservation" && entry.reason == "demo day")
    #expect(entry.action == "devices.reserve" && entry.tenant == "lab")
    #expect(entry.subject.hasPrefix("reservation \(reservation.id) of sim.statevector for lab/qc"))
    let longer = try made(
      harness, .calendar(.extend(reservation.id, seconds: 60)), as: H.tia)
    #expect(longer.endsAt == reservation.endsAt + 60_000_000)
    #expect(told.withLock { $0 } == [longer] && harness.lastEntry?.method == "ExtendReservation")
    #expect(try made(harness, .calendar(.cancel(reservation.id)), as: H.pia) == longer)
    #expect(told.withLock { $0 }.isEmpty && harness.store.snapshot().reservations.isEmpty)
    #expect(harness.lastEntry?.method == "CancelReservation")
  }

  @Test("what cannot be is refused by field, and nothing is changed")
  func refusals() throws {
    let harness = try harness()
    let now = harness.clock.now()
    let before = harness.store.audit.records.count
    let cases: [(TenancyOrder, String, ErrorCode)] = [
      (order(at: now - 1), "starts_at", .invalidReservation),
      (order(at: now + 367 * 24 * Self.hour), "starts_at", .invalidReservation),
      (order(at: .max), "starts_at", .invalidReservation),
      (order(seconds: 0), "seconds", .invalidReservation),
      (order(seconds: 0.5), "seconds", .invalidReservation),
      (order(seconds: -600), "seconds", .invalidReservation),
      (order(seconds: .nan), "seconds", .invalidReservation),
      (order(seconds: .infinity), "seconds", .invalidReservation),
      (order(seconds: 7 * 86_400 + 1), "seconds", .invalidReservation),
      (order(device: "qpu.none"), "device", .unknownDevice),
      (order(device: ""), "device", .unknownDevice),
    ]
    for (order, field, code) in cases {
      let error = try harness.refusal(order, as: H.pia)
      #expect(error?.code == code && error?.violations.first?.field == field, "\(order)")
    }
    let wrong: [(TenancyOrder, String)] = [
      (order(.maintenance, holder: Self.qc), "kind"), (order(.calibration, isShared: true), "kind"),
      (order(holder: .tenant("lab")), "holder"),
      (order(seconds: 90 * 86_400 + 1, .maintenance), "seconds"),
    ]
    for (order, field) in wrong {
      let error = try harness.refusal(order, as: H.root)
      #expect(
        error?.code == .invalidReservation && error?.violations.first?.field == field, "\(order)")
    }
    let ghost = QuotaScope.principal(Principal(tenant: "lab", project: "qc", name: "ghost"))
    #expect(try harness.refusal(order(holder: ghost), as: H.pia)?.code == .principalNotFound)
    #expect(harness.store.snapshot().reservations.isEmpty)
    #expect(harness.store.audit.records.count == before)
    #expect(try listed(harness, as: H.root).isEmpty)
  }

  @Test("windows of one device never overlap, also not by an extension; those of others may")
  func overlaps() throws {
    let harness = try harness()
    let start = harness.clock.now() + Self.hour
    let second: Microseconds = 1_000_000
    let first = try made(harness, order(at: start), as: H.pia)
    // It ends where the next begins.
    let next = try made(
      harness, order(at: start + 600 * second, seconds: 60, .maintenance), as: H.root)
    for (startsAt, seconds) in [
      (start, 600.0), (start - 60 * second, 61), (start + 60 * second, 1),
      (start - 60 * second, 900), (start + 659 * second, 60),
    ] {
      let error = try harness.refusal(order(at: startsAt, seconds: seconds), as: H.pia)
      #expect(error?.code == .reservationConflict, "\(startsAt - start) \(seconds)")
      #expect(error?.details["device"] == Self.device)
    }
    #expect(
      try harness.refusal(.calendar(.extend(first.id, seconds: 1)), as: H.pia)?.code
        == .reservationConflict)
    try made(harness, .calendar(.extend(next.id, seconds: 60)), as: H.root)
    try made(harness, order(at: start, device: "qpu.test"), as: H.pia)
    try made(harness, order(at: start - 60 * second, seconds: 60), as: H.pia)
    #expect(harness.store.snapshot().reservations.count == 4)
    #expect(try listed(harness, as: H.pia, device: Self.device).count == 3)
  }

  @Test("extensions are bound as reservations are, and end with the window")
  func extensions() throws {
    let harness = try harness()
    let reservation = try made(harness, order(), as: H.pia)
    for seconds in [0, -60, 0.5, Double.nan, .infinity, 7 * 86_400 + 1] {
      let error = try harness.refusal(
        .calendar(.extend(reservation.id, seconds: seconds)), as: H.pia)
      #expect(
        error?.code == .invalidReservation && error?.violations.first?.field == "seconds",
        "\(seconds)")
    }
    // Longer in all than one may be.
    let root = try harness.refusal(
      .calendar(.extend(reservation.id, seconds: 7 * 86_400 - 1)), as: H.root)
    #expect(root?.code == .invalidReservation)
    #expect(
      try harness.refusal(.calendar(.extend(reservation.id, seconds: 3600)), as: H.pia)?.code
        == .quotaExceeded)
    #expect(try listed(harness, as: H.pia).map(\.reservation) == [reservation])
    harness.clock.advance(microseconds: 600_000_000)
    #expect(try listed(harness, as: H.pia).isEmpty)
    for order in [
      CalendarOrder.extend(reservation.id, seconds: 60), .cancel(reservation.id),
    ] {
      #expect(
        try harness.refusal(.calendar(order), as: H.pia)?.code == .reservationNotFound)
    }
  }

  @Test("a tenant without a quota reserves nothing; with one so many seconds ahead")
  func quota() throws {
    let bare = try H()
    let refusal = try bare.refusal(order(), as: H.pia)
    #expect(refusal?.code == .quotaExceeded && refusal?.details["quota"] == "reserved_seconds")
    #expect(refusal?.details["scope"] == "lab" && refusal?.details["limit"] == "0")
    // An operator reserves for it all the same.
    try made(bare, order(seconds: 7200, holder: Self.qc), as: H.root)
    let harness = try harness()
    let now = harness.clock.now()
    try made(harness, order(at: now + Self.hour, seconds: 1800), as: H.pia)
    try harness.perform(.setQuota(.principal(H.sam), .reservedSeconds, limit: 60), as: H.pia)
    let sam = QuotaScope.principal(H.sam)
    let later = now + 3 * Self.hour
    #expect(
      try harness.refusal(order(at: later, seconds: 61, holder: sam), as: H.pia)?.details["scope"]
        == "lab/qc/sam")
    try made(harness, order(at: later, seconds: 60, holder: sam), as: H.pia)
    #expect(try harness.refusal(order(seconds: 1741), as: H.pia)?.details["used"] == "1860")
    // Another project of the tenant counts for the same.
    #expect(
      try harness.refusal(
        order(seconds: 1741, holder: .project(tenant: "lab", "nmr")), as: H.tia)?.code
        == .quotaExceeded)
    try made(harness, order(seconds: 1740, holder: .project(tenant: "lab", "nmr")), as: H.tia)
    guard case .quotas(let statuses, _) = try harness.answer(.quota(.tenant("lab")), as: H.tia)
    else {
      Issue.record("another answer")
      return
    }
    let status = statuses.first { $0.quota == .reservedSeconds }
    #expect(status?.used == 3600 && status?.limit == 3600)
    // What is over is free again.
    harness.clock.advance(microseconds: 1_740_000_000)
    try made(harness, order(seconds: 1740), as: H.pia)
  }

  @Test("of others only the time is told, and their ids answer as those that are not there")
  func others() throws {
    let harness = try harness()
    let reservation = try made(harness, order(), as: H.pia)
    let maintenance = try made(
      harness, order(.maintenance, device: "qpu.test"), as: H.root)
    for principal in [H.tia, H.pia, H.sam, H.vic, H.root] {
      let seen = try listed(harness, as: principal)
      #expect(seen.map(\.isNamed) == [true, true], "\(principal.name)")
    }
    for principal in [H.olga, H.nina] {
      let seen = try listed(harness, as: principal)
      #expect(
        Set(seen.map { "\($0.reservation.kind) \($0.isNamed)" })
          == ["reservation false", "maintenance true"], "\(principal.name)")
    }
    try harness.perform(
      .grantRole(
        GrantRecord(
          principal: H.olga, grant: Grant(.projectAdmin, Scope(tenant: "other", project: "x")))),
      as: H.root)
    for order in [CalendarOrder.cancel(reservation.id), .extend(reservation.id, seconds: 60)] {
      #expect(
        try harness.refusal(.calendar(order), as: H.olga)
          == QubusError.reservationNotFound(reservation.id))
      // Whoever sees it, and may not change it, is told so.
      #expect(try harness.refusal(.calendar(order), as: H.sam)?.code == .permissionDenied)
    }
    #expect(
      try harness.refusal(.calendar(.cancel(maintenance.id)), as: H.pia)?.code
        == .permissionDenied)
    let unknown = IdentifierSource(clock: harness.clock).next()
    #expect(
      try harness.refusal(.calendar(.cancel(unknown)), as: H.olga)
        == QubusError.reservationNotFound(unknown))
    // The conflict tells no names either.
    try harness.perform(.setQuota(.tenant("other"), .reservedSeconds, limit: 60), as: H.root)
    let conflict = try harness.refusal(order(seconds: 60), as: H.olga)
    #expect(conflict?.code == .reservationConflict)
    #expect(conflict?.message.contains("lab") == false)
  }

  @Test("lists come in pages, in order of their beginnings")
  func pages() throws {
    let harness = try harness()
    let now = harness.clock.now()
    for number in [3, 1, 2] {
      try made(harness, order(at: now + Int64(number) * Self.hour, seconds: 60), as: H.pia)
    }
    var (found, after): ([Microseconds], String) = ([], "")
    for _ in 0..<3 {
      guard
        case .reservations(let page, let next) = try harness.answer(
          .reservations(device: nil, TenancyPage(limit: 1, after: after)), as: H.olga)
      else { return }
      found += page.map(\.reservation.startsAt)
      after = next
    }
    #expect(found == [1, 2, 3].map { now + $0 * Self.hour } && after == "")
    #expect(
      try harness.refusal(
        .reservations(device: "qpu.none", TenancyPage(limit: 1)), as: H.olga)?.code
        == .unknownDevice)
  }
}
