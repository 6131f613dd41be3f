package import QubusCore

/// Device-seconds that a principal used up to a time, worth what their age had left of them then.
package struct UsedService: Sendable, Hashable {
  package var principal: Principal
  package var deviceSeconds: Double
  package var at: Microseconds

  package init(principal: Principal, deviceSeconds: Double, at: Microseconds) {
    self.principal = principal
    self.deviceSeconds = deviceSeconds
    self.at = at
  }
}

/// Keeps what principals used, so that a restart gives nobody a new start.
package protocol UsedServiceStore: Sendable {
  /// Replaces all that was kept, in one transaction. The completion runs after the commit, on the
  /// store's thread.
  func keep(
    _ use: [UsedService], completion: @escaping @Sendable (Result<Void, QubusError>) -> Void)
  /// What was kept last; may block on the disk.
  func usedService() throws(QubusError) -> [UsedService]
}
