package import QubusCore
package import QubusJobs
package import QubusTenancy

/// What administration needs of the daemon around it.
package struct TenancySurroundings: Sendable {
  /// A pair for an invitation.
  package var makeKeyPair: @Sendable () throws(QubusError) -> ClientKeyPair
  /// Public half of the key of the curve endpoints; empty without any.
  package var serverKey: @Sendable () -> String
  /// Ends the sessions of those principals.
  package var endSessions: @Sendable (@escaping @Sendable (Principal) -> Bool) -> Void
  /// Names of those that can be drained.
  package var devices: [String]

  package init(
    makeKeyPair: @escaping @Sendable () throws(QubusError) -> ClientKeyPair,
    serverKey: @escaping @Sendable () -> String,
    endSessions: @escaping @Sendable (@escaping @Sendable (Principal) -> Bool) -> Void,
    devices: [String]
  ) {
    self.devices = devices
    self.makeKeyPair = makeKeyPair
    self.serverKey = serverKey
    self.endSessions = endSessions
  }
}

/// Administration: judges who may change what, has the store write it with its audit entry, and
/// puts it in force. `TenancyRules` of the store judges whether a change fits what is there.
package final class TenancyEngine: TenancyService {
  let directory: Directory
  let store: any TenancyStore
  let tokens: TokenIssuer
  let surroundings: TenancySurroundings
  /// Nil: nothing is charged.
  let ledger: LedgerSurroundings?
  let quotas: QuotaKeeper
  let approvalPolicies: ApprovalPolicies
  let weights: ShareWeights
  let exportPolicies: ExportPolicies
  let drains: DeviceDrains
  /// Nil: devices have no calendar.
  let calendar: CalendarSurroundings?
  private let queue = ChangeQueue()

  package init(
    directory: Directory, store: any TenancyStore, tokens: TokenIssuer,
    surroundings: TenancySurroundings, ledger: LedgerSurroundings? = nil,
    quotas: QuotaKeeper = QuotaKeeper(),
    approvalPolicies: ApprovalPolicies = ApprovalPolicies(),
    weights: ShareWeights = ShareWeights(),
    exportPolicies: ExportPolicies = ExportPolicies(), drains: DeviceDrains = DeviceDrains(),
    calendar: CalendarSurroundings? = nil
  ) {
    self.directory = directory
    self.store = store
    self.tokens = tokens
    self.surroundings = surroundings
    self.ledger = ledger
    self.quotas = quotas
    self.approvalPolicies = approvalPolicies
    self.weights = weights
    self.exportPolicies = exportPolicies
    self.drains = drains
    self.calendar = calendar
  }

  package func perform(
    _ order: TenancyOrder, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<TenancyAnswer, QubusError>) -> Void
  ) {
    queue.enter { [self] done in
      let plan: TenancyPlan
      do throws(QubusError) {
        plan = try self.plan(order, try present(context))
      } catch {
        done()
        return completion(.failure(error))
      }
      var entry = AuditEntry(
        time: directory.now(), principal: context.principal,
        credential: context.identity.credential.text,
        tokenID: context.identity.token?.id ?? "", method: order.method,
        action: plan.action.rawValue, subject: plan.subject, tenant: plan.tenant,
        outcome: .allowed, policy: Grant.policy(plan.grant), traceID: context.traceID)
      entry.reason = reason
      store.change(plan.changes, audit: entry) { [self] result in
        let answer = result.flatMap { _ in
          directory.apply(plan.changes)
          ledger?.book.apply(plan.changes)
          quotas.apply(plan.changes)
          approvalPolicies.apply(plan.changes)
          weights.apply(plan.changes)
          exportPolicies.apply(plan.changes)
          drains.apply(plan.changes)
          calendar?.book.apply(plan.changes)
          endSessions(plan.changes)
          return Result { () throws(QubusError) in try plan.answer() }
        }
        done()
        completion(answer)
      }
    }
  }

  /// The caller with its rights of now: a change that waited behind others may find its caller's
  /// gone, or its invitation taken up.
  private func present(_ context: CallContext) throws(QubusError) -> CallContext {
    // A token cannot carry these rights; that nothing lasting comes of one is worth a second lock.
    guard context.identity.token == nil else {
      throw QubusError(
        .permissionDenied,
        "this is not for the holder of a token: use a connection of your own")
    }
    guard let identity = directory.identity(of: context.identity.credential),
      identity.principal == context.principal
    else {
      throw QubusError(
        .unauthenticated, "these credentials are not, or no longer, accepted here")
    }
    var context = context
    context.identity = identity
    return context
  }

  private func plan(
    _ order: TenancyOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    switch order {
    case .createTenant, .updateTenant, .eraseTenant, .createProject, .updateProject:
      return try planPlace(order, context)
    case .createPrincipal(let principal, let uid, let grants):
      return try planPrincipal(principal, uid: uid, grants: grants, context)
    case .updatePrincipal(let principal, let isDisabled, let user):
      return try planUpdate(principal, isDisabled: isDisabled, user: user, context)
    case .grantRole(let record): return try planGrant(record, context)
    case .revokeRole(let record): return try planRevocation(record, context)
    case .addKey(let principal, let key, let validSeconds):
      return try planKey(key, of: principal, validSeconds: validSeconds, context)
    case .revokeKey(let key, let overlapSeconds):
      return try planRevocation(ofKey: key, overlapSeconds: overlapSeconds, context)
    case .createInvitation(let principal, let validSeconds):
      return try planInvitation(principal, validSeconds: validSeconds, context)
    case .issueToken(let order): return try planToken(order, context)
    case .revokeToken(let id): return try planRevocation(ofToken: id, context)
    case .rotateTokenKey: return try planTokenKey(context)
    case .ledger(let order): return try planLedger(order, context)
    case .calendar(let order): return try planCalendar(order, context)
    case .setQuota(let scope, let quota, let limit):
      return try planQuota(scope, quota, limit, context)
    case .setWeight(let scope, let weight): return try planWeight(scope, weight, context)
    case .setApprovalPolicy(let policy):
      return try planPolicy(policy, .setApprovalPolicy(policy), context)
    case .removeApprovalPolicy(let key):
      return try planPolicy(ApprovalPolicy(key: key), .removeApprovalPolicy(key), context)
    case .setExportPolicy(let policy):
      return try planExports(policy, .setExportPolicy(policy), context)
    case .removeExportPolicy(let key):
      return try planExports(
        ExportPolicy(key: key, destinations: []), .removeExportPolicy(key), context)
    case .drainDevice(let device, let reason):
      return try planDrain(of: device, reason: reason, context)
    case .endDrain(let device): return try planEndOfDrain(of: device, context)
    }
  }

  /// Whoever may do nothing any more holds no session; jobs that were accepted end by themselves.
  private func endSessions(_ changes: [TenancyChange]) {
    for change in changes {
      switch change {
      case .setTenantDisabled(let tenant, true):
        surroundings.endSessions { $0.tenant == tenant }
      case .setProjectDisabled(let tenant, let name, true):
        surroundings.endSessions { $0.tenant == tenant && $0.project == name }
      case .setPrincipalDisabled(let principal, true):
        surroundings.endSessions { $0 == principal }
      default: break
      }
    }
  }
}
