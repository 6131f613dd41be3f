import CQubusProto
import QubusCore
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@Suite("RequestDecoder: prices, credit, budgets, usage")
struct LedgerRequestTests {
  private let decoder = RequestDecoder(limits: Limits())
  private static let project = LedgerProject(tenant: "lab", project: "qc")

  private func body<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void,
    _ change: (borrowing MessageBuilder, UnsafeMutablePointer<Message>) -> Void
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(initialize)
    change(builder, message)
    return MessageBuilder.pack(message)
  }

  private func price(perShot: Int64) -> [UInt8] {
    body(qubus__v1__set_price_request__init) { builder, message in
      let price = builder.make(qubus__v1__device_price__init)
      price.pointee.device = builder.text("sim.statevector")
      price.pointee.per_shot = perShot
      message.pointee.price = price
    }
  }

  private func credit(_ amount: Int64, period: Int64 = 0, valid: Double = 0) -> [UInt8] {
    body(qubus__v1__grant_credit_request__init) {
      $1.pointee.tenant = $0.text("lab")
      $1.pointee.project = $0.text("qc")
      $1.pointee.amount = amount
      $1.pointee.period_seconds = period
      $1.pointee.valid_seconds = valid
    }
  }

  private func budget(_ name: String, period: String = "", hard: Int64 = 1) -> [UInt8] {
    body(qubus__v1__set_budget_request__init) {
      $1.pointee.tenant = $0.text("lab")
      $1.pointee.project = $0.text("qc")
      $1.pointee.experiment_class = $0.text(name)
      $1.pointee.period = $0.text(period)
      $1.pointee.hard_choice_case = QUBUS__V1__SET_BUDGET_REQUEST__HARD_CHOICE_HARD_CAP
      $1.pointee.hard_cap = hard
    }
  }

  private func dedication(_ device: String, to tenant: String) -> [UInt8] {
    body(qubus__v1__dedicate_device_request__init) {
      $1.pointee.device = $0.text(device)
      $1.pointee.tenant = $0.text(tenant)
    }
  }

  private func refusal(_ method: Method, _ body: [UInt8]) -> String? {
    let error = #expect(throws: QubusError.self) { try decoder.tenancyChange(method, body) }
    return error?.violations.first?.field
  }

  @Test("orders come as they were sent; a price of nothing makes the device free")
  func orders() throws {
    #expect(
      try decoder.tenancyChange(.setPrice, price(perShot: 3)).order
        == .ledger(.setPrice(device: "sim.statevector", Price(perShot: 3))))
    for tenant in ["lab", ""] {
      #expect(
        try decoder.tenancyChange(.dedicateDevice, dedication("sim.statevector", to: tenant)).order
          == .ledger(
            .dedicateDevice("sim.statevector", tenant: tenant.isEmpty ? nil : tenant)))
    }
    #expect(
      try decoder.tenancyChange(.setPrice, price(perShot: 0)).order
        == .ledger(.setPrice(device: "sim.statevector", nil)))
    #expect(
      try decoder.tenancyChange(.grantCredit, credit(5, period: 60, valid: 7)).order
        == .ledger(
          .grantCredit(Self.project, amount: 5, periodSeconds: 60, validSeconds: 7)))
    #expect(
      try decoder.tenancyChange(.setBudget, budget("demo", period: "week")).order
        == .ledger(
          .setBudget(
            Budget(
              project: Self.project, experimentClass: .demo, period: .week, hardCap: 1))))
  }

  @Test("negative, absurd and unknown figures are refused by field")
  func refusals() {
    #expect(refusal(.setPrice, []) == "price")
    #expect(refusal(.dedicateDevice, []) == "device")
    #expect(refusal(.dedicateDevice, dedication("sim", to: "Not A Name")) == "tenant")
    #expect(refusal(.setPrice, price(perShot: -1)) == "price.per_shot")
    #expect(refusal(.setPrice, price(perShot: .max)) == "price.per_shot")
    #expect(refusal(.grantCredit, credit(0)) == "amount")
    #expect(refusal(.grantCredit, credit(-5)) == "amount")
    #expect(refusal(.grantCredit, credit(.max)) == "amount")
    #expect(refusal(.grantCredit, credit(5, period: -1)) == "period_seconds")
    #expect(refusal(.grantCredit, credit(5, valid: -1)) == "valid_seconds")
    #expect(refusal(.grantCredit, credit(5, valid: .nan)) == "valid_seconds")
    #expect(refusal(.setBudget, budget("party")) == "experiment_class")
    #expect(refusal(.setBudget, budget("", period: "year")) == "period")
    #expect(refusal(.setBudget, budget("", hard: -1)) == "hard_cap")
  }

  @Test("usage is asked for by a known group, in a place, at most so many rows")
  func usage() throws {
    let request = body(qubus__v1__get_usage_request__init) {
      $1.pointee.group_by = $0.text("tag")
      $1.pointee.tenant = $0.text("lab")
      $1.pointee.since = 7
    }
    var query = UsageQuery(group: .tag)
    query.since = 7
    #expect(try decoder.tenancyQuery(.getUsage, request) == .ledger(.usage(query, .tenant("lab"))))
    #expect(
      try decoder.tenancyQuery(.getUsage, [])
        == .ledger(.usage(UsageQuery(group: .project), .own)))
    for (field, body) in [
      ("group_by", body(qubus__v1__get_usage_request__init) { $1.pointee.group_by = $0.text("x") }),
      ("limit", body(qubus__v1__get_usage_request__init) { $1.pointee.limit = 10_001 }),
      ("tenant", body(qubus__v1__get_usage_request__init) { $1.pointee.project = $0.text("p") }),
    ] {
      let error = #expect(throws: QubusError.self) { try decoder.tenancyQuery(.getUsage, body) }
      #expect(error?.violations.first?.field == field)
    }
  }
}
