import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@Suite("Approval policies")
struct ApprovalPolicyTests {
  private static let alice = Principal(tenant: "lab", project: "qc", name: "alice")

  private func policy(
    _ project: String?, _ name: String, _ edit: (inout ApprovalPolicy) -> Void = { _ in }
  ) -> ApprovalPolicy {
    var policy = ApprovalPolicy(key: .init(tenant: "lab", project: project, experimentClass: name))
    edit(&policy)
    return policy
  }

  private func spec(_ edit: (inout JobSpec) -> Void = { _ in }) -> JobSpec {
    var spec = JobSpec()
    edit(&spec)
    return spec
  }

  @Test("each bound by itself makes a job wait, and says why")
  func causes() {
    let bounded = policy(nil, "demo") {
      $0.maxShots = 100
      $0.maxCost = 50
      $0.deviceFamilies = ["sim"]
    }
    let cheap = spec { $0.execution.maxCost = 50 }
    func causes(
      _ policy: ApprovalPolicy, _ spec: JobSpec, _ shots: UInt64, _ device: String,
      isFree: Bool = false
    ) -> [String] {
      policy.causes(spec, shots: shots, device: device, isFree: isFree)
    }
    #expect(causes(bounded, cheap, 100, "sim.statevector").isEmpty)
    #expect(causes(bounded, cheap, 101, "sim.statevector").count == 1)
    #expect(causes(bounded, cheap, 1, "qpu.mars").count == 1)
    #expect(causes(bounded, spec(), 1, "sim.x").first?.contains("no bound") == true)
    #expect(causes(bounded, spec(), 1, "sim.x", isFree: true).isEmpty)
    let dear = spec { $0.execution.maxCost = 51 }
    #expect(causes(bounded, dear, .max, "qpu.mars").count == 3)
    #expect(causes(policy(nil, "demo"), dear, .max, "qpu.mars").isEmpty)
  }

  @Test("the policy of the project goes before that of the tenant, the class before all")
  func order() {
    let policies = ApprovalPolicies()
    func found(_ name: String) -> ApprovalPolicy.Key? {
      policies.policy(for: Self.alice, experimentClass: name)?.key
    }
    #expect(found("demo") == nil)
    for (project, name) in [(nil, ""), (nil, "demo"), ("qc", ""), ("qc", "demo")] {
      let next = policy(project, name)
      policies.apply([.setApprovalPolicy(next)])
      #expect(found("demo") == next.key)
    }
    #expect(found("other")?.project == "qc" && found("")?.experimentClass == "")
    policies.apply([.removeApprovalPolicy(policy("qc", "demo").key)])
    #expect(found("demo") == policy("qc", "").key)
    let elsewhere = Principal(tenant: "acme", project: "qc", name: "alice")
    #expect(policies.policy(for: elsewhere, experimentClass: "demo") == nil)
  }

  @Test("what is no policy is refused, naming the field")
  func refusals() {
    let bad: [(String, (inout ApprovalPolicy) -> Void)] = [
      ("max_cost", { $0.maxCost = -1 }), ("expiry_seconds", { $0.expirySeconds = 0 }),
      ("expiry_seconds", { $0.expirySeconds = -5 }),
      ("expiry_seconds", { $0.expirySeconds = .max }),
      ("device_families", { $0.deviceFamilies = ["Not A Name"] }),
      ("device_families", { $0.deviceFamilies = Array(repeating: "sim", count: 17) }),
      ("experiment_class", { $0.key.experimentClass = String(repeating: "x", count: 65) }),
    ]
    for (field, edit) in bad {
      #expect(policy(nil, "demo", edit).refusal?.violations.map(\.field) == [field])
    }
    #expect(policy(nil, "demo").refusal == nil)
  }
}
