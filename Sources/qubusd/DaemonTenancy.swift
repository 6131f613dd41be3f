internal import Dispatch
internal import Glibc
internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusServer
internal import QubusTenancy

/// Who there is and what they may do, as the store has it, and how the server asks.
final class DaemonTenancy: Sendable {
  let directory: Directory
  let tokenKeys: TokenKeys
  let admission: DirectoryAdmission

  /// Reads everybody, and the first time makes the daemon's own user the operator.
  /// - Throws: the store's errors; `invalid_key` when others may read `token.key`.
  init(
    _ store: any TenancyStore, dataDirectory: String, clock: any Clock, logger: Logger
  ) throws(QubusError) {
    let policy = LocalPolicy(ownUID: getuid())
    let directory = Directory(try store.snapshot(), policy: policy, clock: clock)
    tokenKeys = try TokenKeys(path: dataDirectory + "/token.key")
    self.directory = directory
    let verifier = TokenVerifier(
      keys: tokenKeys, service: store.serviceID.description, directory: directory)
    admission = DirectoryAdmission(directory: directory, verifier: verifier) { refusal, count in
      store.record(Self.entry(refusal, count, clock.now())) { result in
        guard case .failure(let error) = result else { return }
        logger.error("a refusal is not in the audit: \(error)")
      }
    }
    try start(store, policy, clock.now(), logger)
  }

  private func start(
    _ store: any TenancyStore, _ policy: LocalPolicy, _ now: Microseconds, _ logger: Logger
  ) throws(QubusError) {
    let changes = Bootstrap.changes(try store.snapshot(), policy, now: now)
    let owner = policy.principal(of: policy.ownUID)
    let entry = AuditEntry(
      time: now, principal: owner, credential: Credential.localUser(uid: policy.ownUID).text,
      method: "start", action: "", subject: "service", tenant: "", outcome: .allowed,
      policy: changes.isEmpty ? "" : "first start", traceID: "")
    let outcome = Lock<Result<Void, QubusError>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    store.change(changes, audit: entry) { result in
      outcome.withLock { $0 = result }
      isDone.signal()
    }
    isDone.wait()
    try outcome.withLock { $0 }?.get()
    guard !changes.isEmpty else { return }
    directory.apply(changes)
    logger.notice(
      "first start: the daemon's own user is operator, and administrator of the default tenant",
      metadata: ["principal": "\(owner.text)", "uid": "\(policy.ownUID)"])
  }

  private static func entry(
    _ refusal: Refusal, _ count: Int, _ now: Microseconds
  ) -> AuditEntry {
    AuditEntry(
      time: now, principal: refusal.principal, credential: refusal.credential?.text ?? "",
      tokenID: refusal.tokenID, method: refusal.method, action: refusal.action, subject: "",
      tenant: refusal.principal?.tenant ?? "", outcome: .refused, policy: refusal.code.name,
      reason: count > 1 ? "\(count) times within a second" : "", traceID: "")
  }
}
