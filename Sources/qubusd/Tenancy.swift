internal import Dispatch
internal import Glibc
internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusServer
internal import QubusStoreSQLite
internal import QubusTenancy

/// Who there is and what they may do, as the daemon holds it: read from the store at start, with
/// the daemon's own user as the operator of a store that knows nobody yet.
final class Tenancy: Sendable {
  let directory: Directory
  let ledger: LedgerBook
  let quotas: QuotaKeeper
  let approvalPolicies: ApprovalPolicies
  let weights: ShareWeights
  let exportPolicies: ExportPolicies
  let drains: DeviceDrains
  let reservations: ReservationBook
  private let store: SQLiteJobStore
  private let tokens: TokenIssuer
  private let verifier: TokenVerifier
  private let identifiers: IdentifierSource
  private let logger: Logger
  private let serverKey = Lock("")

  /// - Throws: what the store throws; `invalid_key` for a key file that others may read.
  init(
    _ configuration: Configuration, store: SQLiteJobStore, clock: any Clock,
    identifiers: IdentifierSource, logger: Logger
  ) throws(QubusError) {
    self.store = store
    self.logger = logger
    let policy = LocalPolicy(ownUID: getuid(), unknownUsers: configuration.localUsers)
    try Self.begin(store, policy, now: clock.now(), logger)
    let spending = TokenLedger(store, logger)
    let snapshot = try store.snapshot()
    directory = Directory(
      snapshot, policy: policy, clock: clock, shotsSpent: { spending.record($0) })
    spending.directory.withLock { [directory] in $0 = directory }
    ledger = LedgerBook(try store.ledgerSnapshot()) { turns, time in
      Self.write(turns, at: time, store, logger)
    }
    quotas = QuotaKeeper(
      snapshot.quotas, use: try store.dayUse(now: clock.now()), clock: clock)
    approvalPolicies = ApprovalPolicies(snapshot.approvalPolicies)
    weights = ShareWeights(snapshot.weights)
    exportPolicies = ExportPolicies(snapshot.exportPolicies)
    drains = DeviceDrains(snapshot.drains)
    reservations = ReservationBook(snapshot.reservations)
    self.identifiers = identifiers
    let keys = try TokenKeys(path: configuration.dataDirectory + "/token.key")
    let service = store.serviceID.description
    tokens = TokenIssuer(
      keys: keys, service: service, directory: directory, identifiers: identifiers)
    verifier = TokenVerifier(keys: keys, service: service, directory: directory)
  }

  /// At the first start the daemon's own user becomes the operator; every start is in the audit.
  private static func begin(
    _ store: SQLiteJobStore, _ policy: LocalPolicy, now: Microseconds, _ logger: Logger
  ) throws(QubusError) {
    let changes = Bootstrap.changes(try store.snapshot(), policy, now: now)
    var entry = serviceEntry("start", now: now)
    for case .createPrincipal(let record) in changes {
      entry.subject = "principal \(record.principal.text)"
      entry.reason = "first start: user \(policy.ownUID) is the operator"
      logger.notice(
        "first start: the user of the daemon is the operator",
        metadata: [
          "principal": "\(record.principal.text)", "uid": "\(policy.ownUID)",
          "see": "qubus admin --help",
        ])
    }
    try wait { store.change(changes, audit: entry, completion: $0) }
  }

  /// What the server asks at the door.
  var admission: DirectoryAdmission {
    DirectoryAdmission(directory: directory, verifier: verifier) {
      [store, directory] refusal, count in
      store.note(refusal.entry(count: count, time: directory.now()))
    }
  }

