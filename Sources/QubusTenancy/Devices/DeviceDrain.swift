package import QubusCore
package import QubusJobs

/// A device on which nothing starts until an operator ends it.
package struct DeviceDrain: Sendable, Hashable {
  package var device: String
  package var by: Principal
  package var reason: String
  package var since: Microseconds

  package init(device: String, by: Principal, reason: String, since: Microseconds) {
    self.device = device
    self.by = by
    self.reason = reason
    self.since = since
  }

  /// Who and why, in words.
  package var text: String { "\(by.text) drained \(device): \(reason)" }
}
