internal import QubusCore

/// Which changes of the calendar contradict what is there; the same for every store.
extension TenancyRules {
  static func calendarRefusal<Lookup: TenancyLookup>(
    of change: CalendarChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    switch change {
    case .create(let reservation):
      if let error = reservation.refusal { return error }
      if let holder = reservation.holder, let error = try scopeRefusal(holder, lookup) {
        return error
      }
      return try overlapRefusal(of: reservation, in: lookup)
    case .extend(let id, let endsAt):
      guard var reservation = try lookup.reservation(id) else { return .reservationNotFound(id) }
      guard endsAt > reservation.endsAt else {
        return .field(
          .invalidReservation, "seconds", "the window would not end later",
          limit: "after \(TimeText.rfc3339(reservation.endsAt))")
      }
      reservation.endsAt = endsAt
      if let error = reservation.refusal { return error }
      return try overlapRefusal(of: reservation, in: lookup)
    case .cancel(let id):
      return try lookup.reservation(id) == nil ? .reservationNotFound(id) : nil
    }
  }

  private static func overlapRefusal<Lookup: TenancyLookup>(
    of reservation: Reservation, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    try lookup.reservation(
      overlapping: reservation.startsAt..<reservation.endsAt, of: reservation.device,
      besides: reservation.id
    ).map { .reservationConflict($0) }
  }
}
