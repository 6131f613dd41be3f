import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

/// What the engine lets each role do to whose jobs and sessions, call by call: the decisions of
/// `Authority` arrive where the work is done. The matrix of all actions is in QubusTenancyTests.
@Suite("Authorisation in the engine")
struct AuthorizationTests {
  static let alice = Principal(tenant: "lab", project: "qc", name: "alice")
  /// Alice's own, of her project, of her tenant, of another tenant.
  static let owners = [
    alice, Principal(tenant: "lab", project: "qc", name: "bob"),
    Principal(tenant: "lab", project: "optics", name: "alice"),
    Principal(tenant: "acme", project: "qc", name: "alice"),
  ]
  static let roles: [Role?] = Role.allCases + [nil]

  static func context(_ role: Role?, family: String? = nil, token: TokenRights? = nil)
    -> CallContext
  {
    let scope: Scope
    switch role {
    case .viewer, .submitter, .approver, .reviewer, .projectAdmin:
      scope = Scope(tenant: "lab", project: "qc", deviceFamily: family)
    case .tenantAdmin: scope = Scope(tenant: "lab")
    case .operator, .auditor, nil: scope = Scope()
    }
    return CallContext(
      identity: Identity(
        principal: alice, credential: .localUser(uid: 1),
        grants: role.map { [Grant($0, scope)] } ?? [], token: token),
      clientVersion: "test/1", traceID: "trace")
  }

  /// One letter for each owner: (a)llowed, (d)enied, (h)idden.
  static func seeing(_ role: Role?) -> String {
    switch role {
    case .viewer, .submitter, .approver, .reviewer, .projectAdmin: "aahh"
    case .tenantAdmin: "aaah"
    case .operator, .auditor: "aaaa"
    case nil: "dhhh"
    }
  }

