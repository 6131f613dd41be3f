package import QubusCore

/// A change of a device's calendar that somebody asks for.
package enum CalendarOrder: Sendable, Hashable {
  case create(ReservationOrder)
  /// By so many seconds beyond its end.
  case extend(Identifier, seconds: Double)
  case cancel(Identifier)

  /// The method of the protocol, for the audit.
  package var method: String {
    switch self {
    case .create: "CreateReservation"
    case .extend: "ExtendReservation"
    case .cancel: "CancelReservation"
    }
  }
}

/// A window that is to be made.
package struct ReservationOrder: Sendable, Hashable {
  package var device: String
  package var kind: Reservation.Kind
  package var isShared: Bool
  /// Nil: the caller's project, of a reservation; nobody, of any other kind.
  package var holder: QuotaScope?
  /// Nil: now.
  package var startsAt: Microseconds?
  package var seconds: Double

  package init(
    device: String, kind: Reservation.Kind = .reservation, isShared: Bool = false,
    holder: QuotaScope? = nil, startsAt: Microseconds? = nil, seconds: Double
  ) {
    self.device = device
    self.kind = kind
    self.isShared = isShared
    self.holder = holder
    self.startsAt = startsAt
    self.seconds = seconds
  }
}

extension ReservationLimits {
  /// - Throws: `invalid_reservation` for a length that is no number, too short or too long.
  package static func microseconds(
    _ seconds: Double, _ kind: Reservation.Kind
  ) throws(QubusError) -> Microseconds {
    let longest = longest(kind)
    // False for what is no number.
    guard seconds >= Double(shortest) * 1e-6, seconds <= Double(longest) * 1e-6 else {
      throw .field(
        .invalidReservation, "seconds", "\(seconds) seconds are no length of a \(kind.rawValue)",
        limit: "\(shortest / 1_000_000) to \(longest / 1_000_000)")
    }
    return Microseconds((seconds * 1e6).rounded())
  }
}
