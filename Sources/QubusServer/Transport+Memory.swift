internal import Logging
internal import QubusCore

extension Transport {
  /// Above the cap, closes every connection, which frees what ZeroMQ holds for them, and listens
  /// again. Whose unfinished messages they are cannot be told.
  func watchMemory(_ now: Microseconds) {
    guard let resident = memoryWatch.look(now), !listeners.bound.isEmpty else { return }
    logger.error(
      "memory above its cap: all connections are closed and may come anew",
      metadata: ["resident_bytes": "\(resident)", "cap_bytes": "\(configuration.memoryCapBytes)"])
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
