internal import QubusCore

/// What the daemon ends with; numbers of sysexits(3). Documented in docs/configuration.md.
enum DaemonExit: Int32 {
  case success = 0
  /// A fault of the daemon.
  case software = 70
  /// A directory or socket cannot be made.
  case cannotCreate = 73
  /// The disk failed or is full, or the data are damaged.
  case inputOutput = 74
  /// Another daemon has the directory or the endpoint.
  case locked = 75
  /// The configuration is wrong, or the data belong to a newer version.
  case configuration = 78

  init(_ error: QubusError) {
    switch error.code {
    case .invalidConfiguration, .invalidKey, .dataDirectoryNewerVersion, .masterKeyRequired,
      .wrongMasterKey:
      self = .configuration
    case .dataDirectoryLocked, .endpointInUse: self = .locked
    case .dataDirectoryNotWritable, .permissionDenied: self = .cannotCreate
    case .diskFull, .storageUnavailable, .dataDirectoryCorrupt, .resultCorrupt, .backupInvalid:
      self = .inputOutput
    default: self = .software
    }
  }
}
