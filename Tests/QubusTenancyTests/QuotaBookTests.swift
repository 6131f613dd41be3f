import QubusCore
import QubusJobs
import Testing

@testable import QubusTenancy

@Suite("The book of quotas")
struct QuotaBookTests {
  static let alice = Principal(tenant: "lab", project: "qc", name: "alice")
  static let bob = Principal(tenant: "lab", project: "qc", name: "bob")
  static let nina = Principal(tenant: "lab", project: "nmr", name: "nina")
  static let day: Microseconds = 86_400_000_000
  /// Six in the morning of some day.
  static let morning = 20_000 * day + 6 * 3_600_000_000

  private func book(_ limits: (QuotaScope, Quota, Int64)...) -> QuotaBook {
    var book = QuotaBook(now: Self.morning)
    for (scope, quota, limit) in limits { book.set(quota, of: scope, to: limit, monotonic: 0) }
    return book
  }

  private func at(_ now: Microseconds) -> QuotaTime { QuotaTime(now: now, monotonic: now) }
  private var now: QuotaTime { at(Self.morning) }

  private func job(_ shots: UInt64 = 0, memory: UInt64 = 0) -> JobDemand {
    JobDemand(shots: shots, memoryBytes: memory)
  }

  private func refusal(_ body: () throws -> Void) -> QubusError? {
    do {
      try body()
      return nil
    } catch { return error as? QubusError }
  }

  @Test("without limits nothing is refused, and all is counted in three places")
  func unlimited() throws {
    var book = book()
    for _ in 0..<1000 { _ = try book.admit(job(.max), of: Self.alice, now) }
    for scope in QuotaScope.all(of: Self.alice) {
      let status = book.status(of: scope, now)
      #expect(status.allSatisfy { $0.limit == nil })
      #expect(book.status(of: scope, .jobsQueued, now).used == 1000)
      #expect(book.status(of: scope, .shotsPerDay, now).used == .max)
    }
    #expect(book.status(of: .principal(Self.bob), .jobsQueued, now).used == 0)
  }

