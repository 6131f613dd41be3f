package import QubusCore
package import QubusJobs

extension Identity {
  /// Refuses what the caller may not do. Everything that is done for a caller passes here.
  /// - Parameters:
  ///   - now: microseconds UTC.
  ///   - hidden: the error for something that does not exist: told, word for word, to a caller who
  ///     may not know that it does.
  /// - Returns: the grant that allows it, for the audit (`Grant.policy`).
  /// - Throws: `hidden`; `permission_denied`, naming action and scope; `project_disabled` for work
  ///   of a disabled project; `token_expired`.
  @discardableResult
  package func check(
    _ action: Action, on resource: Resource, now: Microseconds,
    hidden: @autoclosure () -> QubusError
  ) throws(QubusError) -> Grant? {
    if let token, now >= token.expiresAt { throw .tokenExpired("it has expired") }
    switch Authority.decide(self, action, on: resource, now: now) {
    case .allowed(let grant):
      if isSuspended, action.isWork { throw .projectDisabled(principal) }
      return grant
    case .hidden: throw hidden()
    case .denied: throw refusal(action, on: resource, now: now)
    }
  }

  /// The same for what is no secret: the service, the caller's own project.
  @discardableResult
  package func check(
    _ action: Action, on resource: Resource, now: Microseconds
  ) throws(QubusError) -> Grant? {
    try check(
      action, on: resource, now: now, hidden: refusal(action, on: resource, now: now))
  }

  /// What dispatch asks first, before a call is decoded.
  /// - Throws: `permission_denied` when the caller may do it nowhere; `token_expired`.
  package func checkAnywhere(_ action: Action, now: Microseconds) throws(QubusError) {
    if Authority.mayAnywhere(self, action, now: now) { return }
    throw refusal(
      action, on: Resource(tenant: principal.tenant, project: principal.project), now: now)
  }

  private func refusal(
    _ action: Action, on resource: Resource, now: Microseconds
  ) -> QubusError {
    if let token, now >= token.expiresAt { return .tokenExpired("it has expired") }
    let means = token == nil ? "" : " with this token"
    return QubusError(
      .permissionDenied,
      "\(principal.name) may not \(action.rawValue) in \(resource.text)\(means)",
      details: ["action": action.rawValue, "scope": resource.text])
  }
}

extension Principal {
  /// `tenant/project/name`.
  package var text: String { "\(tenant)/\(project)/\(name)" }

  /// - Parameter text: `tenant/project/name`; nil when it is not.
  package init?(text: String) {
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(tenant: String(parts[0]), project: String(parts[1]), name: String(parts[2]))
  }

  /// As a resource: what it owns, or itself.
  package var resource: Resource { Resource(tenant: tenant, project: project, owner: name) }
}

extension QubusError {
  static func projectDisabled(_ principal: Principal) -> QubusError {
    QubusError(
      .projectDisabled,
      "project \(principal.tenant)/\(principal.project) is disabled: what is stored can be read, "
        + "nothing new is taken")
  }

  static func tokenExpired(_ reason: String) -> QubusError {
    QubusError(.tokenExpired, "the token is of no use any more: \(reason)")
  }

  /// Says nothing of what is wrong: whoever forges tokens learns nothing.
  static let tokenInvalid = QubusError(
    .tokenInvalid, "the token is not one of this service for this connection")
}
