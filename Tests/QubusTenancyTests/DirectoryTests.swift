import QubusCore
import QubusJobs
import Testing

@testable import QubusTenancy

@Suite("Directory")
struct DirectoryTests {
  typealias Fixture = DirectoryFixture
  private let key = Credential.key(Fixture.aliceKey)

  @Test("a key and a uid are their principal's, with its grants; what is unknown is nobody")
  func known() throws {
    let fixture = Fixture()
    for credential in [key, .localUser(uid: 1001)] {
      let identity = try #require(fixture.directory.identity(of: credential))
      #expect(identity.principal == Fixture.alice && identity.credential == credential)
      #expect(identity.grants == [Grant(.submitter, Scope(tenant: "lab", project: "qc"))])
      #expect(identity.token == nil && !identity.isInvitation && !identity.isSuspended)
      #expect(identity.version == fixture.directory.version)
    }
    #expect(fixture.principal(.key(String(repeating: "x", count: 40))) == nil)
  }

  @Test("the same identity is handed out until something changes, then a new one")
  func cached() throws {
    let fixture = Fixture()
    let first = try #require(fixture.directory.identity(of: key))
    #expect(fixture.directory.identity(of: key) === first)
    let version = fixture.directory.version
    fixture.directory.apply(
      .grant(GrantRecord(principal: Fixture.alice, grant: Grant(.approver, Scope(tenant: "lab")))))
    #expect(fixture.directory.version > version)
    let second = try #require(fixture.directory.identity(of: key))
    #expect(second !== first && second.grants.count == 2)
    fixture.directory.apply(
      .revokeGrant(
        GrantRecord(principal: Fixture.alice, grant: Grant(.approver, Scope(tenant: "lab")))))
    #expect(fixture.directory.identity(of: key)?.grants == first.grants)
  }