  @Test("a refusal names limit, use, what is asked for, the reset and when to come again")
  func words() throws {
    var book = book((.project(tenant: "lab", "qc"), .shotsPerDay, 1000))
    _ = try book.admit(job(900), of: Self.alice, now)
    let error = try #require(refusal { _ = try book.admit(job(200), of: Self.bob, now) })
    let midnight = 20_001 * Self.day
    #expect(error.code == .quotaExceeded)
    #expect(
      error.details == [
        "quota": "shots_per_day", "scope": "lab/qc", "limit": "1000", "used": "900",
        "asked": "200", "resets_at": "\(midnight)",
      ])
    #expect(error.retryAfterMilliseconds == 18 * 3_600_000)
    #expect(error.message.contains("900") && error.message.contains("1000"))
    // Nothing of what was refused is counted anywhere.
    #expect(book.status(of: .principal(Self.bob), .shotsPerDay, now).used == 0)
    #expect(book.status(of: .tenant("lab"), .jobsQueued, now).used == 1)
  }

  @Test("a retry after exactly the time that is named succeeds, one a millisecond sooner does not")
  func retry() throws {
    var book = book((.tenant("lab"), .shotsPerDay, 10), (.tenant("lab"), .deviceSecondsPerDay, 1))
    book.charge(shots: 10, deviceNanoseconds: 1_000_000_000, to: Self.alice, now)
    for ask in [UInt64(1), 0] {
      let error = try #require(refusal { _ = try book.admit(job(ask), of: Self.nina, now) })
      let wait = Microseconds(try #require(error.retryAfterMilliseconds)) * 1000
      var early = book
      #expect(
        refusal { _ = try early.admit(job(ask), of: Self.nina, at(Self.morning + wait - 1000)) }
          != nil)
      var later = book
      #expect(
        refusal { _ = try later.admit(job(ask), of: Self.nina, at(Self.morning + wait)) } == nil)
    }
  }

  @Test("what no day is long enough for names no time to come again")
  func tooLarge() throws {
    var book = book((.tenant("lab"), .shotsPerDay, 10), (.tenant("lab"), .memoryBytes, 100))
    let shots = try #require(refusal { _ = try book.admit(job(11), of: Self.alice, now) })
    #expect(shots.code == .quotaExceeded && shots.retryAfterMilliseconds == nil)
    let memory = try #require(
      refusal { _ = try book.admit(job(memory: 101), of: Self.alice, now) })
    #expect(memory.details["quota"] == "memory_bytes" && memory.retryAfterMilliseconds == nil)
    let huge = try #require(refusal { _ = try book.admit(job(.max), of: Self.alice, now) })
    #expect(huge.details["asked"] == "\(Int64.max)")
  }

  @Test("a limit of 0 refuses everything of its kind, and exact work takes no shots")
  func zero() {
    var book = book((.principal(Self.alice), .shotsPerDay, 0), (.principal(Self.bob), .sessions, 0))
    #expect(refusal { _ = try book.admit(job(1), of: Self.alice, now) }?.code == .quotaExceeded)
    #expect(refusal { _ = try book.admit(job(0), of: Self.alice, now) } == nil)
    #expect(refusal { try book.openSession(of: Self.bob, now) }?.code == .quotaExceeded)
    #expect(refusal { try book.openSession(of: Self.alice, now) } == nil)
    book.set(.requestsPerSecond, of: .tenant("lab"), to: 0, monotonic: 0)
    let error = refusal { try book.request(of: Self.alice, monotonic: 0) }
    #expect(error?.code == .rateLimited && error?.retryAfterMilliseconds == nil)
  }

  @Test("a clock that goes back refills nothing, and a midnight it comes to again neither")
  func clockBack() throws {
    var book = book((.tenant("lab"), .shotsPerDay, 10))
    _ = try book.admit(job(10), of: Self.alice, now)
    let midnight = 20_001 * Self.day
    _ = try book.admit(job(10), of: Self.alice, at(midnight))
    // Back before midnight, over it again, and back by years.
    for time in [midnight - 1, midnight, midnight - 400 * Self.day, midnight + 1, 0, -Self.day] {
      #expect(refusal { _ = try book.admit(job(1), of: Self.alice, at(time)) } != nil, "\(time)")
    }
    let error = try #require(
      refusal { _ = try book.admit(job(1), of: Self.alice, at(midnight - 5000)) })
    #expect(error.retryAfterMilliseconds == UInt64((Self.day + 5000) / 1000))
    #expect(refusal { _ = try book.admit(job(10), of: Self.alice, at(midnight + Self.day)) } == nil)
  }

  @Test("a clock that leaps forward is followed, and shots of a day that is over do not come back")
  func clockForward() throws {
    var book = book((.tenant("lab"), .shotsPerDay, 10))
    let taken = try book.admit(job(10), of: Self.alice, now)
    let later = at(Self.morning + 300 * Self.day)
    _ = try book.admit(job(7), of: Self.alice, later)
    book.giveBack(shots: 10, of: Self.alice, day: taken, later)
    #expect(book.status(of: .tenant("lab"), .shotsPerDay, later).used == 7)
  }

  @Test("the widest of requests is refused without a cost to the narrower ones")
  func requests() throws {
    var book = book(
      (.principal(Self.alice), .requestsPerSecond, 100), (.tenant("lab"), .requestsPerSecond, 3))
    for _ in 0..<3 { try book.request(of: Self.alice, monotonic: 0) }
    let error = try #require(refusal { try book.request(of: Self.alice, monotonic: 0) })
    #expect(error.code == .rateLimited && error.details["scope"] == "lab")
    #expect(error.retryAfterMilliseconds == 334)
    #expect(book.status(of: .principal(Self.alice), .requestsPerSecond, at(0)).used == 3)
    #expect(refusal { try book.request(of: Self.alice, monotonic: 334_000) } == nil)
  }

  @Test("a stream waits for what it owes, its fellows with it, others not")
  func streams() {
    var book = book((.project(tenant: "lab", "qc"), .streamBytesPerSecond, 1000))
    book.streamed(3000, to: Self.alice, monotonic: 0)
    #expect(book.streamWait(of: Self.bob, monotonic: 0) == 2_000_000)
    #expect(book.streamWait(of: Self.nina, monotonic: 0) == 0)
    #expect(book.streamWait(of: Self.bob, monotonic: 2_000_000) == 0)
    book.set(.streamBytesPerSecond, of: .tenant("lab"), to: 0, monotonic: 0)
    #expect(book.streamWait(of: Self.nina, monotonic: 0) == .max)
  }

  @Test("limits that are lifted bind no more; those that are lowered bind at once")
  func changes() throws {
    var book = book((.tenant("lab"), .jobsQueued, 2))
    _ = try book.admit(job(), of: Self.alice, now)
    book.set(.jobsQueued, of: .tenant("lab"), to: 1, monotonic: 0)
    #expect(refusal { _ = try book.admit(job(), of: Self.alice, now) }?.details["used"] == "1")
    book.set(.jobsQueued, of: .tenant("lab"), to: nil, monotonic: 0)
    #expect(refusal { _ = try book.admit(job(), of: Self.alice, now) } == nil)
    #expect(book.limits.isEmpty)
  }

  @Test("negative limits and those beyond the arithmetic are none", arguments: Quota.allCases)
  func ranges(quota: Quota) {
    for limit in [-1, .min, quota.largestLimit + 1, .max] {
      #expect(throws: QubusError.self, "\(limit)") { try quota.check(limit) }
    }
    #expect(throws: Never.self) { try quota.check(0) }
    #expect(throws: Never.self) { try quota.check(quota.largestLimit) }
    var book = book((.tenant("lab"), quota, quota.largestLimit))
    book.charge(shots: .max, deviceNanoseconds: .max, to: Self.alice, now)
    book.charge(shots: .max, deviceNanoseconds: .max, to: Self.alice, now)
    #expect(book.status(of: .tenant("lab"), .shotsPerDay, now).used == .max)
    book.streamed(.max, to: Self.alice, monotonic: .max)
    #expect(refusal { try book.request(of: Self.alice, monotonic: .max) } == nil)
  }

  @Test("a limit for a family of devices counts what is done on it, beside that of all devices")
  func families() throws {
    let onQPU = QuotaScope.tenant("lab").on("qpu")
    var book = book((onQPU, .shotsPerDay, 10), (.tenant("lab"), .shotsPerDay, 100))
    func job(_ shots: UInt64, _ family: String) -> JobDemand {
      JobDemand(shots: shots, memoryBytes: 0, deviceFamily: family)
    }
    let day = try book.admit(job(10, "qpu"), of: Self.alice, now)
    let refused = try #require(refusal { _ = try book.admit(job(1, "qpu"), of: Self.nina, now) })
    #expect(refused.details["scope"] == "lab on qpu" && refused.details["used"] == "10")
    #expect(refused.retryAfterMilliseconds != nil)
    _ = try book.admit(job(90, "sim"), of: Self.nina, now)
    let all = try #require(refusal { _ = try book.admit(job(1, "sim"), of: Self.nina, now) })
    #expect(all.details["scope"] == "lab" && all.details["used"] == "100")
    book.giveBack(shots: 10, of: Self.alice, on: "qpu", day: day, now)
    _ = try book.admit(job(10, "qpu"), of: Self.nina, now)
    #expect(book.status(of: onQPU, .jobsQueued, now).used == 2)
    book.leaveQueue(Self.alice, on: "qpu", monotonic: 0)
    book.leaveQueue(Self.nina, on: "qpu", monotonic: 0)
    #expect(book.status(of: onQPU, .jobsQueued, now).used == 0)
    #expect(book.status(of: .tenant("lab"), .jobsQueued, now).used == 1)
  }

  @Test("device time and the use of a day before a restart count for their family")
  func familyTime() throws {
    let onSim = QuotaScope.principal(Self.alice).on("sim")
    var book = book((onSim, .deviceSecondsPerDay, 2))
    book.restore(
      DayUse(
        principal: Self.alice, deviceFamily: "sim", shots: 3, deviceNanoseconds: 1_000_000_000),
      monotonic: 0)
    #expect(refusal { try book.checkDay(of: Self.alice, on: "sim", shots: 1, now) } == nil)
    book.charge(deviceNanoseconds: 1_000_000_000, to: Self.alice, on: "sim", now)
    #expect(
      refusal { try book.checkDay(of: Self.alice, on: "sim", shots: 1, now) }?.details["scope"]
        == "lab/qc/alice on sim")
    #expect(refusal { try book.checkDay(of: Self.alice, on: "qpu", shots: 1, now) } == nil)
    #expect(book.status(of: onSim, .shotsPerDay, now).used == 3)
  }

  @Test("scopes are named by their text", arguments: ["lab", "lab/qc", "lab/qc/alice"])
  func scopes(text: String) {
    #expect(QuotaScope(placeText: text)?.placeText == text)
    #expect(QuotaScope(placeText: text, deviceFamily: "sim")?.text == text + " on sim")
    #expect(QuotaScope(placeText: text + "/") == nil && QuotaScope(placeText: "") == nil)
  }

  /// What the book keeps, counted plainly.
  private struct Plain {
    var queued: [Principal: Int64] = [:]
    var shots: [Principal: Int64] = [:]
    var sessions: [Principal: Int64] = [:]
    var day: Int64

    func sum(_ counts: [Principal: Int64], _ scope: QuotaScope) -> Int64 {
      counts.filter { QuotaScope.all(of: $0.key).contains(scope) }.values.reduce(0, +)
    }
  }

  @Test(
    "counts agree with a plain account of any history; limits are never passed", arguments: 1...40)
  func property(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let people = [Self.alice, Self.bob, Self.nina]
    let scopes = Set(people.flatMap { QuotaScope.all(of: $0) }).sorted { $0.text < $1.text }
    var book = QuotaBook(now: Self.morning)
    var limits: [QuotaScope: [Quota: Int64]] = [:]
    var plain = Plain(day: book.day)
    var time = now
    var tickets: [(Principal, UInt64, Int64)] = []
    for _ in 0..<2000 {
      // Days pass, and the clock is set back now and then.
      time.now += Int64.random(in: -40_000_000_000...60_000_000_000, using: &random) / 100
      if QuotaBook.day(of: time.now) > plain.day {
        plain.day = QuotaBook.day(of: time.now)
        plain.shots = [:]
        // A book that is asked for nothing before the clock is set back sees no midnight.
        book.turn(time.now)
      }
      let who = people.randomElement(using: &random) ?? Self.alice
      switch Int.random(in: 0..<12, using: &random) {
      case 0:
        let scope = scopes.randomElement(using: &random) ?? .tenant("lab")
        let quota = [Quota.jobsQueued, .shotsPerDay, .sessions].randomElement(using: &random)
        let limit = Bool.random(using: &random) ? Int64.random(in: 0...40, using: &random) : nil
        book.set(quota ?? .sessions, of: scope, to: limit, monotonic: 0)
        limits[scope, default: [:]][quota ?? .sessions] = limit
      case 1...5:
        let shots = UInt64.random(in: 0...6, using: &random)
        let fits = QuotaScope.all(of: who).allSatisfy { scope in
          let bound = limits[scope] ?? [:]
          let isInShots =
            shots == 0
            || plain.sum(plain.shots, scope) + Int64(shots) <= bound[.shotsPerDay] ?? .max
          return isInShots && plain.sum(plain.queued, scope) < bound[.jobsQueued] ?? .max
        }
        let error = refusal {
          tickets.append((who, shots, try book.admit(job(shots), of: who, time)))
        }
        #expect((error == nil) == fits, "seed \(seed)")
        if error == nil {
          plain.queued[who, default: 0] += 1
          plain.shots[who, default: 0] += Int64(shots)
        }
      case 6, 7:
        guard let (owner, shots, day) = tickets.popLast() else { break }
        book.leaveQueue(owner, monotonic: 0)
        plain.queued[owner, default: 0] -= 1
        guard Bool.random(using: &random) else { break }
        book.giveBack(shots: shots, of: owner, day: day, time)
        if day == plain.day { plain.shots[owner, default: 0] -= Int64(shots) }
      case 8, 9:
        let fits = QuotaScope.all(of: who).allSatisfy {
          plain.sum(plain.sessions, $0) < limits[$0]?[.sessions] ?? .max
        }
        #expect(
          (refusal { try book.openSession(of: who, time) } == nil) == fits, "seed \(seed)")
        if fits { plain.sessions[who, default: 0] += 1 }
      default:
        guard plain.sessions[who, default: 0] > 0 else { break }
        book.closeSession(who, monotonic: 0)
        plain.sessions[who, default: 0] -= 1
      }
      for scope in scopes {
        #expect(book.status(of: scope, .jobsQueued, time).used == plain.sum(plain.queued, scope))
        #expect(book.status(of: scope, .shotsPerDay, time).used == plain.sum(plain.shots, scope))
        #expect(book.status(of: scope, .sessions, time).used == plain.sum(plain.sessions, scope))
      }
    }
  }
}
