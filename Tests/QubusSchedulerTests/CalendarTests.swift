import QubusCore
import Testing

@testable import QubusScheduler

/// The windows of devices by themselves.
@Suite struct CalendarTests {
  private static let lab = AccountPath(tenant: "lab", project: "qc")

  private func window(
    _ number: Int, _ startsAt: Microseconds, _ endsAt: Microseconds,
    _ kind: CalendarWindow.Kind = .reserved, device: UInt16 = 0, isShared: Bool = false,
    holder: AccountPath? = CalendarTests.lab
  ) -> CalendarWindow {
    CalendarWindow(
      id: id(number), device: device, kind: kind, startsAt: startsAt, endsAt: endsAt,
      isShared: isShared, holder: kind == .reserved ? holder : nil)
  }

  private func calendar(_ windows: [CalendarWindow], at now: Microseconds = 0) -> Calendar {
    var calendar = Calendar()
    _ = calendar.advance(to: now)
    _ = calendar.set(windows)
    return calendar
  }

  /// Of another tenant; nine of ten runs end within `long`.
  private func job(long: Microseconds, device: UInt16 = 0, runLimit: Microseconds? = nil)
    -> SchedulerJob
  {
    SchedulerJob(
      id: id(1000), tenant: "other", project: "p", principal: "u", lane: .batch,
      predictedMicroseconds: predicted(ofLong: long), runLimitMicroseconds: runLimit, device: device
    )
  }

  private func until(
    _ calendar: Calendar, _ job: SchedulerJob, at now: Microseconds = 0
  ) -> Microseconds? { calendar.delay(of: job, at: now)?.until }

  @Test("a run has to end before the window begins, to the microsecond")
  func fits() {
    let calendar = calendar([window(1, 100, 200)])
    #expect(until(calendar, job(long: 100)) == nil)
    #expect(until(calendar, job(long: 102)) == 200)
    #expect(until(calendar, job(long: 2), at: 98) == nil)
    #expect(until(calendar, job(long: 2), at: 99) == 200)
    #expect(until(calendar, job(long: 2), at: 200) == nil)
    #expect(until(calendar, job(long: 1000, device: 1)) == nil)
    // Nothing is known of it: it takes no time, and yet no part of the window.
    #expect(until(calendar, job(long: 0), at: 99) == nil)
    #expect(until(calendar, job(long: 0), at: 100) == 200)
  }

  @Test("a run that is stopped in time fits, whatever is expected of it")
  func runLimit() {
    let calendar = calendar([window(1, 100, 200)])
    #expect(until(calendar, job(long: 1 << 50, runLimit: 100)) == nil)
    #expect(until(calendar, job(long: 1 << 50, runLimit: 101)) == 200)
    var endless = job(long: 0)
    endless.longMicroseconds = .max
    #expect(until(calendar, endless) == 200)
  }

  @Test("gaps that are too short are passed over, the first window that binds is told")
  func gaps() {
    let calendar = calendar([
      window(3, 500, 600, .calibration), window(1, 100, 200), window(2, 250, 400, .maintenance),
    ])
    let delay = calendar.delay(of: job(long: 60), at: 90)
    #expect(delay?.window.id == id(1) && delay?.until == 400)
    #expect(until(calendar, job(long: 100), at: 90) == 400)
    #expect(until(calendar, job(long: 102), at: 90) == 600)
    #expect(calendar.delay(of: job(long: 60), at: 210)?.window.kind == .maintenance)
  }

  @Test("a window is open to its holder, and to all when it is shared")
  func holders() {
    let alone = AccountPath(tenant: "lab", project: "qc", principal: "ada")
    var mine = job(long: 1000)
    (mine.tenant, mine.project, mine.principal) = ("lab", "qc", "ada")
    var colleague = mine
    colleague.principal = "bob"
    var namesake = mine
    namesake.tenant = "other"
    for (holder, others) in [(Self.lab, nil as Microseconds?), (alone, 200)] {
      let exclusive = calendar([window(1, 100, 200, holder: holder)])
      #expect(until(exclusive, mine) == nil)
      #expect(until(exclusive, colleague) == others)
      #expect(until(exclusive, namesake) == 200)
      let shared = calendar([window(1, 100, 200, isShared: true, holder: holder)])
      #expect(until(shared, namesake) == nil)
    }
    for kind in [CalendarWindow.Kind.maintenance, .calibration] {
      #expect(until(calendar([window(1, 100, 200, kind)]), mine) == 200)
    }
  }

  @Test("time brings notice, beginning and end, each once; a clock that goes back brings nothing")
  func borders() {
    let notice = Calendar.notice
    let window = window(1, 2 * notice, 3 * notice)
    var calendar = calendar([window])
    #expect(calendar.nextBorder == notice)
    #expect(calendar.advance(to: notice - 1) == [])
    #expect(calendar.advance(to: notice) == [.near(window)])
    #expect(calendar.nextBorder == 2 * notice && calendar.openReservation(of: 0) == nil)
    #expect(calendar.advance(to: 2 * notice) == [.opened(window)])
    #expect(calendar.openReservation(of: 0) == window)
    #expect(calendar.advance(to: 5) == [] && calendar.now == 2 * notice)
    #expect(calendar.openReservation(of: 0) == window)
    // At the time that it told, not at the one that it would have been.
    #expect(until(calendar, job(long: 2), at: 5) == 3 * notice)
    #expect(calendar.advance(to: 3 * notice) == [.closed(window)])
    #expect(calendar.isEmpty && calendar.nextBorder == nil)
    #expect(calendar.advance(to: 4 * notice) == [])
  }

  @Test("a window that begins at once is told and open; one that time leapt over is gone")
  func leaps() {
    var calendar = calendar([window(1, 0, 10), window(2, 20, 30), window(3, 40, 50)])
    let borders = calendar.advance(to: 0)
    #expect(
      borders
        == [1, 2, 3].flatMap { number -> [Calendar.Border] in
          let known = window(
            number, Microseconds(number - 1) * 20, Microseconds(number - 1) * 20 + 10)
          return number == 1 ? [.near(known), .opened(known)] : [.near(known)]
        })
    #expect(calendar.advance(to: 45) == [.closed(window(1, 0, 10)), .opened(window(3, 40, 50))])
  }

  @Test("another calendar tells which devices changed and which open windows are gone")
  func replaced() {
    var calendar = calendar([window(1, 0, 100), window(2, 0, 100, device: 1)])
    _ = calendar.advance(to: 10)
    var change = calendar.set([window(1, 0, 200), window(2, 0, 100, device: 1)])
    #expect(change.devices == [0] && change.closed == [])
    // It goes on, so that nothing is told again.
    #expect(calendar.advance(to: 100) == [.closed(window(2, 0, 100, device: 1))])
    change = calendar.set([])
    #expect(change.devices == [0] && change.closed == [window(1, 0, 200)])
    #expect(calendar.isEmpty && calendar.nextBorder == nil)
    // What has ended before is not taken up.
    #expect(calendar.set([window(4, 0, 100)]).devices == [] && calendar.isEmpty)
  }
}
