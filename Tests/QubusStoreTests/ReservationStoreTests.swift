import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("Calendars of devices in a store")
struct ReservationStoreTests {
  private typealias Fixture = TenancyFixture
  private static let qc = QuotaScope.project(tenant: "lab", "qc")
  private static let ada = QuotaScope.principal(Fixture.principal("ada"))

  private func window(
    _ number: UInt64, _ startsAt: Microseconds, _ endsAt: Microseconds, device: String = "sim",
    _ kind: Reservation.Kind = .reservation, holder: QuotaScope? = ReservationStoreTests.qc,
    isShared: Bool = false
  ) -> Reservation {
    Reservation(
      id: Identifier(high: 0, low: number), device: device, kind: kind, isShared: isShared,
      holder: kind == .reservation ? holder : nil, startsAt: Self.future + startsAt,
      endsAt: Self.future + endsAt, createdBy: Fixture.principal("ada"), createdAt: 17)
  }

  /// Behind the clocks of all fixtures.
  private static let future: Microseconds = 5_000_000_000_000_000

  @Test(
    "what was made is there as it was made, what was canceled is not", arguments: StoreKind.allCases
  )
  func keeps(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    var all = [
      window(2, 100, 200), window(1, 200, 300, .maintenance), window(4, 300, 301, .calibration),
      window(3, 0, 1000, device: "qpu", holder: Self.ada, isShared: true),
    ]
    for window in all { try await store.change(.calendar(.create(window))) }
    #expect(try store.snapshot().reservations.map(\.id.low) == [3, 2, 1, 4])
    #expect(Set(try store.snapshot().reservations) == Set(all))
    try await store.change(.calendar(.extend(all[2].id, endsAt: Self.future + 400)))
    try await store.change(.calendar(.cancel(all[0].id)))
    all[2].endsAt = Self.future + 400
    #expect(try store.snapshot().reservations == [all[3], all[1], all[2]])
    // Its time and its id are free again.
    try await store.change(.calendar(.create(all[0])))
    #expect(try store.snapshot().reservations.count == 4)
  }

  @Test(
    "windows that overlap, that are none, or that are not there are refused without a trace",
    arguments: StoreKind.allCases)
  func refusals(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    let (first, second) = (window(1, 100, 200), window(2, 300, 400))
    for window in [first, second] { try await store.change(.calendar(.create(window))) }
    let before = try store.entries().count
    let far = 8 * 86_400 * 1_000_000 as Microseconds
    let none = Identifier(high: 0, low: 99)
    let cases: [(CalendarChange, ErrorCode)] = [
      (.create(window(3, 199, 201)), .reservationConflict),
      (.create(window(3, 50, 101)), .reservationConflict),
      (.create(window(3, 0, 1000, .maintenance)), .reservationConflict),
      (.create(window(3, 120, 130)), .reservationConflict),
      (.create(window(3, 250, 250)), .invalidReservation),
      (.create(window(3, 250, 240)), .invalidReservation),
      (.create(window(3, 500, 500 + far)), .invalidReservation),
      (.create(window(3, 500, 600, holder: nil)), .invalidReservation),
      (.create(window(3, 500, 600, holder: .tenant("lab"))), .invalidReservation),
      (
        .create(window(3, 500, 600, holder: .project(tenant: "lab", "none"))), .projectNotFound
      ),
      (.extend(first.id, endsAt: Self.future + 301), .reservationConflict),
      (.extend(first.id, endsAt: Self.future + 200), .invalidReservation),
      (.extend(second.id, endsAt: Self.future + far), .invalidReservation),
      (.extend(none, endsAt: Self.future + 1), .reservationNotFound),
      (.cancel(none), .reservationNotFound),
    ]
    for (change, expected) in cases {
      #expect(await code { try await store.change(.calendar(change)) } == expected, "\(change)")
    }
    #expect(try store.snapshot().reservations == [first, second])
    #expect(try store.entries().count == before)
    try await store.change(.calendar(.extend(first.id, endsAt: Self.future + 300)))
  }
}
