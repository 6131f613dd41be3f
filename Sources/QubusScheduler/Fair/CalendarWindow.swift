package import QubusCore

/// A stretch of time in which a device is not, or not only, for everybody.
package struct CalendarWindow: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Somebody's.
    case reserved = "RESERVED"
    /// Nobody's, while operators work on the device.
    case maintenance = "MAINTENANCE"
    /// Nobody's, while the device is calibrated.
    case calibration = "CALIBRATION"
  }
  package var id: Identifier
  /// Number of the device, as in `SchedulerJob`.
  package var device: UInt16
  package var kind: Kind
  package var startsAt: Microseconds
  /// Exclusive.
  package var endsAt: Microseconds
  /// Others may have what the holder leaves free.
  package var isShared: Bool
  /// A project or a principal; nil: nobody.
  package var holder: AccountPath?

  package init(
    id: Identifier, device: UInt16, kind: Kind, startsAt: Microseconds, endsAt: Microseconds,
    isShared: Bool = false, holder: AccountPath? = nil
  ) {
    self.id = id
    self.device = device
    self.kind = kind
    self.startsAt = startsAt
    self.endsAt = endsAt
    self.isShared = isShared
    self.holder = holder
  }

  /// Whether it is the job's own.
  func isHeld(by job: SchedulerJob) -> Bool {
    guard let holder else { return false }
    return holder.tenant == job.tenant && holder.project ?? job.project == job.project
      && holder.principal ?? job.principal == job.principal
  }

  /// Whether the job may run in it.
  func admits(_ job: SchedulerJob) -> Bool { isShared || isHeld(by: job) }
}

/// Why a job does not start now, by the calendar.
package struct CalendarDelay: Sendable, Hashable {
  /// The first window that is closed to the job and that it would run in.
  package var window: CalendarWindow
  /// The first time from which on it would end before any such window.
  package var until: Microseconds
}

extension AccountPath {
  /// Whether what is counted there is counted here.
  func contains(_ other: AccountPath) -> Bool {
    tenant == other.tenant && (project == nil || project == other.project)
      && (principal == nil || principal == other.principal)
  }
}
