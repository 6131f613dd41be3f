package import QubusCore
package import QubusTenancy

/// The tenancy as the transport asks it: its directory and the tokens of it.
package struct DirectoryAdmission: Admission {
  private let directory: Directory
  private let verifier: TokenVerifier
  private let wasRefused: @Sendable (Refusal, Int) -> Void

  /// - Parameter wasRefused: for the audit: what, and how often within a second; must not block.
  package init(
    directory: Directory, verifier: TokenVerifier,
    wasRefused: @escaping @Sendable (Refusal, Int) -> Void
  ) {
    self.directory = directory
    self.verifier = verifier
    self.wasRefused = wasRefused
  }

  package var version: UInt64 { directory.version }

  package func identity(of credential: Credential) -> Identity? {
    directory.identity(of: credential)
  }

  package func identity(
    presenting token: [UInt8], over connection: Identity
  ) throws(QubusError) -> Identity {
    try verifier.identity(presenting: token, over: connection)
  }

  package func refused(_ refusal: Refusal, count: Int) { wasRefused(refusal, count) }
}
