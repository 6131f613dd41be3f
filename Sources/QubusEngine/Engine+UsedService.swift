internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// What principals used outlives the service: a restart gives nobody a new start.
extension Engine {
  /// Time between two notes of it.
  private static let useInterval: Microseconds = 60_000_000
  /// Device-seconds that are not worth a row.
  private static let leastUse = 0.001

  /// Takes over what an earlier life of the service noted, worth what its age left of it.
  func restoreUse() throws(QubusError) {
    guard let useStore else { return }
    let now = clock.now()
    var use: [AccountPath: Double] = [:]
    for entry in try useStore.usedService() {
      let principal = entry.principal
      let account = AccountPath(
        tenant: principal.tenant, project: principal.project, principal: principal.name)
      use[account] = configuration.fairness.worth(entry.deviceSeconds, age: now - entry.at)
    }
    let restored = use
    scheduler.withScheduler { $0.restore(restored, now: now) }
    noteUseLater()
  }

  private func noteUseLater() {
    scheduler.schedule(at: clock.now() + Self.useInterval) { [weak self] in
      guard let self, !isStopping else { return }
      noteUse()
      noteUseLater()
    }
  }

  /// Hands what was used to the store, unless nothing ended since the last time.
  func noteUse() {
    guard let useStore else { return }
    let now = clock.now()
    let endings = scheduler.withScheduler { $0.endings }
    let isNews = notedEndings.withLock { noted in
      defer { noted = endings }
      return noted != endings
    }
    guard isNews else { return }
    let use = scheduler.withScheduler { $0.use(now: now) }
    let entries = use.filter { $0.value >= Self.leastUse }
      .sorted { $0.key.description < $1.key.description }
      .map { path, seconds in
        UsedService(
          principal: Principal(
            tenant: path.tenant, project: path.project ?? "", name: path.principal ?? ""),
          deviceSeconds: seconds, at: now)
      }
    useStore.keep(entries) { [weak self] result in
      guard case .failure(let error) = result, let self else { return }
      // The next time tries again.
      notedEndings.withLock { $0 = nil }
      logger.warning(
        "what principals used is not stored", metadata: ["error": "\(error.logText)"])
    }
  }
}
