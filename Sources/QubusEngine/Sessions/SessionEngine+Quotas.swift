internal import QubusCore
internal import QubusJobs
internal import QubusTenancy
internal import Synchronization

/// Where quotas of a day meet steps: what was used is counted with every tick, and steps of those
/// who have nothing left are refused from then on. A step costs one atomic load; at most what is
/// used between two ticks goes beyond a limit.
extension SessionEngine {
  func chargeQuotas(_ sessions: [Session]) {
    for session in sessions { chargeQuotas(session, session.usage.read().usage) }
    var seen: Set<Int> = []
    for session in sessions where seen.insert(session.account.number).inserted {
      let account = session.account
      do throws(QubusError) {
        try quotas.checkDay(of: account.principal, shots: 1)
        account.isOverQuota.store(false, ordering: .relaxed)
      } catch {
        account.isOverQuota.store(true, ordering: .relaxed)
      }
    }
  }

  /// Counts what came since the last time, once, whoever is faster.
  func chargeQuotas(_ session: Session, _ usage: SessionUsage) {
    let (shots, nanoseconds) = table.withLock { _ in
      let before = session.charged
      let shots = usage.shotsUsed - min(usage.shotsUsed, before.shotsUsed)
      let time = usage.deviceNanoseconds - min(usage.deviceNanoseconds, before.deviceNanoseconds)
      session.charged.shotsUsed = max(usage.shotsUsed, before.shotsUsed)
      session.charged.deviceNanoseconds = max(usage.deviceNanoseconds, before.deviceNanoseconds)
      return (shots, time)
    }
    guard shots > 0 || nanoseconds > 0 else { return }
    quotas.charge(
      shots: shots, deviceNanoseconds: nanoseconds, to: session.account.principal)
  }

  /// - Throws: `quota_exceeded` until the next midnight, or until the limit is raised.
  @inline(never)
  func checkQuota(_ session: Session) throws(QubusError) {
    try quotas.checkDay(
      of: session.account.principal, shots: session.plan?.isSampled == true ? 1 : 0)
  }
}
