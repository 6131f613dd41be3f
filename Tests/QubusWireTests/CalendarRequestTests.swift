import CQubusProto
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusWire

@Suite("Requests about the calendars of devices")
struct CalendarRequestTests {
  private let decoder = RequestDecoder(limits: Limits())
  private static let id = "018f3f5e-7c1a-7000-8000-0123456789ab"

  private func create(
    _ device: String = "sim", kind: String = "", startsAt: Int64 = 0, seconds: Double = 60,
    isShared: Bool = false, holder: String = "", reason: String = "why"
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_reservation_request__init)
    message.pointee.device = builder.text(device)
    message.pointee.kind = builder.text(kind)
    message.pointee.starts_at = startsAt
    message.pointee.seconds = seconds
    message.pointee.is_shared = isShared ? 1 : 0
    message.pointee.holder = builder.text(holder)
    message.pointee.reason = builder.text(reason)
    return MessageBuilder.pack(message)
  }

  private func extended(_ id: String, seconds: Double) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__extend_reservation_request__init)
    message.pointee.reservation_id = builder.text(id)
    message.pointee.seconds = seconds
    return MessageBuilder.pack(message)
  }

  private func canceled(_ id: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_reservation_request__init)
    message.pointee.reservation_id = builder.text(id)
    return MessageBuilder.pack(message)
  }

  private func refusal(_ method: Method, _ body: [UInt8]) -> QubusError? {
    do {
      _ = try decoder.tenancyChange(method, body)
      return nil
    } catch { return error }
  }

  @Test("what is left out is now, one's own project, a reservation, exclusive")
  func forms() throws {
    let plain = try decoder.tenancyChange(.createReservation, create())
    #expect(
      plain.order == .calendar(.create(ReservationOrder(device: "sim", seconds: 60)))
        && plain.reason == "why" && plain.order.method == "CreateReservation")
    let full = try decoder.tenancyChange(
      .createReservation,
      create(
        kind: "calibration", startsAt: 5, seconds: 1.5, isShared: true, holder: "lab/qc/ada"))
    #expect(
      full.order
        == .calendar(
          .create(
            ReservationOrder(
              device: "sim", kind: .calibration, isShared: true,
              holder: .principal(Principal(tenant: "lab", project: "qc", name: "ada")),
              startsAt: 5, seconds: 1.5))))
    let id = try #require(Identifier(Self.id))
    let longer = try decoder.tenancyChange(.extendReservation, extended(Self.id, seconds: 2))
    #expect(longer.order == .calendar(.extend(id, seconds: 2)))
    #expect(longer.order.method == "ExtendReservation")
    let gone = try decoder.tenancyChange(.cancelReservation, canceled(Self.id))
    #expect(gone.order == .calendar(.cancel(id)) && gone.order.method == "CancelReservation")
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_reservations_request__init)
    let all = MessageBuilder.pack(message)
    #expect(
      try decoder.tenancyQuery(.listReservations, all)
        == .reservations(device: nil, TenancyPage(limit: 100)))
    message.pointee.device = builder.text("sim")
    let query = try decoder.tenancyQuery(.listReservations, MessageBuilder.pack(message))
    #expect(query == .reservations(device: "sim", TenancyPage(limit: 100)))
    #expect(query.method == "ListReservations")
  }

  @Test("what is wrong is refused by field")
  func bad() {
    let long = String(repeating: "x", count: 1025)
    let cases: [([UInt8], String, ErrorCode)] = [
      (create(""), "device", .missingField), (create(kind: "party"), "kind", .invalidEnumValue),
      (create(startsAt: -1), "starts_at", .invalidReservation),
      (create(seconds: 0), "seconds", .invalidReservation),
      (create(seconds: -1), "seconds", .invalidReservation),
      (create(seconds: .nan), "seconds", .invalidReservation),
      (create(seconds: .infinity), "seconds", .invalidReservation),
      (create(seconds: 1e300), "seconds", .invalidReservation),
      (create(holder: "lab/"), "holder", .invalidName),
      (create(reason: long), "reason", .invalidRequest),
    ]
    for (body, field, code) in cases {
      let error = refusal(.createReservation, body)
      #expect(error?.code == code && error?.violations.map(\.field) == [field])
    }
    for seconds in [0, -1, Double.nan, .infinity] {
      let error = refusal(.extendReservation, extended(Self.id, seconds: seconds))
      #expect(error?.violations.map(\.field) == ["seconds"], "\(seconds)")
    }
    for (text, code) in [("", ErrorCode.missingField), ("7", .invalidIdentifier)] {
      let extending = refusal(.extendReservation, extended(text, seconds: 60))
      let canceling = refusal(.cancelReservation, canceled(text))
      for error in [extending, canceling] {
        #expect(error?.code == code && error?.violations.map(\.field) == ["reservation_id"])
      }
    }
  }
}
