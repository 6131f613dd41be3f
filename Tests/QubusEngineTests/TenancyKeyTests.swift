import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import Testing

@Suite("Administration of keys, invitations and tokens")
struct TenancyKeyTests {
  typealias T = TenancyHarness

  @Test("a principal rotates its own keys: both hold during the overlap, the old one not after it")
  func rotation() throws {
    let harness = try TenancyHarness()
    let old = Credential.key(T.key(2))
    let new = Credential.key(T.key(50))
    try harness.perform(
      .addKey(principal: nil, key: T.key(50), validSeconds: nil), as: T.sam, reason: "yearly")
    let answer = try harness.perform(
      .revokeKey(T.key(2), overlapSeconds: 60), as: T.sam)
    guard case .key(let report) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(report.isValid && report.record.revokedAt == harness.clock.now() + 60_000_000)
    for credential in [old, new] {
      #expect(harness.directory.identity(of: credential)?.principal == T.sam)
    }
    let version = harness.directory.version
    harness.clock.advance(microseconds: 59_999_999)
    #expect(harness.directory.identity(of: old) != nil)
    harness.clock.advance(microseconds: 1)
    #expect(harness.directory.version > version)
    #expect(harness.directory.identity(of: old) == nil)
    #expect(harness.directory.identity(of: new)?.principal == T.sam)
    #expect(harness.lastEntry?.policy == "everyone")
  }