  @Test("unknown users of the machine are submitters of the default project, under their name")
  func unknownUsers() throws {
    let fixture = Fixture()
    let carol = try #require(fixture.directory.identity(of: .localUser(uid: 1002)))
    let scope = Scope(tenant: "default", project: "default")
    #expect(carol.principal == Principal(tenant: "default", project: "default", name: "carol"))
    #expect(carol.grants == [Grant(.submitter, scope)])
    // What another such user began is not there for her.
    let readsOwn = Authority.decide(carol, .readResults, on: carol.principal.resource, now: 0)
    let others = Principal(tenant: "default", project: "default", name: "uid:77").resource
    let readsOthers = Authority.decide(carol, .readJobs, on: others, now: 0)
    #expect(readsOwn == .allowed(by: Grant(.submitter, scope)) && readsOthers == .hidden)
    #expect(fixture.principal(.localUser(uid: 77))?.name == "uid:77")
    #expect(fixture.principal(.loopback)?.name == "local")
    let closed = Fixture(unknownUsers: nil)
    #expect(closed.principal(.localUser(uid: 1002)) == nil)
    #expect(closed.principal(.loopback) == nil)
    #expect(closed.principal(.localUser(uid: 1001)) == Fixture.alice)
    let watching = Fixture(unknownUsers: .viewer)
    #expect(
      watching.directory.identity(of: .loopback)?.grants == [Grant(.viewer, scope)])
  }

  @Test("an unknown user who is called as a principal is not that principal")
  func namesake() {
    let namesake = Principal(tenant: "default", project: "default", name: "carol")
    let fixture = Fixture {
      $0.principals.append(PrincipalRecord(principal: namesake, createdAt: 0))
    }
    #expect(fixture.principal(.localUser(uid: 1002))?.name == "uid:1002")
    fixture.directory.apply(.setPrincipalUser(namesake, uid: 1002))
    #expect(fixture.principal(.localUser(uid: 1002)) == namesake)
    fixture.directory.apply(.setPrincipalUser(namesake, uid: nil))
    #expect(fixture.principal(.localUser(uid: 1002))?.name == "uid:1002")
  }

  @Test("an administrator may give the loopback other rights, or none")
  func loopback() {
    let fixture = Fixture()
    let local = Principal(tenant: "default", project: "default", name: "local")
    fixture.directory.apply(
      .createPrincipal(PrincipalRecord(principal: local, createdAt: 0)))
    #expect(fixture.directory.identity(of: .loopback)?.grants == [])
    fixture.directory.apply(.setPrincipalDisabled(local, true))
    #expect(fixture.principal(.loopback) == nil)
  }

  @Test("a revoked key is nobody's at once, and for ever")
  func revocation() {
    let fixture = Fixture()
    let version = fixture.directory.version
    fixture.directory.apply(.revokeKey(Fixture.aliceKey, at: fixture.clock.now()))
    #expect(fixture.directory.version > version)
    #expect(fixture.principal(key) == nil)
    // Nor does adding it again, a later time, or a clock that is set back.
    fixture.directory.apply(
      .addKey(ClientKeyRecord(key: Fixture.aliceKey, principal: Fixture.dave, createdAt: 1)))
    fixture.directory.apply(
      .revokeKey(Fixture.aliceKey, at: fixture.clock.now() + 3_600_000_000))
    fixture.clock.set(bySeconds: -86_400)
    #expect(fixture.principal(key) == nil)
    #expect(fixture.principal(.localUser(uid: 1001)) == Fixture.alice)
  }

  @Test("a revocation that lies ahead takes effect by itself, and raises the version then")
  func overlap() {
    let fixture = Fixture()
    fixture.directory.apply(.revokeKey(Fixture.aliceKey, at: fixture.clock.now() + 60_000_000))
    let version = fixture.directory.version
    fixture.clock.advance(seconds: 59)
    #expect(fixture.directory.version == version)
    #expect(fixture.principal(key) == Fixture.alice)
    fixture.clock.advance(seconds: 1)
    #expect(fixture.directory.version == version + 1)
    #expect(fixture.principal(key) == nil)
    #expect(fixture.directory.version == version + 1)
    fixture.clock.advance(seconds: 86_400)
    #expect(fixture.directory.version == version + 1)
  }

  @Test("keys expire by themselves, one after the other")
  func expiry() {
    let second = String(repeating: "b", count: 40)
    let fixture = Fixture { snapshot in
      let now = snapshot.keys[0].createdAt
      snapshot.keys[0].expiresAt = now + 10_000_000
      var key = ClientKeyRecord(key: second, principal: Fixture.alice, createdAt: now)
      key.expiresAt = now + 20_000_000
      snapshot.keys.append(key)
    }
    let version = fixture.directory.version
    fixture.clock.advance(seconds: 10)
    #expect(fixture.directory.version == version + 1)
    #expect(fixture.principal(key) == nil && fixture.principal(.key(second)) == Fixture.alice)
    fixture.clock.advance(seconds: 10)
    #expect(fixture.principal(.key(second)) == nil)
    #expect(fixture.directory.version == version + 2)
  }

  @Test("a clock that is set back brings nothing back to life, and time goes on meanwhile")
  func clockSetBack() {
    let fixture = Fixture { $0.keys[0].expiresAt = $0.keys[0].createdAt + 60_000_000 }
    fixture.clock.set(bySeconds: -3600)
    #expect(fixture.principal(key) == Fixture.alice)
    fixture.clock.advance(seconds: 59)
    #expect(fixture.principal(key) == Fixture.alice)
    fixture.clock.advance(seconds: 1)
    #expect(fixture.principal(key) == nil)
    fixture.clock.set(bySeconds: -86_400)
    #expect(fixture.principal(key) == nil)
  }

  @Test("a clock that is set forward is followed at once")
  func clockSetForward() {
    let fixture = Fixture { $0.keys[0].expiresAt = $0.keys[0].createdAt + 60_000_000 }
    let version = fixture.directory.version
    fixture.clock.set(bySeconds: 61)
    #expect(fixture.directory.version == version + 1)
    #expect(fixture.principal(key) == nil)
    fixture.clock.set(bySeconds: -61)
    #expect(fixture.principal(key) == nil)
  }

  @Test("disabled principals and tenants are nobody; a disabled project takes nothing new")
  func disabled() throws {
    let fixture = Fixture()
    fixture.directory.apply(.setPrincipalDisabled(Fixture.alice, true))
    #expect(fixture.principal(key) == nil && fixture.principal(.localUser(uid: 1001)) == nil)
    fixture.directory.apply(.setPrincipalDisabled(Fixture.alice, false))
    #expect(fixture.principal(key) == Fixture.alice)

    fixture.directory.apply(.setTenantDisabled("lab", true))
    #expect(fixture.principal(key) == nil)
    #expect(fixture.principal(.key(Fixture.daveKey)) == Fixture.dave)
    fixture.directory.apply(.setTenantDisabled("lab", false))

    fixture.directory.apply(.setProjectDisabled(tenant: "lab", name: "qc", true))
    let alice = try #require(fixture.directory.identity(of: key))
    #expect(alice.isSuspended)
    let own = Fixture.alice.resource
    for action in Action.allCases where Authority.mayAnywhere(alice, action, now: 0) {
      let refusal = Result { () throws(QubusError) in
        _ = try alice.check(action, on: own, now: 0)
      }.failure
      #expect(refusal?.code == (action.isWork ? .projectDisabled : nil), "\(action)")
    }
    fixture.directory.apply(.setTenantDisabled("default", true))
    #expect(fixture.principal(.loopback) == nil && fixture.principal(.localUser(uid: 77)) == nil)
  }

  @Test("an invitation's key has no grants, whatever its principal has")
  func invitation() throws {
    let fixture = Fixture { $0.keys[0].isInvitation = true }
    let invited = try #require(fixture.directory.identity(of: key))
    #expect(invited.isInvitation && invited.grants.isEmpty)
    for action in Action.allCases {
      #expect(
        Authority.mayAnywhere(invited, action, now: 0)
          == (action == .connect || action == .rotateKeys), "\(action)")
    }
    try invited.check(.rotateKeys, on: Fixture.alice.resource, now: 0)
    #expect(throws: QubusError.self) {
      try invited.check(.rotateKeys, on: Fixture.bob.resource, now: 0)
    }
  }

  @Test("grants beyond a role's reach, and doubled ones, are not taken over")
  func grants() {
    let fixture = Fixture {
      $0.grants += [
        GrantRecord(principal: Fixture.alice, grant: Grant(.submitter, Scope())),
        GrantRecord(principal: Fixture.alice, grant: Grant(.projectAdmin, Scope(tenant: "lab"))),
        $0.grants[0],
      ]
    }
    #expect(fixture.directory.grants(of: Fixture.alice).count == 1)
    fixture.directory.apply(
      .grant(GrantRecord(principal: Fixture.alice, grant: Grant(.viewer, Scope(project: "qc")))))
    #expect(fixture.directory.grants(of: Fixture.alice).count == 1)
  }

  @Test("administration lists what there is, in order")
  func lists() {
    let fixture = Fixture()
    let directory = fixture.directory
    directory.apply([
      .createTenant(TenantRecord(name: "new", createdAt: 1)),
      .createProject(ProjectRecord(tenant: "new", name: "one", owner: "", createdAt: 1)),
      .setProjectOwner(tenant: "new", name: "one", owner: "eve"),
    ])
    #expect(directory.tenants().map(\.name) == ["acme", "default", "lab", "new"])
    #expect(directory.projects(of: "lab").map(\.name) == ["qc"])
    #expect(directory.projects().count == 4)
    #expect(directory.project("new", "one")?.owner == "eve")
    #expect(directory.principals(of: "lab").map(\.principal.name) == ["alice", "bob"])
    #expect(directory.principals(of: "lab", project: "none").isEmpty)
    #expect(directory.keys(of: Fixture.alice).map(\.key) == [Fixture.aliceKey])
    #expect(directory.principal(ofUser: 1001) == Fixture.alice)
    #expect(directory.tenant("none") == nil && directory.key("none") == nil)
  }

  @Test("many threads that read while others change see every change, and no half of one")
  func race() async {
    let fixture = Fixture()
    let directory = fixture.directory
    let approver = GrantRecord(
      principal: Fixture.alice, grant: Grant(.approver, Scope(tenant: "lab")))
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for _ in 0..<500 {
          directory.apply([.grant(approver), .setPrincipalDisabled(Fixture.bob, true)])
          directory.apply([.revokeGrant(approver), .setPrincipalDisabled(Fixture.bob, false)])
        }
      }
      for _ in 0..<3 {
        group.addTask {
          var last: UInt64 = 0
          for _ in 0..<2000 {
            let version = directory.version
            #expect(version >= last)
            last = version
            let identity = directory.identity(of: .key(Fixture.aliceKey))
            #expect(identity.map { $0.version >= version } == true)
            #expect([1, 2].contains(identity?.grants.count ?? 0))
          }
        }
      }
    }
    #expect(directory.identity(of: key)?.grants.count == 1)
    #expect(directory.version == 1001)
  }
}

