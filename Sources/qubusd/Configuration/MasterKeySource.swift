internal import QubusCore
internal import QubusTenancy

/// Where the master key comes from.
enum MasterKeySource: Sendable, Equatable {
  case file(String)
  /// For `/bin/sh -c`; its standard output is the key.
  case command(String)

  /// - Throws: `invalid_key`, `storage_unavailable`.
  func read() throws(QubusError) -> MasterKey {
    switch self {
    case .file(let path): try MasterKey(file: path)
    case .command(let command):
      try MasterKey(text: try KeyCommand.output(command), source: "the command")
    }
  }

  /// For logs; the command may hold a password.
  var kind: String {
    switch self {
    case .file: "file"
    case .command: "command"
    }
  }
}
