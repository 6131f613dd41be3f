package import QubusCore
internal import QubusJobs
internal import Synchronization

/// Who there is and what each may do, in memory: read for every connection and call, changed after
/// the store has committed.
///
/// `version` is one number that whoever keeps an identity compares: when it differs, the identity
/// is read again. It rises with every change, and by itself when a key or token expires or a
/// revocation that was set for later takes effect.
package final class Directory: Sendable {
  private let state: Lock<DirectoryState>
  private let policy: LocalPolicy
  private let clock: ForwardClock
  private let changes: Atomic<UInt64>
  private let nextChange: Atomic<Microseconds>
  private let shotsSpent: @Sendable (TenancyChange) -> Void

  /// - Parameters:
  ///   - clock: may be set back; the directory's time goes on (`ForwardClock`).
  ///   - shotsSpent: makes shots of a token that were spent durable, behind the call that spent them.
  package init(
    _ snapshot: TenancySnapshot, policy: LocalPolicy, clock: any Clock,
    shotsSpent: @escaping @Sendable (TenancyChange) -> Void = { _ in }
  ) {
    self.policy = policy
    self.clock = ForwardClock(clock)
    self.shotsSpent = shotsSpent
    let now = self.clock.now()
    var state = DirectoryState()
    for tenant in snapshot.tenants { state.tenants[tenant.name] = tenant }
    for project in snapshot.projects {
      state.projects[project.tenant, default: [:]][project.name] = project
    }
    for principal in snapshot.principals { state.add(principal) }
    for key in snapshot.keys { state.keys[key.key] = key }
    for grant in snapshot.grants { state.add(grant) }
    for token in snapshot.tokens where token.expiresAt > now { state.tokens[token.id] = token }
    changes = Atomic(1)
    nextChange = Atomic(state.nextChange(after: now))
    self.state = Lock(state)
  }

  /// Microseconds UTC, never going back: the time that keys and tokens are judged by.
  package func now() -> Microseconds { clock.now() }

  /// Read for every message: one atomic load, and the clock only while something is to expire.
  package var version: UInt64 {
    let due = nextChange.load(ordering: .acquiring)
    if due != .max {
      let now = clock.now()
      if now >= due { takeEffect(now) }
    }
    return changes.load(ordering: .acquiring)
  }

  private func takeEffect(_ now: Microseconds) {
    state.withLock { state in
      guard now >= nextChange.load(ordering: .relaxed) else { return }
      state.forgetTokens(expiredAt: now)
      nextChange.store(state.nextChange(after: now), ordering: .releasing)
      changed(&state)
    }
  }

  /// Takes over a change that is durable. Revocations count from the next look at `version`.
  package func apply(_ change: TenancyChange) { apply([change]) }

  package func apply(_ all: [TenancyChange]) {
    let now = clock.now()
    state.withLock { state in
      for change in all { state.apply(change) }
      nextChange.store(state.nextChange(after: now), ordering: .releasing)
      changed(&state)
    }
  }

  private func changed(_ state: inout DirectoryState) {
    state.identities.removeAll(keepingCapacity: true)
    changes.add(1, ordering: .releasing)
  }

  // MARK: Identities

  /// Who is behind a credential; nil: unknown, revoked, expired, or disabled with its principal or
  /// tenant.
  package func identity(of credential: Credential) -> Identity? {
    // What is due by now takes effect first.
    _ = version
    if let known = state.withLock({ $0.identities[credential] }) { return known }
    // The machine's table of users may be slow, so that it is read without the lock.
    let user = userName(of: credential)
    let now = clock.now()
    return state.withLock { state in
      guard let identity = identity(of: credential, user, now, state) else { return nil }
      if state.identities.count >= DirectoryState.identityLimit { state.identities.removeAll() }
      state.identities[credential] = identity
      return identity
    }
  }

  /// Who calls with a token over a connection of their own: its principal, with what the token
  /// leaves of its rights. Nil when the principal can do nothing, or the token is not one of these.
  func identity(
    of principal: Principal, over credential: Credential, _ rights: TokenRights
  ) -> Identity? {
    state.withLock { state in
      guard state.isServed(principal), let token = state.tokens[rights.id] else { return nil }
      var allowance: TokenAllowance?
      if let limit = token.maxShots {
        allowance = state.allowances[token.id]
        if allowance == nil {
          allowance = TokenAllowance(
            tokenID: token.id, limit: limit, used: token.shotsUsed, wasSpent: shotsSpent)
          state.allowances[token.id] = allowance
        }
      }
      return Identity(
        principal: principal, credential: credential, grants: state.grants[principal] ?? [],
        token: rights, allowance: allowance, isSuspended: state.isSuspended(principal),
        version: changes.load(ordering: .relaxed))
    }
  }

  private func userName(of credential: Credential) -> Principal? {
    guard case .localUser(let uid) = credential, policy.unknownUsers != nil else { return nil }
    if state.withLock({ $0.users[uid] != nil }) { return nil }
    return policy.principal(of: uid)
  }

  private func identity(
    of credential: Credential, _ user: Principal?, _ now: Microseconds, _ state: DirectoryState
  ) -> Identity? {
    switch credential {
    case .localUser(let uid):
      if let principal = state.users[uid] { return known(principal, credential, state) }
      // A principal of the same name that is not this user's is somebody else.
      let isTaken = user.map { state.principals[$0] != nil } ?? true
      return unknown(isTaken ? LocalPolicy.principal(ofUID: uid) : user, credential, state)
    case .loopback:
      let local = LocalPolicy.loopback
      // An administrator may give it other rights, or none.
      return state.principals[local] == nil
        ? unknown(local, credential, state) : known(local, credential, state)
    case .key(let key):
      guard let record = state.keys[key], record.isValid(at: now) else { return nil }
      return known(record.principal, credential, state, isInvitation: record.isInvitation)
    }
  }

  private func known(
    _ principal: Principal, _ credential: Credential, _ state: DirectoryState,
    isInvitation: Bool = false
  ) -> Identity? {
    guard state.isServed(principal) else { return nil }
    return Identity(
      principal: principal, credential: credential, grants: state.grants[principal] ?? [],
      isInvitation: isInvitation, isSuspended: state.isSuspended(principal),
      version: changes.load(ordering: .relaxed))
  }

  /// Somebody of this machine who is no principal.
  private func unknown(
    _ principal: Principal?, _ credential: Credential, _ state: DirectoryState
  ) -> Identity? {
    guard let role = policy.unknownUsers, let principal,
      state.tenants[principal.tenant]?.isDisabled == false
    else { return nil }
    let scope = Scope(tenant: principal.tenant, project: principal.project)
    return Identity(
      principal: principal, credential: credential, grants: [Grant(role, scope)],
      isSuspended: state.isSuspended(principal), version: changes.load(ordering: .relaxed))
  }

  func read<Result>(_ body: (DirectoryState) -> Result) -> Result {
    state.withLock { body($0) }
  }
}
