import Foundation
import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import Testing

/// Administration over a store in memory: an operator `default/default/root` and, in the tenant
/// `lab` with the projects `qc` and `nmr`, an administrator of the tenant `tia`, one of the project
/// `pia`,
/// a submitter `sam`, a viewer `vic` and an auditor `ada`. The tenant `other` has `olga` in `x`,
/// who is a submitter.
final class TenancyHarness {
  let clock = ManualClock()
  let store: MemoryTenancyStore
  let directory: Directory
  let engine: TenancyEngine
  let verifier: TokenVerifier
  let ended = Lock<[Principal]>([])
  private let keyPath: String

  static let root = Principal(tenant: "default", project: "default", name: "root")
  static let tia = Principal(tenant: "lab", project: "qc", name: "tia")
  static let pia = Principal(tenant: "lab", project: "qc", name: "pia")
  static let sam = Principal(tenant: "lab", project: "qc", name: "sam")
  static let vic = Principal(tenant: "lab", project: "qc", name: "vic")
  static let ada = Principal(tenant: "lab", project: "qc", name: "ada")
  static let nina = Principal(tenant: "lab", project: "nmr", name: "nina")
  static let olga = Principal(tenant: "other", project: "x", name: "olga")
  static let everyone = [root, tia, pia, sam, vic, ada, nina, olga]

  /// A different valid key for each number.
  static func key(_ number: UInt8) -> String {
    let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
    return String(repeating: "0", count: 38)
      + String(decoding: [digits[Int(number) / 36], digits[Int(number) % 36]], as: UTF8.self)
  }

  init() throws {
    let clock = clock
    store = MemoryTenancyStore(clock: clock)
    let now = clock.now()
    let qc = Scope(tenant: "lab", project: "qc")
    var changes: [TenancyChange] = []
    for (tenant, projects) in [("lab", ["qc", "nmr"]), ("other", ["x"])] {
      changes.append(.createTenant(TenantRecord(name: tenant, createdAt: now)))
      for name in projects {
        changes.append(
          .createProject(ProjectRecord(tenant: tenant, name: name, owner: "", createdAt: now)))
      }
    }
    for principal in Self.everyone {
      let uid: UInt32? = principal == Self.root ? 1000 : nil
      changes.append(
        .createPrincipal(PrincipalRecord(principal: principal, uid: uid, createdAt: now)))
    }
    for (index, principal) in Self.everyone.dropFirst().enumerated() {
      changes.append(
        .addKey(
          ClientKeyRecord(key: Self.key(UInt8(index)), principal: principal, createdAt: now)))
    }
    let grants: [(Principal, Grant)] = [
      (Self.root, Grant(.operator, Scope())), (Self.tia, Grant(.tenantAdmin, Scope(tenant: "lab"))),
      (Self.pia, Grant(.projectAdmin, qc)), (Self.sam, Grant(.submitter, qc)),
      (Self.vic, Grant(.viewer, qc)), (Self.ada, Grant(.auditor, Scope(tenant: "lab"))),
      (Self.nina, Grant(.submitter, Scope(tenant: "lab", project: "nmr"))),
      (Self.olga, Grant(.submitter, Scope(tenant: "other", project: "x"))),
    ]
    changes += grants.map { .grant(GrantRecord(principal: $0.0, grant: $0.1)) }
    let entry = AuditEntry(
      time: now, principal: nil, credential: "", method: "start", action: "", subject: "",
      tenant: "", outcome: .allowed, policy: "", traceID: "")
    store.change(changes, audit: entry) { result in
      #expect(throws: Never.self) { try result.get() }
    }
    directory = Directory(
      store.snapshot(), policy: LocalPolicy(ownUID: 1000, userName: { _ in nil }), clock: clock)
    keyPath = NSTemporaryDirectory() + "qubus-\(UUID().uuidString).key"
    let keys = try TokenKeys(path: keyPath)
    let service = store.serviceID.description
    verifier = TokenVerifier(keys: keys, service: service, directory: directory)
    let pairs = Lock<UInt8>(200)
    let ended = ended
    engine = TenancyEngine(
      directory: directory, store: store,
      tokens: TokenIssuer(
        keys: keys, service: service, directory: directory,
        identifiers: IdentifierSource(clock: clock)),
      surroundings: TenancySurroundings(
        makeKeyPair: { () throws(QubusError) in
          let number = pairs.withLock { number in
            defer { number += 1 }
            return number
          }
          return ClientKeyPair(publicKey: Self.key(number), secretKey: "secret of \(number)")
        },
        serverKey: { "server's key" },
        endSessions: { isMeant in
          ended.withLock { $0 = Self.everyone.filter(isMeant) }
        }, devices: ["sim.a", "qpu.b"]),
      calendar: CalendarSurroundings(
        book: ReservationBook(), devices: ["sim.statevector", "qpu.test"],
        identifiers: IdentifierSource(clock: clock)))
  }

  deinit {
    for path in [keyPath, keyPath + ".new"] { try? FileManager.default.removeItem(atPath: path) }
  }

  /// No other key of tokens can be written from now on.
  func blockKeyFile() throws {
    try FileManager.default.createDirectory(
      atPath: keyPath + ".new", withIntermediateDirectories: false)
  }

  /// Who somebody is at present, over a key of theirs, or as a user of the machine.
  func identity(_ principal: Principal) throws -> Identity {
    if principal == Self.root {
      return try #require(directory.identity(of: .localUser(uid: 1000)))
    }
    let key = try #require(
      directory.keys(of: principal).first { $0.isValid(at: clock.now()) && !$0.isInvitation })
    return try #require(directory.identity(of: .key(key.key)))
  }

  func context(_ identity: Identity) -> CallContext {
    CallContext(
      identity: identity, clientVersion: "test", traceID: "0af7651916cd43dd8448eb211c80319c")
  }

  @discardableResult
  func perform(
    _ order: TenancyOrder, as identity: Identity, reason: String = ""
  ) throws -> TenancyAnswer {
    let outcome = Lock<Result<TenancyAnswer, QubusError>?>(nil)
    engine.perform(order, reason: reason, context: context(identity)) { result in
      outcome.withLock { $0 = result }
    }
    // The store in memory answers at once.
    return try #require(outcome.withLock { $0 }).get()
  }

  @discardableResult
  func perform(
    _ order: TenancyOrder, as principal: Principal, reason: String = ""
  ) throws -> TenancyAnswer {
    try perform(order, as: identity(principal), reason: reason)
  }

  func answer(_ query: TenancyQuery, as principal: Principal) throws -> TenancyAnswer {
    try engine.answer(query, context: context(identity(principal)))
  }

  /// The code of the refusal; nil: it was allowed.
  func refusal(_ order: TenancyOrder, as principal: Principal) throws -> QubusError? {
    let identity = try identity(principal)
    do {
      _ = try perform(order, as: identity)
      return nil
    } catch let error as QubusError { return error }
  }

  func refusal(_ query: TenancyQuery, as principal: Principal) throws -> QubusError? {
    let context = try context(identity(principal))
    do {
      _ = try engine.answer(query, context: context)
      return nil
    } catch { return error }
  }

  /// The last record of the audit.
  var lastEntry: AuditEntry? { store.audit.records.last?.entry }
}
