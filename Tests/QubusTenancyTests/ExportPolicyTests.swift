import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@Suite("Export policies")
struct ExportPolicyTests {
  private static let key = ExportPolicy.Key(tenant: "lab", project: "qc")
  private static let policy = ExportPolicy(key: key, destinations: ["vault", "desk"])
  private static let job = Resource(tenant: "lab", project: "qc", owner: "bob")

  private static func verdict(
    _ roles: Role..., to destination: String, under policy: ExportPolicy?
  ) -> Verdict {
    let scope = Scope(tenant: "lab", project: "qc")
    let identity = Identity(
      principal: Principal(tenant: "lab", project: "qc", name: "alice"),
      credential: .localUser(uid: 1), grants: roles.map { Grant($0, scope) })
    return Authority.decideExport(identity, to: destination, under: policy, on: job, now: 0)
  }

  @Test("without a policy whoever may read results may archive them, wherever to")
  func without() {
    for destination in ["", "vault", "elsewhere"] {
      for role in [Role.submitter, .approver, .reviewer, .projectAdmin] {
        let verdict = Self.verdict(role, to: destination, under: nil)
        #expect(verdict == .allowed(by: Grant(role, Scope(tenant: "lab", project: "qc"))))
      }
      #expect(Self.verdict(.viewer, to: destination, under: nil) == .denied)
      #expect(Self.verdict(to: destination, under: nil) == .hidden)
    }
  }

  @Test("under a policy reviewers archive to its destinations, and nobody else, nowhere else")
  func under() {
    let grant = Grant(.reviewer, Scope(tenant: "lab", project: "qc"))
    for destination in Self.policy.destinations {
      #expect(
        Self.verdict(.reviewer, to: destination, under: Self.policy) == .allowed(by: grant))
      #expect(
        Self.verdict(.submitter, .reviewer, to: destination, under: Self.policy)
          == .allowed(by: grant))
      for role in [Role.viewer, .submitter, .approver, .projectAdmin] {
        #expect(Self.verdict(role, to: destination, under: Self.policy) == .denied)
      }
    }
    for destination in ["", "Vault", "elsewhere"] {
      #expect(Self.verdict(.reviewer, to: destination, under: Self.policy) == .denied)
    }
    #expect(Self.verdict(to: "vault", under: Self.policy) == .hidden)
  }

  @Test("a token carries no right to export")
  func token() {
    let rights = TokenRights(
      id: "t", actions: .all, project: nil, expiresAt: 10, maxShots: nil)
    let bearer = Identity(
      principal: Principal(tenant: "lab", project: "qc", name: "alice"),
      credential: .localUser(uid: 1),
      grants: [Grant(.reviewer, Scope(tenant: "lab", project: "qc"))], token: rights)
    #expect(
      Authority.decideExport(bearer, to: "vault", under: Self.policy, on: Self.job, now: 0)
        == .denied)
  }

  @Test("a policy has one to sixteen destinations, each a name")
  func refusals() {
    func code(_ destinations: [String]) -> ErrorCode? {
      ExportPolicy(key: Self.key, destinations: destinations).refusal?.code
    }
    #expect(code(["vault"]) == nil)
    #expect(code((1...16).map { "d\($0)" }) == nil)
    #expect(code([]) == .invalidRequest)
    #expect(code((1...17).map { "d\($0)" }) == .invalidRequest)
    for name in ["", "a b", "/mnt", "A", String(repeating: "a", count: 65)] {
      #expect(code(["vault", name]) == .invalidName, "\(name)")
    }
  }

  @Test("a refusal names policy and remedy")
  func words() {
    let reader = QubusError.exportRefused(
      "sam", to: "vault", under: Self.policy, isReviewer: false)
    #expect(reader.code == .permissionDenied)
    #expect(reader.details["policy"] == "export policy of lab/qc")
    #expect(reader.details["action"] == "results.export")
    #expect(reader.message.contains("ask a reviewer"))
    let reviewer = QubusError.exportRefused(
      "rita", to: "home", under: Self.policy, isReviewer: true)
    #expect(reviewer.message.contains("\"home\"") && reviewer.message.contains("vault, desk"))
  }

  @Test("what is durable is in force")
  func inForce() {
    let policies = ExportPolicies()
    let owner = Principal(tenant: "lab", project: "qc", name: "bob")
    #expect(policies.policy(for: owner) == nil)
    policies.apply([.setExportPolicy(Self.policy)])
    #expect(policies.policy(for: owner) == Self.policy && policies.all == [Self.policy])
    let neighbour = Principal(tenant: "lab", project: "optics", name: "bob")
    #expect(policies.policy(for: neighbour) == nil)
    policies.apply([.removeExportPolicy(Self.key)])
    #expect(policies.all.isEmpty)
  }
}
