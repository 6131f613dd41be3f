import QubusCore
import QubusJobs
import QubusTenancy
import Synchronization
import Testing

@Suite("The keeper of quotas")
struct QuotaKeeperTests {
  private static let alice = Principal(tenant: "lab", project: "qc", name: "alice")
  private static let lab = QuotaScope.tenant("lab")

  private func used(_ keeper: QuotaKeeper, _ quota: Quota) -> Int64 {
    keeper.status(of: Self.lab, quota).used
  }

  @Test("a job is counted once in each state, however often it is told of")
  func lifecycle() throws {
    let clock = ManualClock()
    let keeper = QuotaKeeper(clock: clock)
    let ids = IdentifierSource(clock: clock)
    let (id, other) = (ids.next(), ids.next())
    let ticket = try keeper.admit(id, JobDemand(shots: 5, memoryBytes: 0), of: Self.alice)
    keeper.restore(id, of: Self.alice)
    #expect(used(keeper, .jobsQueued) == 1)
    for _ in 0..<2 { keeper.began(id, of: Self.alice, memoryBytes: 100) }
    #expect(used(keeper, .jobsQueued) == 0 && used(keeper, .jobsRunning) == 1)
    #expect(used(keeper, .memoryBytes) == 100)
    for _ in 0..<2 { keeper.ended(id) }
    keeper.ended(other)
    #expect(used(keeper, .jobsRunning) == 0 && used(keeper, .memoryBytes) == 0)
    keeper.finished(id, of: Self.alice, deviceMicroseconds: 2_500_000)
    keeper.finished(other, of: Self.alice, deviceMicroseconds: -5)
    #expect(used(keeper, .deviceSecondsPerDay) == 2 && used(keeper, .shotsPerDay) == 5)
    ticket.giveBack()
    #expect(used(keeper, .shotsPerDay) == 0 && used(keeper, .jobsQueued) == 0)
  }

  @Test("the machine's clock that is set back refills nothing, and the named time holds")
  func jumps() throws {
    let clock = JumpingClock()
    let keeper = QuotaKeeper(
      [QuotaRecord(scope: Self.lab, quota: .shotsPerDay, limit: 10)], clock: clock)
    let ids = IdentifierSource(clock: clock)
    func take() -> QubusError? {
      do throws(QubusError) {
        _ = try keeper.admit(ids.next(), JobDemand(shots: 10, memoryBytes: 0), of: Self.alice)
        return nil
      } catch { return error }
    }
    #expect(take() == nil)
    clock.set(bySeconds: -40 * 86_400)
    clock.advance(seconds: 60)
    let error = try #require(take())
    let wait = Int64(try #require(error.retryAfterMilliseconds))
    clock.advance(seconds: wait / 1000 - 1)
    #expect(take() != nil)
    clock.advance(seconds: 2)
    #expect(take() == nil)
  }

  @Test("use of the day that was read at the start counts")
  func rebuilt() {
    let use = [
      DayUse(principal: Self.alice, shots: 7, deviceNanoseconds: 0),
      DayUse(principal: Self.alice, shots: 0, deviceNanoseconds: 3_999_999_999),
    ]
    let keeper = QuotaKeeper(use: use, clock: ManualClock())
    #expect(used(keeper, .shotsPerDay) == 7 && used(keeper, .deviceSecondsPerDay) == 3)
  }

  @Test("whoever watches is told the limits at once and with every change")
  func watching() {
    let keeper = QuotaKeeper(clock: ManualClock())
    let told = Lock<[[Int64]]>([])
    keeper.watch { limits in told.withLock { $0.append(limits.map(\.limit)) } }
    keeper.apply([.setQuota(Self.lab, .jobsRunning, limit: 2)])
    keeper.apply([.setTenantDisabled("lab", true)])
    keeper.apply([.setQuota(Self.lab, .jobsRunning, limit: nil)])
    #expect(told.withLock { $0 } == [[], [2], []])
  }

  @Test("from many threads no more is let in than the limit, and none is lost")
  func threads() async {
    let keeper = QuotaKeeper(
      [QuotaRecord(scope: Self.lab, quota: .jobsQueued, limit: 50)], clock: SystemClock())
    let ids = IdentifierSource(clock: SystemClock())
    let admitted = await withTaskGroup(of: Int.self) { group in
      for thread in 0..<8 {
        group.addTask {
          let who = Principal(tenant: "lab", project: "qc", name: "p\(thread % 3)")
          return (0..<500).count { _ in
            (try? keeper.admit(ids.next(), JobDemand(shots: 1, memoryBytes: 0), of: who)) != nil
          }
        }
      }
      return await group.reduce(0, +)
    }
    #expect(admitted == 50 && used(keeper, .jobsQueued) == 50)
    #expect(used(keeper, .shotsPerDay) == 50)
  }
}