  @Test("keys of others are not there for a submitter, a viewer, or another tenant")
  func othersKeys() throws {
    let harness = try TenancyHarness()
    let olgas = T.key(6)
    for principal in [T.tia, T.sam] {
      let hidden = try harness.refusal(.revokeKey(olgas, overlapSeconds: 0), as: principal)
      let absent = try harness.refusal(.revokeKey(T.key(99), overlapSeconds: 0), as: principal)
      #expect(hidden?.code == .keyNotFound)
      #expect(hidden?.message.replacing(olgas, with: T.key(99)) == absent?.message)
      #expect(try harness.refusal(.keys(T.olga), as: principal)?.code == .principalNotFound)
      #expect(
        try harness.refusal(
          .addKey(principal: T.olga, key: T.key(98), validSeconds: nil), as: principal)?.code
          == .principalNotFound)
    }
    #expect(
      try harness.refusal(.addKey(principal: T.vic, key: T.key(98), validSeconds: nil), as: T.sam)
        != nil)
    #expect(harness.directory.identity(of: .key(olgas))?.principal == T.olga)
    guard case .keys(let own) = try harness.answer(.keys(nil), as: T.sam),
      case .keys(let seen) = try harness.answer(.keys(T.sam), as: T.pia)
    else {
      Issue.record("no list")
      return
    }
    #expect(own.map(\.record.key) == [T.key(2)] && seen == own)
  }

  @Test("a key belongs to one principal for ever, also after it was revoked")
  func taken() throws {
    let harness = try TenancyHarness()
    #expect(
      try harness.refusal(.addKey(principal: nil, key: T.key(6), validSeconds: nil), as: T.sam)?
        .code == .nameTaken)
    try harness.perform(.revokeKey(T.key(6), overlapSeconds: 0), as: T.olga)
    #expect(
      try harness.refusal(.addKey(principal: nil, key: T.key(6), validSeconds: nil), as: T.sam)?
        .code == .nameTaken)
  }

  @Test("a key with a time ends by itself, and no principal has more keys than the limit")
  func limits() throws {
    let harness = try TenancyHarness()
    try harness.perform(.addKey(principal: nil, key: T.key(60), validSeconds: 2), as: T.sam)
    #expect(harness.directory.identity(of: .key(T.key(60))) != nil)
    harness.clock.advance(microseconds: 2_000_000)
    #expect(harness.directory.identity(of: .key(T.key(60))) == nil)
    for number in 0..<UInt8(TenancyLimits.keysPerPrincipal - 1) {
      try harness.perform(
        .addKey(principal: nil, key: T.key(100 + number), validSeconds: nil), as: T.sam)
    }
    let error = try harness.refusal(
      .addKey(principal: nil, key: T.key(150), validSeconds: nil), as: T.sam)
    #expect(error?.code == .invalidRequest)
    #expect(error?.violations.first?.limit == "\(TenancyLimits.keysPerPrincipal)")
  }

  @Test("an invitation is exchanged once for a key of one's own and does nothing else")
  func invitation() throws {
    let harness = try TenancyHarness()
    let answer = try harness.perform(.createInvitation(T.sam, validSeconds: 60), as: T.pia)
    guard case .invitation(let report, let secret, let serverKey) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(report.record.isInvitation && secret.hasPrefix("secret") && serverKey == "server's key")
    #expect(harness.lastEntry?.subject.contains(secret) == false)
    let invited = try #require(harness.directory.identity(of: .key(report.record.key)))
    #expect(invited.isInvitation && invited.principal == T.sam)
    let orders: [TenancyOrder] = [
      .revokeKey(T.key(2), overlapSeconds: 0), .revokeToken("x"),
      .addKey(principal: T.vic, key: T.key(70), validSeconds: nil),
      .grantRole(GrantRecord(principal: T.vic, grant: Grant(.viewer, TenancyGrantTests.qc))),
      .issueToken(
        TokenOrder(
          boundTo: nil, actions: [.submitJobs], project: nil, validSeconds: 60, shots: nil)),
    ]
    for order in orders {
      let error = #expect(throws: QubusError.self) { try harness.perform(order, as: invited) }
      #expect(error?.code.entry.errorClass == .auth, "\(order)")
    }
    #expect(throws: QubusError.self) {
      try harness.engine.answer(.keys(nil), context: harness.context(invited))
    }
    #expect(!Authority.mayAnywhere(invited, .submitJobs, now: harness.clock.now()))
    try harness.perform(.addKey(principal: nil, key: T.key(70), validSeconds: nil), as: invited)
    #expect(harness.directory.identity(of: .key(report.record.key)) == nil)
    #expect(harness.directory.identity(of: .key(T.key(70)))?.principal == T.sam)
    // A second AddKey that was already on its way comes too late.
    let late = #expect(throws: QubusError.self) {
      try harness.perform(.addKey(principal: nil, key: T.key(71), validSeconds: nil), as: invited)
    }
    #expect(late?.code == .unauthenticated)
    #expect(harness.directory.key(T.key(71)) == nil)
  }

  @Test("an invitation that was not taken up in time is worth nothing")
  func expiredInvitation() throws {
    let harness = try TenancyHarness()
    let answer = try harness.perform(.createInvitation(T.sam, validSeconds: 60), as: T.pia)
    guard case .invitation(let report, _, _) = answer else {
      Issue.record("\(answer)")
      return
    }
    harness.clock.advance(microseconds: 60_000_000)
    #expect(harness.directory.identity(of: .key(report.record.key)) == nil)
  }

  // MARK: Tokens

  private static let order = TokenOrder(
    boundTo: .key(TenancyHarness.key(3)), actions: [.submitJobs, .readJobs], project: "qc",
    validSeconds: 60, shots: 1000)

  private func issue(_ harness: TenancyHarness) throws -> (String, TokenRecord) {
    let answer = try harness.perform(.issueToken(Self.order), as: T.sam)
    guard case .token(let text, let record) = answer else {
      throw QubusError(.internalError, "\(answer)")
    }
    return (text, record)
  }

  @Test("a token carries its issuer's rights to the key it is bound to, and to no other")
  func token() throws {
    let harness = try TenancyHarness()
    let (text, record) = try issue(harness)
    #expect(harness.lastEntry?.subject.contains(text) == false)
    #expect(harness.lastEntry?.subject.contains(record.id) == true)
    let bearer = try harness.verifier.identity(text, over: harness.identity(T.vic))
    #expect(bearer.principal == T.sam && bearer.token?.maxShots == 1000)
    let stolen = #expect(throws: QubusError.self) {
      try harness.verifier.identity(text, over: harness.identity(T.olga))
    }
    #expect(stolen?.code == .tokenInvalid)
    // It changes nothing, whatever its issuer may.
    for order: TenancyOrder in [
      .addKey(principal: nil, key: T.key(80), validSeconds: nil),
      .issueToken(Self.order), .revokeToken(record.id),
    ] {
      let error = #expect(throws: QubusError.self) { try harness.perform(order, as: bearer) }
      #expect(error?.code == .permissionDenied)
    }
  }

  @Test("rights that one does not hold are not handed on")
  func notOnesOwn() throws {
    let harness = try TenancyHarness()
    var order = Self.order
    order.actions = [.manageJobs]
    #expect(try harness.refusal(.issueToken(order), as: T.sam)?.code == .permissionDenied)
    order.actions = [.readJobs]
    #expect(try harness.refusal(.issueToken(order), as: T.vic)?.code == .permissionDenied)
    order.boundTo = .loopback
    #expect(try harness.refusal(.issueToken(order), as: T.sam)?.code == .invalidRequest)
  }

  @Test("a token ends when it is revoked, by its issuer or an administrator, and with its issuer")
  func revokedToken() throws {
    for principal in [T.sam, T.pia, T.root] {
      let harness = try TenancyHarness()
      let (text, record) = try issue(harness)
      for stranger in [T.vic, T.olga] {
        #expect(
          try harness.refusal(.revokeToken(record.id), as: stranger)?.code.entry.errorClass
            == .auth)
      }
      try harness.perform(.revokeToken(record.id), as: principal)
      let error = #expect(throws: QubusError.self) {
        try harness.verifier.identity(text, over: harness.identity(T.vic))
      }
      #expect(error?.code == .tokenExpired)
    }
    let harness = try TenancyHarness()
    let (text, _) = try issue(harness)
    try harness.perform(.updatePrincipal(T.sam, isDisabled: true, user: nil), as: T.pia)
    #expect(throws: QubusError.self) {
      try harness.verifier.identity(text, over: harness.identity(T.vic))
    }
  }

  @Test("an operator rotates the key of tokens; those of the one before end within their time")
  func tokenKeyRotated() throws {
    let harness = try TenancyHarness()
    let (before, record) = try issue(harness)
    let now = harness.clock.now()
    let answer = try harness.perform(.rotateTokenKey, as: T.root, reason: "yearly")
    guard case .tokenKeyRotated(let id, let previousUntil) = answer else {
      Issue.record("answered \(answer)")
      return
    }
    #expect(id.count == 16 && previousUntil == now + 900_000_000)
    let entry = try #require(harness.lastEntry)
    #expect(entry.method == "RotateTokenKey" && entry.action == "tenants.manage")
    #expect(entry.subject == "key of tokens" && entry.reason == "yearly")
    let (after, _) = try issue(harness)
    let header = try #require(after.split(separator: ".").first)
    #expect(!before.hasPrefix(header))
    for token in [before, after] {
      let bearer = try harness.verifier.identity(token, over: harness.identity(T.vic))
      #expect(bearer.principal == T.sam)
    }
    harness.clock.advance(microseconds: record.expiresAt - now)
    #expect(throws: QubusError.self) {
      try harness.verifier.identity(before, over: harness.identity(T.vic))
    }
  }

  @Test("nobody but an operator rotates the key of tokens; a token rotates nothing")
  func tokenKeyKept() throws {
    let harness = try TenancyHarness()
    let (text, _) = try issue(harness)
    for principal in T.everyone where principal != T.root {
      #expect(
        try harness.refusal(.rotateTokenKey, as: principal)?.code == .permissionDenied)
    }
    let bearer = try harness.verifier.identity(text, over: harness.identity(T.vic))
    #expect(throws: QubusError.self) { try harness.perform(.rotateTokenKey, as: bearer) }
    let (again, _) = try issue(harness)
    #expect(again.split(separator: ".").first == text.split(separator: ".").first)
  }

  @Test("a key that cannot be written is told in the audit, and the one before goes on")
  func tokenKeyUnwritable() throws {
    let harness = try TenancyHarness()
    let (before, _) = try issue(harness)
    try harness.blockKeyFile()
    let error = try harness.refusal(.rotateTokenKey, as: T.root)
    #expect(error?.code == .storageUnavailable)
    let entry = try #require(harness.lastEntry)
    #expect(entry.outcome == .failed && entry.policy == "storage_unavailable")
    let (after, _) = try issue(harness)
    #expect(after.split(separator: ".").first == before.split(separator: ".").first)
  }
}
