import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@Suite("Scopes and grants")
struct ScopeTests {
  private let job = Resource(tenant: "lab", project: "qc", owner: "alice")
  private var onSim: Resource {
    Resource(tenant: "lab", project: "qc", owner: "alice", deviceFamily: "sim")
  }
  private var onQPU: Resource {
    Resource(tenant: "lab", project: "qc", owner: "alice", deviceFamily: "qpu")
  }

  private func identity(_ grants: Grant...) -> Identity {
    Identity(
      principal: Principal(tenant: "lab", project: "qc", name: "alice"),
      credential: .localUser(uid: 1), grants: grants)
  }

  @Test("a project without its tenant is no place: it covers and contains nothing")
  func orphan() {
    let orphan = Scope(project: "qc")
    #expect(!orphan.covers(job))
    #expect(!orphan.contains(Scope(tenant: "lab", project: "qc")))
    #expect(!orphan.contains(orphan))
    for role in Role.allCases { #expect(!role.isGrantable(for: orphan)) }
    #expect(
      Authority.decide(identity(Grant(.submitter, orphan)), .readJobs, on: job, now: 0) == .denied)
  }

  @Test("a grant for a family of devices allows work there alone, and shows the whole queue")
  func families() {
    let simOnly = Grant(.submitter, Scope(tenant: "lab", project: "qc", deviceFamily: "sim"))
    let alice = identity(simOnly)
    #expect(Authority.decide(alice, .submitJobs, on: onSim, now: 0) == .allowed(by: simOnly))
    #expect(Authority.decide(alice, .submitJobs, on: onQPU, now: 0) == .denied)
    #expect(Authority.decide(alice, .readJobs, on: job, now: 0) == .allowed(by: simOnly))
    // The project's existence does not depend on the device, not for others' jobs either.
    let bobs = Resource(tenant: "lab", project: "qc", owner: "bob", deviceFamily: "qpu")
    #expect(Authority.decide(alice, .submitJobs, on: bobs, now: 0) == .denied)
    let both = identity(
      simOnly, Grant(.submitter, Scope(tenant: "lab", project: "qc", deviceFamily: "qpu")))
    #expect(Authority.decide(both, .submitJobs, on: onQPU, now: 0) != .denied)
  }

  @Test("roles are granted no farther than they reach")
  func reach() {
    let scopes = [
      Scope(), Scope(tenant: "lab"), Scope(tenant: "lab", project: "qc"),
      Scope(deviceFamily: "sim"),
    ]
    func reaches(_ role: Role) -> [Bool] { scopes.map { role.isGrantable(for: $0) } }
    for role in Role.allCases {
      switch role {
      case .projectAdmin: #expect(reaches(role) == [false, false, true, false])
      case .viewer, .submitter, .approver, .reviewer, .tenantAdmin:
        #expect(reaches(role) == [false, true, true, false])
      case .operator, .auditor: #expect(reaches(role) == [true, true, true, true])
      }
    }
  }

  @Test("what is contained in a scope is covered by it, wherever it lies")
  func containment() {
    let names: [String?] = [nil, "a", "b"]
    var scopes: [Scope] = []
    for tenant in names {
      for project in names {
        for family in names {
          scopes.append(Scope(tenant: tenant, project: project, deviceFamily: family))
        }
      }
    }
    var contained = 0
    for outer in scopes {
      for inner in scopes where outer.contains(inner) {
        contained += 1
        for tenant in ["a", "b"] {
          for project in ["a", "b"] {
            for family in names {
              let resource = Resource(tenant: tenant, project: project, deviceFamily: family)
              #expect(!inner.covers(resource) || outer.covers(resource), "\(outer) \(inner)")
            }
          }
        }
      }
    }
    #expect(contained > 50)
  }

  @Test("rights over others' jobs need both halves in one grant, not in two places")
  func halves() {
    let bobs = Resource(tenant: "lab", project: "qc", owner: "bob")
    let split = identity(
      Grant(.submitter, Scope(tenant: "lab", project: "qc")),
      Grant(.projectAdmin, Scope(tenant: "lab", project: "optics")))
    #expect(Authority.decide(split, .cancelJobs, on: bobs, now: 0) == .denied)
    #expect(Authority.decide(split, .cancelJobs, on: job, now: 0) != .denied)
  }

  @Test("the service itself is no secret, and takes a grant over everything")
  func service() {
    let service = Resource(tenant: "", project: "")
    #expect(
      Authority.decide(
        identity(Grant(.tenantAdmin, Scope(tenant: "lab"))), .manageTenants, on: service, now: 0)
        == .denied)
    #expect(
      Authority.decide(identity(Grant(.operator, Scope())), .manageTenants, on: service, now: 0)
        == .allowed(by: Grant(.operator, Scope())))
  }

  @Test("words of grants, scopes and principals")
  func words() {
    #expect(Grant(.submitter, Scope(tenant: "lab", project: "qc")).text == "submitter of lab/qc")
    #expect(Grant(.operator, Scope()).text == "operator of everything")
    #expect(
      Grant(.viewer, Scope(tenant: "lab", deviceFamily: "sim")).text == "viewer of lab on sim")
    #expect(Grant.policy(nil) == "everyone")
    let alice = Principal(tenant: "lab", project: "qc", name: "alice")
    #expect(Principal(text: alice.text) == alice)
    for bad in ["", "lab", "lab/qc", "lab//alice", "/qc/alice", "lab/qc/"] {
      #expect(Principal(text: bad) == nil, "\(bad)")
    }
    let key = String(repeating: "k", count: 40)
    for credential in [Credential.localUser(uid: .max), .loopback, .key(key)] {
      #expect(Credential(text: credential.text) == credential)
    }
    for bad in ["", "uid:", "uid:-1", "uid:4294967296", "key:short", "loop"] {
      #expect(Credential(text: bad) == nil, "\(bad)")
    }
    #expect(Resource.family(ofDevice: "sim.statevector") == "sim")
  }
}