  /// - Parameter sessions: whose sessions end when they are disabled.
  func service(_ engine: Engine) -> TenancyEngine {
    TenancyEngine(
      directory: directory, store: store, tokens: tokens,
      surroundings: TenancySurroundings(
        makeKeyPair: { () throws(QubusError) in try ClientKeyPair.make() },
        serverKey: { [serverKey] in serverKey.withLock { $0 } },
        endSessions: { [weak engine] isMeant in engine?.sessions?.endSessions(of: isMeant) },
        devices: engine.deviceNames),
      ledger: LedgerSurroundings(
        book: ledger, store: store, devices: engine.deviceNames),
      quotas: quotas, approvalPolicies: approvalPolicies, weights: weights,
      exportPolicies: exportPolicies, drains: drains,
      calendar: CalendarSurroundings(
        book: reservations, devices: engine.deviceNames, identifiers: identifiers))
  }

  /// Credit that expired and subscriptions that were renewed, behind the submit that found it.
  private static func write(
    _ turns: [LedgerTurn], at time: Microseconds, _ store: SQLiteJobStore, _ logger: Logger
  ) {
    for turn in turns {
      var entry = serviceEntry("TurnOver", now: time)
      entry.subject = "credit \(turn.entitlement) of \(turn.project.text)"
      entry.tenant = turn.project.tenant
      entry.reason = "\(turn.lapsed) expired, \(turn.granted) granted"
      store.change(.ledger(.turn(turn)), audit: entry) { [logger] result in
        // Found again at the next start.
        guard case .failure(let error) = result else { return }
        logger.error(
          "the end of an entitlement is not written", metadata: ["error": "\(error.logText)"])
      }
    }
  }

  /// The key that clients of the curve endpoints need; invitations tell it.
  func serves(keys: [String]) { serverKey.withLock { $0 = keys.first ?? "" } }

  /// The daemon stops. What cannot be written is told, and stops nothing.
  func end() {
    do throws(QubusError) {
      try Self.wait { [store, directory] in
        store.record(Self.serviceEntry("stop", now: directory.now()), completion: $0)
      }
    } catch {
      logger.error("the stop is missing in the audit", metadata: ["error": "\(error.logText)"])
    }
  }

  private static func serviceEntry(_ method: String, now: Microseconds) -> AuditEntry {
    AuditEntry(
      time: now, principal: nil, credential: "uid:\(getuid())", method: method, action: "",
      subject: "service", tenant: "", outcome: .allowed, policy: "", traceID: "")
  }

  private static func wait(
    _ body: (@escaping @Sendable (Result<Void, QubusError>) -> Void) -> Void
  ) throws(QubusError) {
    let outcome = Lock<Result<Void, QubusError>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    body { result in
      outcome.withLock { $0 = result }
      isDone.signal()
    }
    isDone.wait()
    try outcome.withLock { $0 }?.get()
  }
}

/// Makes the shots that were spent with tokens durable, behind the calls that spent them.
private final class TokenLedger: Sendable {
  let directory = Lock<Directory?>(nil)
  private let store: SQLiteJobStore
  private let logger: Logger

  init(_ store: SQLiteJobStore, _ logger: Logger) {
    self.store = store
    self.logger = logger
  }

  func record(_ change: TenancyChange) {
    guard case .spendToken(let id, let shots) = change,
      let directory = directory.withLock({ $0 })
    else { return }
    let token = directory.token(id)
    let entry = AuditEntry(
      time: directory.now(), principal: token?.principal, credential: token?.boundTo ?? "",
      tokenID: id, method: "Submit", action: Action.submitJobs.rawValue,
      subject: "token \(id): \(shots) shots", tenant: token?.principal.tenant ?? "",
      outcome: .allowed, policy: "token", traceID: "")
    store.change(change, audit: entry) { [logger] result in
      guard case .failure(let error) = result else { return }
      logger.error("shots of a token are not counted", metadata: ["error": "\(error.logText)"])
    }
  }
}

extension Refusal {
  /// As the audit keeps it.
  fileprivate func entry(count: Int, time: Microseconds) -> AuditEntry {
    var entry = AuditEntry(
      time: time, principal: principal, credential: credential?.text ?? "", tokenID: tokenID,
      method: method, action: action, subject: "", tenant: principal?.tenant ?? "",
      outcome: .refused, policy: code.name, traceID: "")
    if count > 1 { entry.reason = "\(count) times within a second" }
    return entry
  }
}
