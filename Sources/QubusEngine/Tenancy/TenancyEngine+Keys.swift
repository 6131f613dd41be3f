internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Keys, invitations and tokens.
extension TenancyEngine {
  func planKey(
    _ key: String, of principal: Principal?, validSeconds: Double?, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    let owner = principal ?? context.principal
    let (action, grant) = try checkKeys(of: owner, context, hidden: .principalNotFound(owner))
    guard directory.principal(owner) != nil else { throw .principalNotFound(owner) }
    try checkKeyCount(owner, replacing: context)
    var record = ClientKeyRecord(key: key, principal: owner, createdAt: now)
    record.expiresAt = validSeconds.map { now + Microseconds($0 * 1e6) }
    var changes: [TenancyChange] = [.addKey(record)]
    if context.identity.isInvitation, case .key(let invitation) = context.identity.credential {
      changes.append(.revokeKey(invitation, at: now))
    }
    return plan(key, of: owner, action, grant, changes)
  }

  func planRevocation(
    ofKey key: String, overlapSeconds: Double, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    guard !context.identity.isInvitation else { throw Self.onlyForAKey }
    guard let record = directory.key(key) else { throw .keyNotFound(key) }
    let (action, grant) = try checkKeys(
      of: record.principal, context, hidden: .keyNotFound(key))
    let changes: [TenancyChange] = [
      .revokeKey(key, at: now + Microseconds(overlapSeconds * 1e6))
    ]
    try OperatorCensus(directory, now: now).check(changes)
    return plan(key, of: record.principal, action, grant, changes)
  }

  func planInvitation(
    _ principal: Principal, validSeconds: Double, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    let grant = try context.identity.check(
      .managePrincipals, on: place(principal), now: now, hidden: .principalNotFound(principal))
    guard directory.principal(principal) != nil else { throw .principalNotFound(principal) }
    try checkRank(over: principal, context)
    try checkKeyCount(principal, replacing: context)
    let pair = try surroundings.makeKeyPair()
    var record = ClientKeyRecord(key: pair.publicKey, principal: principal, createdAt: now)
    record.isInvitation = true
    record.expiresAt = now + Microseconds(validSeconds * 1e6)
    return TenancyPlan(
      action: .managePrincipals, grant: grant,
      subject: "invitation \(pair.publicKey) of \(principal.text)", tenant: principal.tenant,
      changes: [.addKey(record)]
    ) { [self] () throws(QubusError) in
      .invitation(
        try report(ofKey: pair.publicKey), secretKey: pair.secretKey,
        serverKey: surroundings.serverKey())
    }
  }

  // MARK: Tokens

  func planToken(
    _ order: TokenOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let identity = context.identity
    let grant = try identity.check(
      .issueTokens, on: context.principal.resource, now: directory.now())
    let boundTo = order.boundTo ?? identity.credential
    let issued = try tokens.issue(
      TokenRequest(
        boundTo: boundTo, actions: order.actions, project: order.project,
        lifetimeSeconds: order.validSeconds, maxShots: order.shots), for: identity)
    return TenancyPlan(
      action: .issueTokens, grant: grant,
      subject: "token \(issued.record.id) for \(boundTo.text): \(order.text)",
      tenant: context.principal.tenant, changes: [.issueToken(issued.record)]
    ) { .token(issued.text, issued.record) }
  }

  func planRevocation(
    ofToken id: String, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    guard !context.identity.isInvitation else { throw Self.onlyForAKey }
    guard let record = directory.token(id) else { throw .tokenNotFound(id) }
    let (action, grant) = try checkKeys(
      of: record.principal, context, hidden: .tokenNotFound(id))
    return TenancyPlan(
      action: action, grant: grant, subject: "token \(id)", tenant: record.principal.tenant,
      changes: [.revokeToken(id, at: directory.now())]
    ) { .tokenRevoked }
  }

  /// The evidence is written before the key, whose file is no part of the transaction; should the
  /// file not be written, that is told too.
  func planTokenKey(_ context: CallContext) throws(QubusError) -> TenancyPlan {
    let grant = try context.identity.check(
      .manageTenants, on: Resource(tenant: "", project: ""), now: directory.now())
    return TenancyPlan(
      action: .manageTenants, grant: grant, subject: "key of tokens", tenant: "", changes: []
    ) { [self] () throws(QubusError) in
      do throws(QubusError) {
        let (id, previousUntil) = try tokens.rotateKey()
        return .tokenKeyRotated(id: id, previousUntil: previousUntil)
      } catch {
        store.note(failedRotation(error, context))
        throw error
      }
    }
  }

  private func failedRotation(_ error: QubusError, _ context: CallContext) -> AuditEntry {
    AuditEntry(
      time: directory.now(), principal: context.principal,
      credential: context.identity.credential.text,
      method: TenancyOrder.rotateTokenKey.method, action: Action.manageTenants.rawValue,
      subject: "key of tokens", tenant: "", outcome: .failed, policy: error.code.entry.name,
      traceID: context.traceID)
  }

  // MARK: Rules

  /// One's own keys and tokens, or those of somebody of no higher rank.
  private func checkKeys(
    of principal: Principal, _ context: CallContext, hidden: @autoclosure () -> QubusError
  ) throws(QubusError) -> (Action, Grant?) {
    let now = directory.now()
    if principal == context.principal {
      return (
        .rotateKeys, try context.identity.check(.rotateKeys, on: principal.resource, now: now)
      )
    }
    // An invitation is for a key of one's own.
    guard !context.identity.isInvitation else { throw hidden() }
    let grant = try context.identity.check(
      .managePrincipals, on: place(principal), now: now, hidden: hidden())
    try checkRank(over: principal, context)
    return (.managePrincipals, grant)
  }

  private func checkKeyCount(
    _ principal: Principal, replacing context: CallContext
  ) throws(QubusError) {
    let now = directory.now()
    let count = directory.keys(of: principal).count { key in
      // The invitation that is being taken up goes.
      let isReplaced = key.isInvitation && context.identity.credential == .key(key.key)
      return key.isValid(at: now) && !isReplaced
    }
    guard count < TenancyLimits.keysPerPrincipal else {
      throw .field(
        .invalidRequest, "key", "\(principal.text) has \(count) valid keys: revoke one first",
        limit: "\(TenancyLimits.keysPerPrincipal)")
    }
  }

  static let onlyForAKey = QubusError(
    .permissionDenied, "an invitation's key is for Hello, WhoAmI and AddKey only",
    details: ["action": Action.rotateKeys.rawValue])

  // MARK: Answers

  private func plan(
    _ key: String, of principal: Principal, _ action: Action, _ grant: Grant?,
    _ changes: [TenancyChange]
  ) -> TenancyPlan {
    TenancyPlan(
      action: action, grant: grant, subject: "key \(key) of \(principal.text)",
      tenant: principal.tenant, changes: changes
    ) { [self] () throws(QubusError) in .key(try report(ofKey: key)) }
  }

  private func report(ofKey key: String) throws(QubusError) -> KeyReport {
    guard let record = directory.key(key) else { throw .keyNotFound(key) }
    return KeyReport(record: record, isValid: record.isValid(at: directory.now()))
  }
}