  static func reading(_ role: Role?) -> String {
    switch role {
    case .viewer: "ddhh"
    case .submitter, .approver, .reviewer, .projectAdmin: "aahh"
    case .tenantAdmin: "aaah"
    case .operator, .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  static func changing(_ role: Role?) -> String {
    switch role {
    case .viewer, .approver, .reviewer: "ddhh"
    case .submitter: "adhh"
    case .projectAdmin: "aahh"
    case .tenantAdmin: "aaah"
    case .operator: "aaaa"
    case .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  /// Under a policy of the project.
  static func exporting(_ role: Role?) -> String {
    switch role {
    case .reviewer: "aahh"
    case .viewer, .submitter, .approver, .projectAdmin: "ddhh"
    case .tenantAdmin: "dddh"
    case .operator, .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  static func replaying(_ role: Role?) -> String {
    switch role {
    case .viewer, .approver, .reviewer: "ddhh"
    case .submitter, .projectAdmin: "aahh"
    case .tenantAdmin: "aaah"
    case .operator, .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  static func holding(_ role: Role?) -> String {
    switch role {
    case .viewer, .submitter, .approver, .reviewer, .projectAdmin: "ddhh"
    case .tenantAdmin: "dddh"
    case .operator: "aaaa"
    case .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  static func stepping(_ role: Role?) -> String {
    switch role {
    case .viewer, .approver, .reviewer: "ddhh"
    case .submitter, .projectAdmin: "adhh"
    case .tenantAdmin: "addh"
    case .operator, .auditor: "dddd"
    case nil: "dhhh"
    }
  }

  /// - Parameter absent: what an id that does not exist answers.
  static func letter(_ error: (any Error)?, absent: QubusError) -> Character {
    guard let error = error as? QubusError else { return "a" }
    if error == absent { return "h" }
    return error.code == .permissionDenied ? "d" : "a"
  }

  static func outcome(
    absent: QubusError, _ call: () async throws -> Void
  ) async -> Character {
    do {
      try await call()
      return "a"
    } catch {
      return letter(error, absent: absent)
    }
  }

  // MARK: Jobs

  @Test("jobs: every call, role and ownership", arguments: roles)
  func jobs(_ role: Role?) async throws {
    let harness = try EngineHarness()
    let engine = harness.engine
    let context = Self.context(role)
    var found: [String: String] = [:]
    for owner in Self.owners {
      let report = try await harness.submit(
        EngineHarness.spec(), as: SessionHarness.context(owner))
      let id = report.job.record.id
      try await finished(harness, id, SessionHarness.context(owner))
      let calls: [(String, () async throws -> Void)] = [
        ("job", { _ = try engine.job(id, context: context) }),
        ("events", { _ = try engine.events(id, after: 0, limit: 9, context: context) }),
        ("observe", { try engine.observe(id, context: context) { _, _ in }.end() }),
        ("result", { _ = try engine.result(id, context: context) }),
        ("chunk", { _ = try engine.resultChunk(id, item: 0, chunk: 0, context: context) }),
        ("explain", { _ = try engine.explain(id, context: context) }),
        ("compare", { _ = try engine.compareReplay(id, replay: id, context: context) }),
        ("cancel", { _ = try await harness.cancel(id, as: context) }),
        (
          "annotate",
          { _ = try await harness.annotate(id, ["note": "x"], as: context) }
        ),
        (
          "pause",
          {
            try await answered {
              engine.pause(id, reason: "", context: context, completion: $0)
            }
          }
        ),
        (
          "resume",
          {
            try await answered {
              engine.resume(id, reason: "", context: context, completion: $0)
            }
          }
        ),
        (
          "hold",
          {
            try await answered {
              engine.hold(id, reason: "", context: context, completion: $0)
            }
          }
        ),
        (
          "release",
          {
            try await answered {
              engine.release(id, reason: "", context: context, completion: $0)
            }
          }
        ),
        ("replay", { _ = try await harness.replay(id, as: context) }),
        ("archive", { _ = try Self.archive(id, engine, context) }),
        ("restore", { try await Self.restore(id, engine, context) }),
        (
          "export",
          {
            let key = ExportPolicy.Key(tenant: owner.tenant, project: owner.project)
            let policy = ExportPolicy(key: key, destinations: ["vault"])
            engine.exportPolicies.apply([.setExportPolicy(policy)])
            defer { engine.exportPolicies.apply([.removeExportPolicy(key)]) }
            _ = try Self.archive(id, engine, context)
          }
        ),
      ]
      for (name, call) in calls {
        found[name, default: ""].append(await Self.outcome(absent: .jobNotFound(id), call))
      }
      let isSeen = found["job"]?.last == "a"
      #expect((engine.recentEvents(id, after: 0, limit: 9, context: context) != nil) == isSeen)
      let isRead = found["result"]?.last == "a"
      #expect((engine.recentResult(id, context: context) != nil) == isRead)
    }
    let expected = [
      "job": Self.seeing(role), "explain": Self.seeing(role),
      "events": Self.seeing(role), "observe": Self.seeing(role),
      "result": Self.reading(role), "chunk": Self.reading(role), "compare": Self.reading(role),
      "cancel": Self.changing(role), "annotate": Self.changing(role),
      "replay": Self.replaying(role), "archive": Self.reading(role),
      "restore": Self.changing(role), "export": Self.exporting(role),
      "pause": Self.changing(role), "resume": Self.changing(role),
      "hold": Self.holding(role), "release": Self.holding(role),
    ]
    #expect(found == expected)
    await harness.stop()
  }

  private static func archive(
    _ id: Identifier, _ engine: Engine, _ context: CallContext
  ) throws(QubusError) -> ArchiveReport {
    try engine.archive(id, to: "vault", reason: "", context: context)
  }

  /// Of another result than the job's, which is found after the rights.
  private static func restore(
    _ id: Identifier, _ engine: Engine, _ context: CallContext
  ) async throws {
    let chunk = ArchivedChunk(jobID: id, executionHash: [], item: 0, chunk: 0, data: [])
    _ = try await withCheckedContinuation { continuation in
      engine.restore(chunk, reason: "", context: context) { continuation.resume(returning: $0) }
    }.get()
  }

  private func answered(
    _ call: (@escaping @Sendable (Result<JobView, QubusError>) -> Void) -> Void
  ) async throws {
    _ = try await withCheckedContinuation { continuation in
      call { continuation.resume(returning: $0) }
    }.get()
  }

  private func finished(
    _ harness: EngineHarness, _ id: Identifier, _ context: CallContext
  ) async throws {
    let ended = Monitor(false)
    let observation = try harness.engine.observe(id, context: context) { _, status in
      if status.isTerminal { ended.signal { $0 = true } }
    }
    await onThread { ended.wait { $0 ? () : nil } }
    observation.end()
  }

  @Test("submitting and planning take the right, where the device is")
  func submitting() async throws {
    let harness = try EngineHarness()
    let engine = harness.engine
    for role in Self.roles {
      let outcome = await Self.outcome(absent: .shuttingDown) {
        _ = try await harness.submit(EngineHarness.spec(), as: Self.context(role))
      }
      let submits: Bool
      let plans: Bool
      switch role {
      case .submitter, .projectAdmin, .tenantAdmin: (submits, plans) = (true, true)
      case .viewer, .approver, .reviewer, .operator, .auditor: (submits, plans) = (false, true)
      case nil: (submits, plans) = (false, false)
      }
      #expect(outcome == (submits ? "a" : "d"), "\(String(describing: role))")
      let plan = await withCheckedContinuation { continuation in
        engine.plan(EngineHarness.spec(), context: Self.context(role)) {
          continuation.resume(returning: $0)
        }
      }
      #expect(
        Self.letter(plan.failure, absent: .shuttingDown) == (plans ? "a" : "d"),
        "\(String(describing: role))")
    }
    // Of the families of devices only the one that the grant names.
    for (family, letter) in [("sim", Character("a")), ("qpu", "d"), ("si", "d")] {
      let context = Self.context(.submitter, family: family)
      let submit = await Self.outcome(absent: .shuttingDown) {
        _ = try await harness.submit(EngineHarness.spec(), as: context)
      }
      #expect(submit == letter, "\(family)")
      let plan = await withCheckedContinuation { continuation in
        engine.plan(EngineHarness.spec(), context: context) {
          continuation.resume(returning: $0)
        }
      }
      #expect(Self.letter(plan.failure, absent: .shuttingDown) == letter, "\(family)")
    }
    await harness.stop()
  }

  @Test("a list holds the whole project, one's own unless another is named, and no other's")
  func listing() async throws {
    let harness = try EngineHarness()
    var ids: [Identifier] = []
    for owner in Self.owners {
      ids.append(
        try await harness.submit(
          EngineHarness.spec(), as: SessionHarness.context(owner)
        ).job.record.id)
    }
    func listed(_ role: Role?, _ filter: Principal? = nil, token: TokenRights? = nil) throws
      -> Set<Identifier>
    {
      var jobs = JobFilter()
      jobs.principal = filter
      return Set(
        try harness.engine.jobs(jobs, context: Self.context(role, token: token))
          .map(\.record.id))
    }
    func code(_ role: Role?, _ filter: Principal? = nil) -> ErrorCode? {
      do {
        _ = try listed(role, filter)
        return nil
      } catch { return (error as? QubusError)?.code }
    }
    func project(_ index: Int, name: String = "") -> Principal {
      Principal(
        tenant: Self.owners[index].tenant, project: Self.owners[index].project, name: name)
    }
    #expect(try listed(.viewer) == [ids[0], ids[1]])
    #expect(try listed(.viewer, project(0, name: "bob")) == [ids[1]])
    #expect(code(nil) == .permissionDenied)
    #expect(code(.viewer, project(2)) == .projectNotFound)
    #expect(code(.viewer, project(3)) == .projectNotFound)
    #expect(try listed(.tenantAdmin, project(2)) == [ids[2]])
    #expect(code(.tenantAdmin, project(3)) == .projectNotFound)
    #expect(try listed(.auditor, project(3)) == [ids[3]])
    let optics = TokenRights(
      id: "t", actions: Actions([.readJobs]), project: "optics", expiresAt: .max, maxShots: nil)
    #expect(try listed(.tenantAdmin, token: optics) == [ids[2]])
    await harness.stop()
  }

  @Test("counts under way are results: who may only see jobs sees the events without them")
  func partialCounts() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, clock: clock)
    let id = try await harness.submit(
      EngineHarness.spec(), as: SessionHarness.context(Self.alice)
    ).job.record.id
    for chunk in 1...9 {
      clock.advance(microseconds: 60_000)
      device.permit(1)
      await device.started(chunk + 1)
    }
    func counts(_ role: Role) throws -> (all: Int, read: Int, recent: Int) {
      let context = Self.context(role)
      let events = try harness.engine.events(id, after: 0, limit: 100, context: context)
      let recent = try #require(
        harness.engine.recentEvents(id, after: 0, limit: 100, context: context))
      return (
        events.count, events.count { $0.body.counts != nil },
        recent.count { $0.body.counts != nil }
      )
    }
    harness.engine.flush()
    let full = try counts(.submitter)
    #expect(full.read > 0 && full.recent == full.read)
    for role in [Role.viewer, .operator, .auditor] {
      #expect(try counts(role) == (full.all, 0, 0), "\(role)")
    }
    device.permit(nil)
    try await finished(harness, id, SessionHarness.context(Self.alice))
    await harness.stop()
  }

  @Test("shots of a token are spent by what is accepted, and by nothing else")
  func allowance() async throws {
    let harness = try EngineHarness()
    let spent = Lock<[TenancyChange]>([])
    let allowance = TokenAllowance(tokenID: "t", limit: 2500, used: 0) { change in
      spent.withLock { $0.append(change) }
    }
    let rights = TokenRights(
      id: "t", actions: Actions([.submitJobs, .readJobs]), project: nil, expiresAt: .max,
      maxShots: 2500)
    let context = CallContext(
      identity: Identity(
        principal: Self.alice, credential: .localUser(uid: 2),
        grants: [Grant(.submitter, Scope(tenant: "lab", project: "qc"))], token: rights,
        allowance: allowance), clientVersion: "test/1", traceID: "trace")
    let first = EngineHarness.spec { $0.idempotencyKey = "k" }
    _ = try await harness.submit(first, as: context)
    #expect(allowance.used == 1000)
    // The same job again costs nothing; a wrong one and one that the store refuses neither.
    #expect(try await harness.submit(first, as: context).isDuplicate)
    await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec("not a program"), as: context)
    }
    harness.store.state.signal {
      $0.acceptFailure = QubusError(.diskFull, "there is no room")
    }
    await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec(), as: context)
    }
    harness.store.state.signal { $0.acceptFailure = nil }
    #expect(allowance.used == 1000)
    _ = try await harness.submit(EngineHarness.spec(shots: 1500), as: context)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec(shots: 1), as: context)
    }
    #expect(error?.code == .tokenExpired)
    #expect(
      spent.withLock { $0 } == [.spendToken("t", shots: 1000), .spendToken("t", shots: 1500)])
    await harness.stop()
  }

  @Test("a disabled project takes no new job and no new session, and shows what it has")
  func suspended() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let identity = Identity(
      principal: SessionHarness.alice, credential: .loopback,
      grants: Identity.submitter(SessionHarness.alice).grants, isSuspended: true)
    let context = CallContext(identity: identity, clientVersion: "test/1", traceID: "trace")
    #expect(try harness.sessions.session(id, context: context).record.id == id)
    let submitted = await withCheckedContinuation { continuation in
      harness.engine.submit(EngineHarness.spec(), request: [], context: context) {
        continuation.resume(returning: $0)
      }
    }
    #expect(submitted.failure?.code == .projectDisabled)
    let opened = await withCheckedContinuation { continuation in
      harness.sessions.openSession(
        SessionHarness.spec(), request: [], holder: 1, context: context
      ) { continuation.resume(returning: $0) }
    }
    #expect(opened.failure?.code == .projectDisabled)
    #expect(harness.step(id, 1, by: identity).code == .projectDisabled)
    await harness.stop()
  }

  // MARK: Sessions

  @Test("sessions: every call, role and ownership", arguments: roles)
  func sessions(_ role: Role?) async throws {
    let harness = try SessionHarness()
    let sessions = harness.sessions
    let context = Self.context(role)
    var found: [String: String] = [:]
    for owner in Self.owners {
      let opened = try await harness.open(as: owner)
      let id = opened.session.record.id
      let absent = QubusError.sessionNotFound(id)
      let step = harness.step(id, 1, by: context.identity)
      found["step", default: ""].append(
        Self.letter(step.error, absent: absent))
      let calls: [(String, () async throws -> Void)] = [
        ("session", { _ = try sessions.session(id, context: context) }),
        ("resume", { _ = try await harness.resume(id, opened.secret, by: context) }),
        (
          "optimize",
          {
            let watcher = FakeWatcher()
            sessions.watchOptimization(
              Identifier(high: 1, low: 1), session: id, after: 0, context: context,
              watcher: watcher)
            if let error = await harness.failure(watcher) { throw error }
          }
        ),
        (
          "cancelOptimization",
          {
            _ = try sessions.cancelOptimization(
              Identifier(high: 1, low: 1), session: id, context: context)
          }
        ),
        ("close", { _ = try await harness.close(id, by: context) }),
      ]
      for (name, call) in calls {
        found[name, default: ""].append(await Self.outcome(absent: absent, call))
      }
    }
    let expected = [
      "session": Self.seeing(role), "step": Self.stepping(role), "resume": Self.stepping(role),
      "optimize": Self.stepping(role), "cancelOptimization": Self.stepping(role),
      "close": Self.changing(role),
    ]
    #expect(found == expected)
    await harness.stop()
  }

  @Test("a session that is over and out of memory is judged as one that is open")
  func past() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(as: Self.alice)
    _ = try await harness.close(id, as: Self.alice)
    let sessions = harness.sessions
    #expect(try sessions.session(id, context: Self.context(.viewer)).record.id == id)
    for (role, code) in [(Role?.none, ErrorCode.permissionDenied), (.viewer, .permissionDenied)] {
      await #expect {
        try await harness.close(id, by: Self.context(role))
      } throws: {
        ($0 as? QubusError)?.code == code
      }
    }
    let stranger = SessionHarness.context(SessionHarness.stranger)
    #expect(throws: QubusError.sessionNotFound(id)) {
      try sessions.session(id, context: stranger)
    }
    await #expect(throws: QubusError.sessionNotFound(id)) {
      try await harness.resume(id, [], by: stranger)
    }
    await harness.stop()
  }

  @Test("opening takes the right, where the device is; the list holds the whole project")
  func opening() async throws {
    let harness = try SessionHarness()
    func code(_ context: CallContext) async -> ErrorCode? {
      let spec = SessionHarness.spec()
      let result = await withCheckedContinuation { continuation in
        harness.sessions.openSession(
          spec, request: harness.codec.encode(spec), holder: 1, context: context
        ) { continuation.resume(returning: $0) }
      }
      return result.failure?.code
    }
    #expect(await code(Self.context(.viewer)) == .permissionDenied)
    #expect(await code(Self.context(.submitter, family: "qpu")) == .permissionDenied)
    #expect(harness.sessions.openCount == 0)
    #expect(await code(Self.context(.submitter, family: "sim")) == nil)
    _ = try await harness.opened(as: Self.owners[1])
    _ = try await harness.opened(as: Self.owners[2])
    let listed = try harness.sessions.sessions(
      includeEnded: false, before: nil, limit: 10, context: Self.context(.viewer))
    #expect(listed.map(\.record.principal.name) == ["bob", "alice"])
    await harness.stop()
  }

  @Test("rights that were taken away stop a session at its next step, and so does a token's end")
  func revoked() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(as: Self.alice)
    let before = Self.context(.submitter).identity
    #expect(harness.step(id, 1, by: before).answer != nil)
    #expect(harness.step(id, 2, by: before).answer != nil)
    // The transport holds a new identity once the directory has changed.
    #expect(harness.step(id, 3, by: Self.context(.viewer).identity).code == .permissionDenied)
    #expect(harness.step(id, 3, by: Self.context(.submitter).identity).answer != nil)
    let rights = TokenRights(
      id: "t", actions: Actions([.stepSessions]), project: nil,
      expiresAt: harness.clock.now() + 10_000_000, maxShots: nil)
    let bearer = Self.context(.submitter, token: rights).identity
    #expect(harness.step(id, 4, by: bearer).answer != nil)
    await harness.advance(seconds: 9)
    #expect(harness.step(id, 5, by: bearer).answer != nil)
    await harness.advance(seconds: 1)
    #expect(harness.step(id, 6, by: bearer).code == .tokenExpired)
    await harness.stop()
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
