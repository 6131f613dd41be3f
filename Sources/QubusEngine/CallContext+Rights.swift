internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// What a caller may do to jobs and sessions. Everything that the engine does for a caller asks one
/// of these; they ask `Authority`.
extension CallContext {
  /// - Throws: `job_not_found`, as for an id that does not exist, when the caller may not know of
  ///   the job; `permission_denied`, naming action and scope; `project_disabled`; `token_expired`.
  func check(_ action: Action, _ job: JobRecord, now: Microseconds) throws(QubusError) {
    try identity.check(
      action, on: job.principal.resource, now: now, hidden: .jobNotFound(job.id))
  }

  func may(_ action: Action, _ job: JobRecord, now: Microseconds) -> Bool {
    switch Authority.decide(identity, action, on: job.principal.resource, now: now) {
    case .allowed: true
    case .denied, .hidden: false
    }
  }

  /// The same for a session: `session_not_found` when the caller may not know of it.
  func check(
    _ action: Action, session id: Identifier, of principal: Principal, now: Microseconds
  ) throws(QubusError) {
    try identity.check(
      action, on: principal.resource, now: now, hidden: .sessionNotFound(id))
  }

  /// The caller's own project, where its jobs and sessions go.
  /// - Parameter device: that is to be used; empty: not known yet, any.
  func check(_ action: Action, device: String = "", now: Microseconds) throws(QubusError) {
    let principal = self.principal
    try identity.check(
      action,
      on: Resource(
        tenant: principal.tenant, project: principal.project, owner: principal.name,
        deviceFamily: device.isEmpty ? nil : Resource.family(ofDevice: device)), now: now)
  }

  /// The project whose jobs and sessions are listed when none is named: the token's, or the
  /// caller's own.
  /// - Parameter filter: tenant, project and, unless it is empty, the name whose are wanted.
  /// - Returns: whose to list; without a name, all of the project's.
  /// - Throws: `permission_denied`; `project_not_found` for a project the caller may not know of.
  func listed(
    _ action: Action, _ filter: Principal?, now: Microseconds
  ) throws(QubusError) -> Principal {
    let wanted =
      filter
      ?? Principal(
        tenant: principal.tenant, project: identity.token?.project ?? principal.project, name: "")
    try identity.check(
      action, on: Resource(tenant: wanted.tenant, project: wanted.project), now: now,
      hidden: .projectNotFound(wanted.tenant, wanted.project))
    return wanted
  }
}
