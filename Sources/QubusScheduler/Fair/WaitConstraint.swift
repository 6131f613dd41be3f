package import QubusCore

/// One reason why a job does not run now. Of others only sums are told.
package struct WaitConstraint: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable {
    /// Others have their turn before it.
    case shareTurn = "SHARE_TURN"
    /// It needs more than is free.
    case tooLarge = "TOO_LARGE"
    /// What is free is kept for one whose turn is earlier, or for whom the device is reserved.
    case reserved = "RESERVED"
    /// Operators work on the device, or will.
    case maintenance = "MAINTENANCE"
    /// The device is calibrated, or will be.
    case calibration = "CALIBRATION"
    /// The device is drained.
    case deviceOffline = "DEVICE_OFFLINE"
    /// It ran and made room.
    case preempted = "PREEMPTED"
    /// Its principal, project or tenant has as much running as it may.
    case quota = "QUOTA"
    /// Somebody does not want it to start yet.
    case paused = "PAUSED"
    /// An operator does not want it to start yet.
    case held = "HELD"
    /// Other jobs have to end first.
    case dependency = "DEPENDENCY"
    /// Somebody has to allow it first.
    case approval = "APPROVAL"
    /// It will hardly end by its deadline.
    case deadline = "DEADLINE"
  }
  package var kind: Kind
  package var since: Microseconds
  package var detail: String
  /// What would take it away.
  package var remedy: String
  /// How much later it makes the start, as far as is known.
  package var delay: Microseconds?

  package init(
    kind: Kind, since: Microseconds, detail: String, remedy: String, delay: Microseconds? = nil
  ) {
    self.kind = kind
    self.since = since
    self.detail = detail
    self.remedy = remedy
    self.delay = delay
  }
}

extension WaitConstraint {
  static func deviceOffline(since: Microseconds) -> WaitConstraint {
    WaitConstraint(
      kind: .deviceOffline, since: since, detail: "the device is drained and starts nothing",
      remedy: "the end of the drain, by an operator")
  }

  static func deviceOffline(_ outage: DeviceOutage) -> WaitConstraint {
    WaitConstraint(
      kind: .deviceOffline, since: outage.since, detail: outage.detail, remedy: outage.remedy)
  }
}
