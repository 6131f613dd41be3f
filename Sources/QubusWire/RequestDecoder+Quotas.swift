internal import CQubusProto
package import QubusCore
package import QubusJobs
internal import QubusTenancy

/// What somebody decides over a job that waits for an approval.
package enum ApprovalAction: Sendable, Hashable {
  case approve
  case refuse
  /// Approves it on another device.
  case changeDevice(String)

  /// The words of the wire.
  package var word: String {
    switch self {
    case .approve: "approve"
    case .refuse: "refuse"
    case .changeDevice: "change_device"
    }
  }
}
