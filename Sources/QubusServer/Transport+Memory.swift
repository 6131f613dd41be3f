internal import Logging
internal import QubusCore

extension Transport {
  /// Cuts off peers whose messages have no end. If memory stays above its cap, closes every
  /// connection, which frees what ZeroMQ holds for them, and listens again: of ipc connections it
  /// cannot be told whose unfinished messages they are.
  func watchMemory(_ now: Microseconds) {
    guard let look = memoryWatch.look(now), !listeners.bound.isEmpty else { return }
    if look.isAlarming || unfinished.isDue(now, resident: look.resident) {
      var offenders = Set(
        unfinished.look(
          now, resident: look.resident, ports: listeners.ports, isPressing: look.isPressing))
      if look.isPressing { offenders.formUnion(deaf()) }
      cutOff(offenders, look, now)
      if unfinished.hasSuspects { memoryWatch.hurries(now) }
      let isAtWork = !look.isPressing || !offenders.isEmpty || unfinished.hasSuspects
      if look.isPatient, isAtWork { return }
    }
    if look.isAlarming { closeAll(look) }
  }

  /// Those of clients that leave much unread.
  private func deaf() -> [Int32] {
    connections.values.filter { $0.unread.count > UnfinishedMessages.suspicious }
      .compactMap(\.descriptor)
  }

  private func cutOff(_ offenders: Set<Int32>, _ look: MemoryWatch.Look, _ now: Microseconds) {
    guard !offenders.isEmpty else { return }
    let names = connections.values.filter { $0.descriptor.map(offenders.contains) ?? false }
      .map(\.name)
    logger.warning(
      "connections cut off: their messages do not end, or they read no answers",
      metadata: [
        "count": "\(offenders.count)", "principal": "\(names.joined(separator: " "))",
        "resident_bytes": "\(look.resident)", "limit": "\(configuration.unfinishedBytes)",
      ])
    for descriptor in offenders { UnfinishedMessages.cutOff(descriptor) }
    memoryWatch.freesSome(now)
  }

  private func closeAll(_ look: MemoryWatch.Look) {
    logger.error(
      "memory above its cap: all connections are closed and may come anew",
      metadata: [
        "resident_bytes": "\(look.resident)", "cap_bytes": "\(configuration.memoryCapBytes)",
      ])
    for connection in Array(connections.values) { forget(connection) }
    do throws(QubusError) {
      try listeners.rebind()
    } catch {
      logger.critical("cannot listen again: \(error)")
    }
    ResidentMemory.trim()
    memoryWatch.remedied()
  }
}
