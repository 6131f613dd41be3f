import QubusCore
import QubusJobs

@testable import QubusTenancy

/// Two tenants with people in them, on a clock that the test holds.
struct DirectoryFixture {
  static let alice = Principal(tenant: "lab", project: "qc", name: "alice")
  static let bob = Principal(tenant: "lab", project: "qc", name: "bob")
  static let dave = Principal(tenant: "acme", project: "main", name: "dave")
  static let aliceKey = String(repeating: "a", count: 40)
  static let daveKey = String(repeating: "d", count: 40)

  let clock: JumpingClock
  let directory: Directory

  static func snapshot(_ now: Microseconds) -> TenancySnapshot {
    var snapshot = TenancySnapshot()
    for tenant in ["default", "lab", "acme"] {
      snapshot.tenants.append(TenantRecord(name: tenant, createdAt: now))
    }
    for (tenant, project) in [("default", "default"), ("lab", "qc"), ("acme", "main")] {
      snapshot.projects.append(
        ProjectRecord(tenant: tenant, name: project, owner: "", createdAt: now))
    }
    for (principal, uid) in [(alice, UInt32(1001)), (bob, nil), (dave, nil)] {
      snapshot.principals.append(
        PrincipalRecord(principal: principal, uid: uid, createdAt: now))
      snapshot.grants.append(
        GrantRecord(
          principal: principal,
          grant: Grant(
            .submitter, Scope(tenant: principal.tenant, project: principal.project))))
    }
    snapshot.keys = [
      ClientKeyRecord(key: aliceKey, principal: alice, createdAt: now),
      ClientKeyRecord(key: daveKey, principal: dave, createdAt: now),
    ]
    return snapshot
  }

  static let names: @Sendable (UInt32) -> String? = { uid in
    switch uid {
    case 1001: "al"
    case 1002: "carol"
    case 1003: "alice"
    default: nil
    }
  }

  init(
    unknownUsers: Role? = .submitter, _ edit: (inout TenancySnapshot) -> Void = { _ in },
    spent: @escaping @Sendable (TenancyChange) -> Void = { _ in }
  ) {
    clock = JumpingClock()
    var snapshot = Self.snapshot(clock.now())
    edit(&snapshot)
    directory = Directory(
      snapshot,
      policy: LocalPolicy(ownUID: 0, unknownUsers: unknownUsers, userName: Self.names),
      clock: clock, shotsSpent: spent)
  }

  func principal(_ credential: Credential) -> Principal? {
    directory.identity(of: credential)?.principal
  }
}
