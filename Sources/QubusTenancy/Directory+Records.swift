package import QubusJobs

/// What administration lists: everything, in order of names. Who may see which part of it is the
/// caller's question.
extension Directory {
  package func tenants() -> [TenantRecord] {
    read { Array($0.tenants.values) }.sorted { $0.name < $1.name }
  }

  package func tenant(_ name: String) -> TenantRecord? { read { $0.tenants[name] } }

  /// - Parameter tenant: nil: of all.
  package func projects(of tenant: String? = nil) -> [ProjectRecord] {
    let all = read { state in
      tenant.map { Array(state.projects[$0, default: [:]].values) }
        ?? state.projects.values.flatMap { Array($0.values) }
    }
    return all.sorted { ($0.tenant, $0.name) < ($1.tenant, $1.name) }
  }

  package func project(_ tenant: String, _ name: String) -> ProjectRecord? {
    read { $0.projects[tenant]?[name] }
  }

  /// - Parameters:
  ///   - tenant: nil: of all.
  ///   - project: nil: of all of the tenant's.
  package func principals(of tenant: String? = nil, project: String? = nil) -> [PrincipalRecord] {
    let all = read { Array($0.principals.values) }
    return all.filter {
      (tenant == nil || $0.principal.tenant == tenant)
        && (project == nil || $0.principal.project == project)
    }.sorted { $0.principal.text < $1.principal.text }
  }

  package func principal(_ principal: Principal) -> PrincipalRecord? {
    read { $0.principals[principal] }
  }

  package func principal(ofUser uid: UInt32) -> Principal? { read { $0.users[uid] } }

  /// Revoked and expired ones too, in the order they were made.
  package func keys(of principal: Principal) -> [ClientKeyRecord] {
    read { state in state.keys.values.filter { $0.principal == principal } }
      .sorted { ($0.createdAt, $0.key) < ($1.createdAt, $1.key) }
  }

  package func key(_ key: String) -> ClientKeyRecord? { read { $0.keys[key] } }

  /// In the order they were made.
  package func grants(of principal: Principal) -> [Grant] { read { $0.grants[principal] ?? [] } }

  /// Those that have not expired.
  package func tokens(of principal: Principal) -> [TokenRecord] {
    read { state in
      state.tokens.values.filter { $0.principal == principal }.map { state.withUse($0) }
    }.sorted { ($0.issuedAt, $0.id) < ($1.issuedAt, $1.id) }
  }

  package func token(_ id: String) -> TokenRecord? {
    read { state in state.tokens[id].map { state.withUse($0) } }
  }
}

extension DirectoryState {
  /// A token with the shots that were spent by now.
  func withUse(_ token: TokenRecord) -> TokenRecord {
    guard let allowance = allowances[token.id] else { return token }
    var token = token
    token.shotsUsed = allowance.used
    return token
  }
}
