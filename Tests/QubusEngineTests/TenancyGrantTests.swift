import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import Testing

@Suite("Administration of principals and roles")
struct TenancyGrantTests {
  typealias T = TenancyHarness
  static let qc = Scope(tenant: "lab", project: "qc")

  /// Every scope that the harness knows, narrow to wide.
  static let scopes = [
    Scope(tenant: "lab", project: "qc", deviceFamily: "sim"), qc,
    Scope(tenant: "lab", project: "nmr"), Scope(tenant: "lab"), Scope(tenant: "other"),
    Scope(tenant: "other", project: "x"), Scope(deviceFamily: "sim"), Scope(),
  ]

  @Test("each role is granted by its granters within their own scope, and by nobody else")
  func matrix() throws {
    var allowed = 0
    for granter in T.everyone {
      for role in Role.allCases {
        for scope in Self.scopes where role.isGrantable(for: scope) {
          // Anew each time: a grant would change who may grant.
          let harness = try TenancyHarness()
          let grant = Grant(role, scope)
          let own = try harness.identity(granter).grants
          let may = own.contains {
            role.granters.contains($0.role) && $0.scope.contains(scope)
          }
          // Of whom the granter may know, or a refusal would be of another kind.
          let target = scope.tenant == "other" ? T.olga : T.vic
          let before = harness.directory.grants(of: target)
          let error = try harness.refusal(
            .grantRole(GrantRecord(principal: target, grant: grant)), as: granter)
          if may {
            allowed += 1
            let isNew = !before.contains(grant)
            #expect(error?.code == (isNew ? nil : .nameTaken), "\(granter.text): \(grant.text)")
          } else {
            #expect(error?.code.entry.errorClass == .auth, "\(granter.text): \(grant.text)")
            #expect(harness.directory.grants(of: target) == before)
          }
        }
      }
    }
    #expect(allowed > 20)
  }

  @Test("a right that was granted counts with the next identity, and not after it was revoked")
  func takesEffect() throws {
    let harness = try TenancyHarness()
    let record = GrantRecord(principal: T.vic, grant: Grant(.submitter, Self.qc))
    func maySubmit() throws -> Bool {
      let verdict = Authority.decide(
        try harness.identity(T.vic), .submitJobs, on: T.vic.resource, now: harness.clock.now())
      if case .allowed = verdict { return true }
      return false
    }
    #expect(try !maySubmit())
    let answer = try harness.perform(.grantRole(record), as: T.pia, reason: "new in the group")
    guard case .principal(let report) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(Set(report.grants) == [Grant(.viewer, Self.qc), record.grant])
    #expect(harness.lastEntry?.subject == "principal lab/qc/vic: submitter of lab/qc")
    #expect(harness.lastEntry?.policy == "project_admin of lab/qc")
    #expect(try maySubmit())
    try harness.perform(.revokeRole(record), as: T.pia)
    #expect(try !maySubmit())
    let again = try harness.refusal(.revokeRole(record), as: T.pia)
    #expect(again?.code == .invalidRequest)
  }