@Suite("Bootstrap")
struct BootstrapTests {
  private let policy = LocalPolicy(ownUID: 1002, userName: DirectoryFixture.names)

  @Test("the first start makes the daemon's user operator and administrator, under the same name")
  func first() throws {
    var snapshot = TenancySnapshot()
    snapshot.tenants = [TenantRecord(name: "default", createdAt: 1)]
    snapshot.projects = [
      ProjectRecord(tenant: "default", name: "default", owner: "", createdAt: 1)
    ]
    let clock = JumpingClock()
    let directory = Directory(snapshot, policy: policy, clock: clock)
    let before = try #require(directory.identity(of: .localUser(uid: 1002)))
    let changes = Bootstrap.changes(snapshot, policy, now: 7)
    #expect(changes.count == 3)
    directory.apply(changes)
    let after = try #require(directory.identity(of: .localUser(uid: 1002)))
    #expect(after.principal == before.principal)
    #expect(Set(after.grants.map(\.role)) == [.operator, .tenantAdmin])
    // Nothing that a single user could do before is refused now.
    for action in Action.allCases where Authority.mayAnywhere(before, action, now: 0) {
      try after.check(action, on: before.principal.resource, now: 0)
    }
  }

  @Test("an empty store gets the default tenant and project too; one with principals nothing")
  func empty() {
    let changes = Bootstrap.changes(TenancySnapshot(), policy, now: 7)
    #expect(changes.count == 5)
    #expect(changes.first == .createTenant(TenantRecord(name: "default", createdAt: 7)))
    #expect(Bootstrap.changes(DirectoryFixture.snapshot(1), policy, now: 7).isEmpty)
  }

