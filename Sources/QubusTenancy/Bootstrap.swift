package import QubusCore
internal import QubusJobs

/// The first start: whoever runs the daemon administers it.
package enum Bootstrap {
  /// What makes the daemon's own user the operator, and the administrator of the default tenant;
  /// empty when there is a principal already.
  package static func changes(
    _ snapshot: TenancySnapshot, _ policy: LocalPolicy, now: Microseconds
  ) -> [TenancyChange] {
    guard snapshot.principals.isEmpty else { return [] }
    var changes: [TenancyChange] = []
    let (tenant, project) = (LocalPolicy.tenant, LocalPolicy.project)
    if !snapshot.tenants.contains(where: { $0.name == tenant }) {
      changes.append(.createTenant(TenantRecord(name: tenant, createdAt: now)))
    }
    if !snapshot.projects.contains(where: { $0.tenant == tenant && $0.name == project }) {
      changes.append(
        .createProject(
          ProjectRecord(tenant: tenant, name: project, owner: "", createdAt: now)))
    }
    // Under the name that the user's jobs had before there were principals.
    let owner = policy.principal(of: policy.ownUID)
    changes.append(
      .createPrincipal(PrincipalRecord(principal: owner, uid: policy.ownUID, createdAt: now)))
    for grant in [Grant(.operator, Scope()), Grant(.tenantAdmin, Scope(tenant: tenant))] {
      changes.append(.grant(GrantRecord(principal: owner, grant: grant)))
    }
    return changes
  }
}
