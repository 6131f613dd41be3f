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
    // One session on a family of devices with nothing left has all of its principal's asked for.
    var over: [Int: Bool] = [:]
    for session in sessions where over[session.account.number] != true {
      over[session.account.number] = isOver(session)
    }
    for session in sessions {
      session.account.isOverQuota.store(
        over[session.account.number] ?? false, ordering: .relaxed)
    }
  }

  private func isOver(_ session: Session) -> Bool {
    do throws(QubusError) {
      try quotas.checkDay(
        of: session.account.principal, on: Resource.family(ofDevice: session.base.device), shots: 1)
      return false
    } catch {
      return true
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
      shots: shots, deviceNanoseconds: nanoseconds, to: session.account.principal,
      on: Resource.family(ofDevice: session.base.device))
  }

  /// - Throws: `quota_exceeded` until the next midnight, or until the limit is raised.
  @inline(never)
  func checkQuota(_ session: Session) throws(QubusError) {
    try quotas.checkDay(
      of: session.account.principal, on: Resource.family(ofDevice: session.base.device),
      shots: session.plan?.isSampled == true ? 1 : 0)
  }
}
