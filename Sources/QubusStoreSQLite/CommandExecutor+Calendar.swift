internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Changes of the calendars of devices, within the open transaction of the writer.
extension CommandExecutor {
  /// Windows stay so long after they have ended: a clock that was set back finds them again.
  private static let graceMicroseconds: Microseconds = 30 * 86_400_000_000

  func apply(_ change: CalendarChange) throws(SQLiteFailure) {
    switch change {
    case .create(let reservation):
      try write("DELETE FROM reservations WHERE ends_at < ?") {
        $0.add(clock.now() - Self.graceMicroseconds)
      }
      try write(
        """
        INSERT INTO reservations (\(TenancyRows.reservationColumns))
        VALUES (?,?,?,?,?,?,?,?,?,?,?)
        """
      ) {
        $0.add(reservation.id)
        $0.add(reservation.device)
        $0.add(reservation.kind.rawValue)
        $0.add(reservation.isShared)
        $0.add(reservation.holder?.placeText ?? "")
        $0.add(reservation.startsAt)
        $0.add(reservation.endsAt)
        $0.add(reservation.createdBy)
        $0.add(reservation.createdAt)
      }
    case .extend(let id, let endsAt):
      try write("UPDATE reservations SET ends_at = ? WHERE id = ?") {
        $0.add(endsAt)
        $0.add(id)
      }
    case .cancel(let id):
      try write("DELETE FROM reservations WHERE id = ?") { $0.add(id) }
    }
  }
}

extension TenancyRows {
  static let reservationColumns =
    "id,device,kind,shared,holder,starts_at,ends_at,tenant,project,principal,created_at"

  func reservation(_ id: Identifier) throws(SQLiteFailure) -> Reservation? {
    try one("SELECT \(Self.reservationColumns) FROM reservations WHERE id = ?") { $0.add(id) }
  }

  func reservation(
    overlapping time: Range<Microseconds>, of device: String, besides id: Identifier
  ) throws(SQLiteFailure) -> Reservation? {
    try one(
      """
      SELECT \(Self.reservationColumns) FROM reservations
      WHERE device = ? AND ends_at > ? AND starts_at < ? AND id <> ? ORDER BY starts_at LIMIT 1
      """
    ) {
      $0.add(device)
      $0.add(time.lowerBound)
      $0.add(time.upperBound)
      $0.add(id)
    }
  }

  private func one(
    _ sql: String, _ bind: (SQLStatement) -> Void
  ) throws(SQLiteFailure) -> Reservation? {
    // A damaged row keeps the service from its start, where all are read.
    try first(sql, bind) { try? Self.reservation(&$0) } ?? nil
  }

  static func reservation(_ row: inout SQLRow) throws(QubusError) -> Reservation {
    guard let id = row.identifier() else { throw damaged("a reservation has no id") }
    let (device, word, isShared) = (row.text(), row.text(), row.boolean())
    let (holderText, startsAt, endsAt) = (row.text(), row.integer(), row.integer())
    let holder = QuotaScope(placeText: holderText)
    guard let kind = Reservation.Kind(rawValue: word), (holder == nil) == holderText.isEmpty else {
      throw damaged("reservation \(id) is a \(word) of \(holderText)")
    }
    return Reservation(
      id: id, device: device, kind: kind, isShared: isShared, holder: holder, startsAt: startsAt,
      endsAt: endsAt,
      createdBy: Principal(tenant: row.text(), project: row.text(), name: row.text()),
      createdAt: row.integer())
  }
}