  @Test("a change that waited behind one that took its caller's rights is refused")
  func rightsOfNow() throws {
    let harness = try TenancyHarness()
    let before = try harness.identity(T.pia)
    try harness.perform(
      .revokeRole(GrantRecord(principal: T.pia, grant: Grant(.projectAdmin, Self.qc))), as: T.tia)
    let error = #expect(throws: QubusError.self) {
      try harness.perform(
        .grantRole(GrantRecord(principal: T.vic, grant: Grant(.submitter, Self.qc))), as: before)
    }
    #expect(error?.code == .permissionDenied)
  }

  @Test("principals of other tenants cannot be granted anything: they are not there")
  func strangers() throws {
    let harness = try TenancyHarness()
    for stranger in [T.olga, Principal(tenant: "other", project: "x", name: "nobody")] {
      let error = try harness.refusal(
        .grantRole(GrantRecord(principal: stranger, grant: Grant(.viewer, Self.qc))), as: T.tia)
      #expect(error?.code == .principalNotFound)
    }
  }

  @Test("who manages principals makes them with roles they may grant, all or nothing")
  func createPrincipal() throws {
    let harness = try TenancyHarness()
    let new = Principal(tenant: "lab", project: "qc", name: "new")
    let refused = try harness.refusal(
      .createPrincipal(
        new, uid: nil,
        grants: [Grant(.submitter, Self.qc), Grant(.tenantAdmin, Scope(tenant: "lab"))]),
      as: T.pia)
    #expect(refused?.code == .permissionDenied)
    #expect(harness.directory.principal(new) == nil)
    try harness.perform(
      .createPrincipal(new, uid: nil, grants: [Grant(.submitter, Self.qc)]), as: T.pia)
    #expect(harness.directory.grants(of: new) == [Grant(.submitter, Self.qc)])
    #expect(
      try harness.refusal(.createPrincipal(new, uid: nil, grants: []), as: T.pia)?.code
        == .nameTaken)
    for principal in [T.sam, T.vic, T.ada] {
      let error = try harness.refusal(
        .createPrincipal(
          Principal(tenant: "lab", project: "qc", name: "n2"), uid: nil, grants: []),
        as: principal)
      #expect(error?.code == .permissionDenied)
    }
    let elsewhere = try harness.refusal(
      .createPrincipal(
        Principal(tenant: "other", project: "x", name: "n3"), uid: nil, grants: []), as: T.tia)
    #expect(elsewhere?.code == .projectNotFound)
  }

  @Test("which user of the machine is whom, operators alone say")
  func users() throws {
    let harness = try TenancyHarness()
    let new = Principal(tenant: "lab", project: "qc", name: "new")
    #expect(
      try harness.refusal(.createPrincipal(new, uid: 2000, grants: []), as: T.tia)?.code
        == .permissionDenied)
    #expect(
      try harness.refusal(
        .updatePrincipal(T.sam, isDisabled: nil, user: .set(2000)), as: T.tia)?.code
        == .permissionDenied)
    try harness.perform(
      .updatePrincipal(T.sam, isDisabled: nil, user: .set(2000)), as: T.root)
    #expect(harness.directory.identity(of: .localUser(uid: 2000))?.principal == T.sam)
    // One user is one principal.
    #expect(
      try harness.refusal(
        .updatePrincipal(T.vic, isDisabled: nil, user: .set(2000)), as: T.root)?.code
        == .nameTaken)
    try harness.perform(.updatePrincipal(T.sam, isDisabled: nil, user: .nobody), as: T.root)
    #expect(harness.directory.identity(of: .localUser(uid: 2000))?.principal != T.sam)
  }

  @Test("a disabled principal is nobody at once and its sessions end")
  func disable() throws {
    let harness = try TenancyHarness()
    try harness.perform(.updatePrincipal(T.sam, isDisabled: true, user: nil), as: T.pia)
    #expect(harness.directory.identity(of: .key(T.key(2))) == nil)
    #expect(harness.ended.withLock { $0 } == [T.sam])
    try harness.perform(.updatePrincipal(T.sam, isDisabled: false, user: nil), as: T.pia)
    #expect(harness.directory.identity(of: .key(T.key(2)))?.principal == T.sam)
  }

  @Test("nobody disables, invites or gives keys to somebody of more rights")
  func rank() throws {
    let harness = try TenancyHarness()
    let orders: [TenancyOrder] = [
      .updatePrincipal(T.tia, isDisabled: true, user: nil),
      .createInvitation(T.tia, validSeconds: 60),
      .addKey(principal: T.tia, key: T.key(100), validSeconds: nil),
      .revokeKey(T.key(0), overlapSeconds: 0),
    ]
    for order in orders {
      #expect(try harness.refusal(order, as: T.pia)?.code == .permissionDenied, "\(order)")
    }
    // The auditor's role is the operator's to give, so not even the tenant's administrator.
    #expect(
      try harness.refusal(.createInvitation(T.ada, validSeconds: 60), as: T.tia)?.code
        == .permissionDenied)
    for order in orders { #expect(try harness.refusal(order, as: T.root) == nil, "\(order)") }
  }

  @Test("the last operator is neither removed, nor disabled, nor locked out")
  func lastOperator() throws {
    let harness = try TenancyHarness()
    let grant = GrantRecord(principal: T.root, grant: Grant(.operator, Scope()))
    let orders: [TenancyOrder] = [
      .revokeRole(grant), .updatePrincipal(T.root, isDisabled: true, user: nil),
      .updatePrincipal(T.root, isDisabled: nil, user: .nobody),
      .updateTenant(name: "default", isDisabled: true),
    ]
    for order in orders {
      let error = try harness.refusal(order, as: T.root)
      #expect(error?.code == .permissionDenied, "\(order)")
      #expect(error?.message.contains("last operator") == true)
    }
    // With a lasting key the user is not needed, and then the key is.
    try harness.perform(.addKey(principal: nil, key: T.key(90), validSeconds: nil), as: T.root)
    let operatorByKey = try #require(harness.directory.identity(of: .key(T.key(90))))
    try harness.perform(
      .updatePrincipal(T.root, isDisabled: nil, user: .nobody), as: operatorByKey)
    let last = #expect(throws: QubusError.self) {
      try harness.perform(.revokeKey(T.key(90), overlapSeconds: 60), as: operatorByKey)
    }
    #expect(last?.message.contains("last operator") == true)
    // Another operator who can connect makes all of it possible.
    try harness.perform(
      .grantRole(GrantRecord(principal: T.tia, grant: Grant(.operator, Scope()))),
      as: operatorByKey)
    try harness.perform(.revokeRole(grant), as: operatorByKey)
    #expect(harness.directory.grants(of: T.root).isEmpty)
    #expect(
      try harness.refusal(.updatePrincipal(T.tia, isDisabled: true, user: nil), as: T.tia)?.code
        == .permissionDenied)
  }
}
