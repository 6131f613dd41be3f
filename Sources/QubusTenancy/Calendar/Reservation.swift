package import QubusCore
package import QubusJobs

/// A window in the calendar of one device: somebody's, or nobody's while operators work on it.
package struct Reservation: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable, CaseIterable {
    case reservation
    case maintenance
    case calibration
  }
  package var id: Identifier
  package var device: String
  package var kind: Kind
  /// Others may have what the holder leaves free; of reservations only.
  package var isShared: Bool
  /// A project or a principal; nil: nobody, as of maintenance and calibration.
  package var holder: QuotaScope?
  package var startsAt: Microseconds
  /// Exclusive.
  package var endsAt: Microseconds
  package var createdBy: Principal
  package var createdAt: Microseconds

  package init(
    id: Identifier, device: String, kind: Kind = .reservation, isShared: Bool = false,
    holder: QuotaScope?, startsAt: Microseconds, endsAt: Microseconds, createdBy: Principal,
    createdAt: Microseconds
  ) {
    self.id = id
    self.device = device
    self.kind = kind
    self.isShared = isShared
    self.holder = holder
    self.startsAt = startsAt
    self.endsAt = endsAt
    self.createdBy = createdBy
    self.createdAt = createdAt
  }

  /// For the audit: `reservation 018f… of sim.statevector for lab/qc, 2026-… to 2026-…`.
  package var text: String {
    "\(kind.rawValue) \(id) of \(device)" + (holder.map { " for \($0.text)" } ?? "")
      + (isShared ? ", shared" : "") + ", \(TimeText.rfc3339(startsAt)) to "
      + TimeText.rfc3339(endsAt)
  }

  /// Whether it takes some of this time.
  func overlaps(_ startsAt: Microseconds, _ endsAt: Microseconds) -> Bool {
    self.startsAt < endsAt && startsAt < self.endsAt
  }

  /// Whether it counts for the scope's quota: it is held there or below.
  package func isHeld(in scope: QuotaScope) -> Bool {
    guard let holder, holder.tenant == scope.tenant else { return false }
    switch scope.place {
    case .tenant: return true
    case .project(_, let project): return holder.project == project
    case .principal: return holder == scope.on(nil)
    }
  }

  /// Why it is no window, whatever the time is; nil when it is one.
  var refusal: QubusError? {
    guard endsAt > startsAt else {
      return .field(
        .invalidReservation, "ends_at", "the window ends before it begins",
        limit: "after \(TimeText.rfc3339(startsAt))")
    }
    let longest = ReservationLimits.longest(kind)
    guard endsAt - startsAt <= longest else {
      return .field(
        .invalidReservation, "seconds",
        "\((endsAt - startsAt) / 1_000_000) seconds are too long for one \(kind.rawValue)",
        limit: "\(longest / 1_000_000)")
    }
    switch (kind, holder?.place) {
    case (.reservation, .project), (.reservation, .principal): break
    case (.maintenance, nil) where !isShared, (.calibration, nil) where !isShared: break
    case (.reservation, _):
      return .field(
        .invalidReservation, "holder", "a reservation is a project's or a principal's",
        limit: "tenant/project or tenant/project/name")
    case (.maintenance, _), (.calibration, _):
      return .field(
        .invalidReservation, "kind", "nobody's jobs run in a \(kind.rawValue) window",
        limit: "no holder, not shared")
    }
    return nil
  }
}

/// Bounds of the calendar, in microseconds; errors name them.
package enum ReservationLimits {
  /// Windows of all devices that have not ended.
  package static let windows = 4096
  /// From now to the beginning.
  package static let ahead: Microseconds = 366 * 86_400_000_000
  package static let shortest: Microseconds = 1_000_000

  package static func longest(_ kind: Reservation.Kind) -> Microseconds {
    switch kind {
    case .reservation: 7 * 86_400_000_000
    case .maintenance, .calibration: 90 * 86_400_000_000
    }
  }
}

/// A change of the calendar. Each is written with its audit entry.
package enum CalendarChange: Sendable, Hashable {
  case create(Reservation)
  case extend(Identifier, endsAt: Microseconds)
  case cancel(Identifier)
}

extension QubusError {
  package static func reservationNotFound(_ id: Identifier) -> QubusError {
    QubusError(.reservationNotFound, "no reservation \(id) is visible to you")
  }

  /// Tells times and no names: the other window may be another tenant's.
  static func reservationConflict(_ other: Reservation) -> QubusError {
    QubusError(
      .reservationConflict,
      "\(other.device) is taken from \(TimeText.rfc3339(other.startsAt)) to "
        + "\(TimeText.rfc3339(other.endsAt))",
      details: [
        "device": other.device, "starts_at": String(other.startsAt),
        "ends_at": String(other.endsAt),
      ])
  }
}