  @Test("the store takes the changes as they are")
  func stored() throws {
    let store = MemoryTenancyStore(clock: ManualClock())
    let entry = AuditEntry(
      time: 7, principal: nil, credential: "uid:1002", method: "start", action: "", subject: "",
      tenant: "", outcome: .allowed, policy: "bootstrap", traceID: "")
    let result = Lock<Result<Void, QubusError>?>(nil)
    store.change(
      Bootstrap.changes(store.snapshot(), policy, now: 7), audit: entry
    ) { outcome in result.withLock { $0 = outcome } }
    try #require(result.withLock { $0 }).get()
    #expect(Bootstrap.changes(store.snapshot(), policy, now: 8).isEmpty)
  }

  @Test("the machine's users have names")
  func systemNames() {
    #expect(LocalPolicy.systemName(0) == "root")
    #expect(LocalPolicy.systemName(.max - 7) == nil)
  }
}

@Suite("A clock that never goes back")
struct ForwardClockTests {
  @Test("it follows the wall clock forward, and the other one when the wall clock is set back")
  func jumps() {
    let base = JumpingClock(1_000_000_000)
    let clock = ForwardClock(base)
    #expect(clock.now() == 1_000_000_000)
    base.advance(seconds: 10)
    #expect(clock.now() == 1_010_000_000)
    base.set(bySeconds: -3600)
    #expect(clock.now() == 1_010_000_000)
    base.advance(seconds: 10)
    #expect(clock.now() == 1_020_000_000)
    base.set(bySeconds: 3700)
    #expect(clock.now() == 1_120_000_000)
  }

  @Test("whatever happens to the wall clock, it never goes back and never stands still")
  func random() {
    let seed = UInt64.random(in: .min ... .max)
    print("ForwardClockTests.random: seed \(seed)")
    var random = SplitMix(state: seed)
    let base = JumpingClock()
    let clock = ForwardClock(base)
    var last = clock.now()
    for _ in 0..<10_000 {
      let passed = Int64(random.next() % 5)
      base.advance(seconds: passed)
      base.set(bySeconds: Int64(random.next() % 2001) - 1000)
      let now = clock.now()
      #expect(now - last >= passed * 1_000_000)
      last = now
    }
  }
}

extension Result {
  var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
