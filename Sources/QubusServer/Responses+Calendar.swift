internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about the calendars of devices.
extension Responses {
  /// Of every change; the three messages have one form.
  static func reservation(_ reservation: Reservation) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_reservation_response__init)
    message.pointee.reservation = builder.reservation(
      ReservationReport(reservation: reservation, isNamed: true))
    return MessageBuilder.pack(message)
  }

  static func reservations(_ reports: [ReservationReport], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_reservations_response__init)
    (message.pointee.n_reservations, message.pointee.reservations) = builder.list(reports) {
      builder.reservation($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func reservation(
    _ report: ReservationReport
  ) -> UnsafeMutablePointer<Qubus__V1__Reservation> {
    let message = make(qubus__v1__reservation__init)
    let reservation = report.reservation
    message.pointee.device = text(reservation.device)
    message.pointee.kind = text(reservation.kind.rawValue)
    message.pointee.starts_at = reservation.startsAt
    message.pointee.ends_at = reservation.endsAt
    message.pointee.is_shared = reservation.isShared ? 1 : 0
    guard report.isNamed else { return message }
    message.pointee.reservation_id = text(reservation.id.description)
    message.pointee.holder = text(reservation.holder?.placeText ?? "")
    message.pointee.created_by = text(reservation.createdBy.text)
    message.pointee.created_at = reservation.createdAt
    return message
  }
}
