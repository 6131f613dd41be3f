package import QubusCore
internal import QubusJobs

/// What was decided over one action on one resource, and why.
package enum Verdict: Sendable, Hashable {
  /// The grant that allowed it, for the audit: `submitter of lab/qc`; nil: everybody may, to
  /// themselves.
  case allowed(by: Grant?)
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
    case .managePrincipals, .readMembers, .manageProjects, .manageTenants, .rotateKeys,
      .issueTokens, .readAudit, .manageBudgets, .manageCredit:
      .readMembers
    case .connect, .readDevices, .manageDevices, .reserveDevices: .readDevices
    case .submitJobs, .readJobs, .readResults, .exportResults, .restoreResults, .cancelJobs,
      .annotateJobs, .manageJobs, .approveJobs, .holdJobs:
      .readJobs
    }
  }

  /// - Parameter now: microseconds UTC, for the expiry of a token.
  package static func decide(
    _ identity: Identity, _ action: Action, on resource: Resource, now: Microseconds
  ) -> Verdict {
    guard isInForce(identity.token, now) else { return refusal(resource, identity) }
    if isOpenToAll(action, resource, identity) { return .allowed(by: nil) }
    if let grant = grant(identity, action, resource) { return .allowed(by: grant) }
    // What exists does not depend on who may use which device.
    var seen = resource
    seen.deviceFamily = nil
    if grant(identity, sight(action), seen) != nil { return .denied }
    return refusal(resource, identity)
  }

  /// Whether results may leave the service for a destination: whoever may read them may take them,
  /// unless a policy of their project wants a reviewer, and one of its destinations.
  package static func decideExport(
    _ identity: Identity, to destination: String, under policy: ExportPolicy?,
    on resource: Resource, now: Microseconds
  ) -> Verdict {
    let reading = decide(identity, .readResults, on: resource, now: now)
    guard case .allowed = reading, let policy else { return reading }
    guard policy.destinations.contains(destination) else { return .denied }
    return decide(identity, .exportResults, on: resource, now: now)
  }

  /// Whether the action is open to the caller anywhere at all: what dispatch asks before a call is
  /// looked at any further.
  package static func mayAnywhere(
    _ identity: Identity, _ action: Action, now: Microseconds
  ) -> Bool {
    guard isInForce(identity.token, now) else { return false }
    if action == .connect { return true }
    if action == .rotateKeys, identity.token == nil { return true }
    guard isCarried(identity.token, action) else { return false }
    return identity.grants.contains { $0.role.actions.contains(action) }
  }

  /// One may say who one is, and change one's own keys, whatever one's roles: a principal without
  /// any takes up its invitation and waits for a token. Keys are not for the holder of a token.
  private static func isOpenToAll(
    _ action: Action, _ resource: Resource, _ identity: Identity
  ) -> Bool {
    switch action {
    case .connect: true
    case .rotateKeys: identity.token == nil && isOwn(resource, identity)
    default: false
    }
  }

  /// The service, one's own tenant and one's own project are no secret; all else is.
  private static func refusal(_ resource: Resource, _ identity: Identity) -> Verdict {
    if resource.tenant.isEmpty { return .denied }
    let own = identity.principal
    let isOwnPlace =
      resource.tenant == own.tenant && (resource.project.isEmpty || resource.project == own.project)
    return isOwnPlace && (resource.owner == nil || resource.owner == own.name) ? .denied : .hidden
  }

  private static func isOwn(_ resource: Resource, _ identity: Identity) -> Bool {
    let own = identity.principal
    return resource.owner == own.name && resource.tenant == own.tenant
      && resource.project == own.project
  }

  private static func grant(
    _ identity: Identity, _ action: Action, _ resource: Resource
  ) -> Grant? {
    guard isCarried(identity.token, action) else { return nil }
    if let project = identity.token?.project,
      project != resource.project || identity.principal.tenant != resource.tenant
    {
      return nil
    }
    let isOwn = isOwn(resource, identity)
    if action.isOwnersAlone, !isOwn { return nil }
    if identity.seesOwnOnly, resource.owner != nil, !isOwn { return nil }
    let isForOthers = action.isOwners && !isOwn
    // A manager's right is a right of its own: a token has to carry it too.
    if isForOthers, !isCarried(identity.token, .manageJobs) { return nil }
    let wanted = action.bit | (isForOthers ? Action.manageJobs.bit : 0)
    return identity.grants.first { grant in
      grant.role.actions.bits & wanted == wanted && grant.scope.covers(resource)
    }
  }

  private static func isInForce(_ token: TokenRights?, _ now: Microseconds) -> Bool {
    token.map { now < $0.expiresAt } ?? true
  }

  private static func isCarried(_ token: TokenRights?, _ action: Action) -> Bool {
    token?.actions.contains(action) ?? true
  }
}
