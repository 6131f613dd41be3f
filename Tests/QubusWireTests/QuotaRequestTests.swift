import CQubusProto
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusWire

@Suite("Requests about quotas and approvals")
struct QuotaRequestTests {
  private let decoder = RequestDecoder(limits: Limits())

  private func quota(_ scope: String, _ quota: String, _ limit: Int64?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_quota_request__init)
    message.pointee.scope = builder.text(scope)
    message.pointee.quota = builder.text(quota)
    message.pointee.reason = builder.text("why")
    if let limit {
      message.pointee.limit_choice_case = QUBUS__V1__SET_QUOTA_REQUEST__LIMIT_CHOICE_LIMIT
      message.pointee.limit = limit
    }
    return MessageBuilder.pack(message)
  }

  private func refusal(_ body: () throws -> Void) -> QubusError? {
    do {
      try body()
      return nil
    } catch { return error as? QubusError }
  }

  private func weight(_ scope: String, _ weight: Double?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_weight_request__init)
    message.pointee.scope = builder.text(scope)
    message.pointee.reason = builder.text("why")
    if let weight {
      message.pointee.weight_choice_case = QUBUS__V1__SET_WEIGHT_REQUEST__WEIGHT_CHOICE_WEIGHT
      message.pointee.weight = weight
    }
    return MessageBuilder.pack(message)
  }

  @Test("a weight is a number above 0, or unset: as configured")
  func weights() throws {
    let set = try decoder.tenancyChange(.setWeight, weight("lab/qc", 2.5))
    #expect(set.order == .setWeight(.project(tenant: "lab", "qc"), 2.5) && set.reason == "why")
    #expect(set.order.method == "SetWeight")
    let unset = try decoder.tenancyChange(.setWeight, weight("lab", nil))
    #expect(unset.order == .setWeight(.tenant("lab"), nil))
    for wrong in [0, -1, Double.nan, Double.infinity, 1e7] {
      let error = refusal { _ = try decoder.tenancyChange(.setWeight, weight("lab", wrong)) }
      #expect(error?.code == .invalidRequest && error?.violations.first?.field == "weight")
    }
    #expect(
      refusal { _ = try decoder.tenancyChange(.setWeight, weight("", 1)) }?.code == .missingField)
  }

  @Test("a drain names a device, and a reason that is told; an ended one needs none")
  func drains() throws {
    func body(_ device: String, _ reason: String, isEnded: Bool = false) -> [UInt8] {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__drain_device_request__init)
      message.pointee.device = builder.text(device)
      message.pointee.reason = builder.text(reason)
      message.pointee.is_ended = isEnded ? 1 : 0
      return MessageBuilder.pack(message)
    }
    let drain = try decoder.tenancyChange(.drainDevice, body("sim.a", "leak"))
    #expect(drain.order == .drainDevice("sim.a", reason: "leak") && drain.reason == "leak")
    #expect(drain.order.method == "DrainDevice")
    let end = try decoder.tenancyChange(.drainDevice, body("sim.a", "", isEnded: true))
    #expect(end.order == .endDrain(device: "sim.a") && end.order.method == "DrainDevice")
    let long = String(repeating: "x", count: 1025)
    for (device, reason, code) in [
      ("", "leak", ErrorCode.missingField), ("sim.a", long, .invalidRequest),
    ] {
      #expect(
        refusal { _ = try decoder.tenancyChange(.drainDevice, body(device, reason)) }?.code == code)
    }
  }

  @Test("a limit of 0 is one, an unset one is none")
  func limits() throws {
    let zero = try decoder.tenancyChange(.setQuota, quota("lab/qc", "sessions", 0))
    #expect(zero.order == .setQuota(.project(tenant: "lab", "qc"), .sessions, limit: 0))
    #expect(zero.reason == "why" && zero.order.method == "SetQuota")
    let none = try decoder.tenancyChange(.setQuota, quota("lab/qc/uid:7", "memory_bytes", nil))
    let user = Principal(tenant: "lab", project: "qc", name: "uid:7")
    #expect(none.order == .setQuota(.principal(user), .memoryBytes, limit: nil))
  }

  @Test(
    "what is wrong is refused by field",
    arguments: [
      ("", "sessions", 1, "scope", ErrorCode.missingField),
      ("lab/", "sessions", 1, "scope", .invalidName),
      ("Lab", "sessions", 1, "scope", .invalidName),
      ("lab", "", 1, "quota", .missingField),
      ("lab", "beds", 1, "quota", .invalidEnumValue),
      ("lab", "sessions", -1, "limit", .invalidRequest),
      ("lab", "sessions", Int64.max, "limit", .invalidRequest),
      ("lab", "device_seconds_per_day", 1_000_000_001, "limit", .invalidRequest),
    ])
  func bad(scope: String, word: String, limit: Int64, field: String, code: ErrorCode) {
    let error = refusal {
      _ = try decoder.tenancyChange(.setQuota, quota(scope, word, limit))
    }
    #expect(error?.code == code && error?.violations.map(\.field) == [field])
  }

  @Test("no scope asks for one's own")
  func own() throws {
    #expect(try decoder.tenancyQuery(.getQuota, []) == .quota(nil))
  }

  private func decision(_ action: String, _ device: String = "") -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__approve_job_request__init)
    message.pointee.job_id = builder.text(Identifier(high: 1, low: 2).description)
    message.pointee.action = builder.text(action)
    message.pointee.device = builder.text(device)
    message.pointee.reason = builder.text("r")
    return MessageBuilder.pack(message)
  }

  @Test("three decisions, and no other")
  func decisions() throws {
    #expect(try decoder.approveJob(decision("approve")).action == .approve)
    #expect(try decoder.approveJob(decision("refuse")).action == .refuse)
    let change = try decoder.approveJob(decision("change_device", "sim.x"))
    #expect(change.action == .changeDevice("sim.x") && change.reason == "r")
    #expect(
      refusal { _ = try decoder.approveJob(decision("change_device")) }?.code == .missingField)
    #expect(refusal { _ = try decoder.approveJob(decision("")) }?.code == .invalidEnumValue)
    #expect(refusal { _ = try decoder.approveJob([]) } != nil)
  }

  @Test("a policy keeps what is unset apart from 0")
  func policies() throws {
    func order(_ edit: (UnsafeMutablePointer<Qubus__V1__ApprovalPolicy>) -> Void) throws
      -> TenancyOrder
    {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__set_approval_policy_request__init)
      let policy = builder.make(qubus__v1__approval_policy__init)
      policy.pointee.tenant = builder.text("lab")
      edit(policy)
      message.pointee.policy = policy
      return try decoder.tenancyChange(.setApprovalPolicy, MessageBuilder.pack(message)).order
    }
    let usual = ApprovalPolicy(key: .init(tenant: "lab", project: nil, experimentClass: ""))
    #expect(try order { _ in } == .setApprovalPolicy(usual))
    var strict = usual
    strict.maxShots = 0
    #expect(
      try order {
        $0.pointee.shots_choice_case = QUBUS__V1__APPROVAL_POLICY__SHOTS_CHOICE_MAX_SHOTS
      } == .setApprovalPolicy(strict))
    let late = refusal { _ = try order { $0.pointee.expiry_seconds = .max } }
    #expect(late?.violations.map(\.field) == ["policy.expiry_seconds"])
    #expect(
      refusal { _ = try decoder.tenancyChange(.setApprovalPolicy, []) }?.code == .missingField)
  }
}
