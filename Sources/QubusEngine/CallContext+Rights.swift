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

  /// Whether the result may leave the service for a destination, under the policy of its project.
  /// - Throws: as `check`; `permission_denied` with policy and remedy where the policy forbids it.
  func checkExport(
    _ job: JobRecord, to destination: String, under policy: ExportPolicy?, now: Microseconds
  ) throws(QubusError) {
    try check(.readResults, job, now: now)
    guard let policy else { return }
    let verdict = Authority.decideExport(
      identity, to: destination, under: policy, on: job.principal.resource, now: now)
    switch verdict {
    case .allowed: return
    case .denied, .hidden:
      throw .exportRefused(
        principal.name, to: destination, under: policy,
        isReviewer: may(.exportResults, job, now: now))
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
    var wanted =
      filter
      ?? Principal(
        tenant: principal.tenant, project: identity.token?.project ?? principal.project, name: "")
    try identity.check(
      action, on: Resource(tenant: wanted.tenant, project: wanted.project), now: now,
      hidden: .projectNotFound(wanted.tenant, wanted.project))
    // Nobody's name is empty: may it see what others began?
    let others = Resource(tenant: wanted.tenant, project: wanted.project, owner: "")
    if wanted.name.isEmpty, case .allowed = Authority.decide(identity, action, on: others, now: now)
    {
      return wanted
    }
    if wanted.name.isEmpty { wanted.name = principal.name }
    return wanted
  }
}
