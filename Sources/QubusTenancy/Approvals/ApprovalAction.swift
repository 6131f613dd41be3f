/// What somebody decides over a job that waits for an approval.
package enum ApprovalAction: Sendable, Hashable {
  case approve
  case refuse
  /// Approves it on another device.
  case changeDevice(String)

  /// The words of the wire.
  package static let words = ["approve", "refuse", "change_device"]

  package var word: String {
    switch self {
    case .approve: Self.words[0]
    case .refuse: Self.words[1]
    case .changeDevice: Self.words[2]
    }
  }
}
