package import QubusCore
package import QubusJobs

/// What was decided over one action on one resource, and why.
package enum Verdict: Sendable, Hashable {
  /// The grant that allowed it, for the audit: `submitter of lab/qc`.
  case allowed(by: Grant)
  /// The caller may know that the resource exists, not do this with it.
  case denied
  /// The caller may not even know that it exists.
  case hidden
}

/// The one place where rights are decided. Deny by default.
package enum Authority {
  /// The action that shows the existence of what `action` is about; without it everything else
  /// about it answers NOT_FOUND.
  private static func sight(_ action: Action) -> Action {
    switch action {
    case .openSessions, .stepSessions, .closeSessions, .readSessions: .readSessions
    case .managePrincipals, .readMembers, .manageProjects, .manageTenants: .readMembers
    default: .readJobs
    }
  }

  /// - Parameter now: microseconds UTC, for the expiry of a token.
  package static func decide(
    _ identity: Identity, _ action: Action, on resource: Resource, now: Microseconds
  ) -> Verdict {
    if let grant = grant(identity, action, resource, now) { return .allowed(by: grant) }
    return grant(identity, sight(action), resource, now) == nil ? .hidden : .denied
  }

  /// Whether the action is open to the caller anywhere at all: what dispatch asks before a call is
  /// looked at any further.
  package static func mayAnywhere(
    _ identity: Identity, _ action: Action, now: Microseconds
  ) -> Bool {
    guard isInForce(identity.token, action, now) else { return false }
    return identity.grants.contains { $0.role.actions.contains(action) }
  }

  private static func grant(
    _ identity: Identity, _ action: Action, _ resource: Resource, _ now: Microseconds
  ) -> Grant? {
    guard isInForce(identity.token, action, now) else { return nil }
    if let project = identity.token?.project,
      project != resource.project || identity.principal.tenant != resource.tenant
    {
      return nil
    }
    let isOwn =
      resource.owner == nil
      || (resource.owner == identity.principal.name
        && resource.tenant == identity.principal.tenant
        && resource.project == identity.principal.project)
    if action.isOwnersAlone, !isOwn { return nil }
    return identity.grants.first { grant in
      let actions = grant.role.actions
      return actions.contains(action) && grant.scope.covers(resource)
        && (isOwn || !action.isOwners || actions.contains(.manageJobs))
    }
  }

  private static func isInForce(
    _ token: TokenRights?, _ action: Action, _ now: Microseconds
  ) -> Bool {
    guard let token else { return true }
    return now < token.expiresAt && token.actions.contains(action)
  }
}
