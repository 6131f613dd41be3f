package import QubusCore
package import QubusJobs
package import QubusTenancy

/// The door as the directory has it: who is known, whose token holds good; what is turned away goes
/// into the audit.
package final class DirectoryAdmission: Admission {
  private let directory: Directory
  private let verifier: TokenVerifier
  private let store: any TenancyStore
  /// Told when the audit cannot be written.
  private let failed: @Sendable (QubusError) -> Void

  package init(
    directory: Directory, verifier: TokenVerifier, store: any TenancyStore,
    failed: @escaping @Sendable (QubusError) -> Void
  ) {
    self.directory = directory
    self.verifier = verifier
    self.store = store
    self.failed = failed
  }

  package var version: UInt64 { directory.version }

  package func identity(of credential: Credential) -> Identity? {
    directory.identity(of: credential)
  }

  package func identity(
    presenting token: [UInt8], over connection: Identity
  ) throws(QubusError) -> Identity {
    try verifier.identity(String(decoding: token, as: UTF8.self), over: connection)
  }

  package func refused(_ refusal: Refusal, count: Int) {
    var entry = AuditEntry(
      time: directory.now(), principal: refusal.principal,
      credential: refusal.credential?.text ?? "", tokenID: refusal.tokenID,
      method: refusal.method, action: refusal.action, subject: "",
      tenant: refusal.principal?.tenant ?? "", outcome: .refused, policy: refusal.code.name,
      traceID: "")
    if count > 1 { entry.reason = "\(count) times within a second" }
    store.record(entry) { [failed] result in
      if case .failure(let error) = result { failed(error) }
    }
  }
}
