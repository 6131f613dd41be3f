internal import CQubusProto
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

// Requests about the calendars of devices.
extension RequestDecoder {
  func createReservation(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_create_reservation_request(), limits: wire) {
      (m: Qubus__V1__CreateReservationRequest) throws(QubusError) in
      let device = try name(m.device, "device")
      guard !device.isEmpty else { throw .field(.missingField, "device", "is required") }
      let kind = try reservationKind(String(wire: m.kind))
      guard m.starts_at >= 0 else {
        throw .field(
          .invalidReservation, "starts_at", "\(m.starts_at) is no time",
          limit: "microseconds UTC, or 0 for now")
      }
      _ = try ReservationLimits.microseconds(m.seconds, kind)
      let hasHolder = m.holder.map { $0.pointee != 0 } ?? false
      return TenancyRequest(
        order: .calendar(
          .create(
            ReservationOrder(
              device: device, kind: kind, isShared: m.is_shared != 0,
              holder: hasHolder ? try TenancyFields.quotaScope(m.holder, "holder") : nil,
              startsAt: m.starts_at == 0 ? nil : m.starts_at, seconds: m.seconds))),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func extendReservation(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_extend_reservation_request(), limits: wire) {
      (m: Qubus__V1__ExtendReservationRequest) throws(QubusError) in
      let id = try readIdentifier(m.reservation_id, field: "reservation_id")
      // The kind, which the store knows, may allow less.
      _ = try ReservationLimits.microseconds(m.seconds, .maintenance)
      return TenancyRequest(
        order: .calendar(.extend(id, seconds: m.seconds)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func cancelReservation(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_cancel_reservation_request(), limits: wire) {
      (m: Qubus__V1__CancelReservationRequest) throws(QubusError) in
      TenancyRequest(
        order: .calendar(.cancel(try readIdentifier(m.reservation_id, field: "reservation_id"))),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func listReservations(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_reservations_request(), limits: wire) {
      (m: Qubus__V1__ListReservationsRequest) throws(QubusError) in
      let device = try name(m.device, "device")
      return .reservations(
        device: device.isEmpty ? nil : device, try tenancyPage(m.page_size, m.page_token))
    }
  }

  private func reservationKind(_ word: String) throws(QubusError) -> Reservation.Kind {
    if word.isEmpty { return .reservation }
    guard let kind = Reservation.Kind(rawValue: word) else {
      throw .field(
        .invalidEnumValue, "kind", "\"\(word.prefix(64))\" is no kind of window",
        limit: Reservation.Kind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return kind
  }
}
