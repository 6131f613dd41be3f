internal import CQubusProto
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// The requests about prices, credit, budgets and usage.
extension RequestDecoder {
  func setPrice(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_price_request(), limits: wire) {
      (m: Qubus__V1__SetPriceRequest) throws(QubusError) in
      guard let price = m.price?.pointee else {
        throw .field(.missingField, "price", "is required")
      }
      let device = try name(price.device, "price.device")
      guard !device.isEmpty else { throw .field(.missingField, "price.device", "is required") }
      let figures = Price(
        perJob: try Self.figure(price.per_job, "price.per_job"),
        perShot: try Self.figure(price.per_shot, "price.per_shot"),
        perDeviceSecond: try Self.figure(price.per_device_second, "price.per_device_second"))
      return TenancyRequest(
        order: .ledger(.setPrice(device: device, figures == Price() ? nil : figures)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private static func figure(_ value: Int64, _ field: String) throws(QubusError) -> Int64 {
    guard (0...Price.limit).contains(value) else {
      throw .field(
        .invalidRequest, field, "\(value) is out of range", limit: "0 to \(Price.limit)")
    }
    return value
  }

  func grantCredit(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_grant_credit_request(), limits: wire) {
      (m: Qubus__V1__GrantCreditRequest) throws(QubusError) in
      guard (1...Price.costLimit).contains(m.amount) else {
        throw .field(
          .invalidRequest, "amount", "\(m.amount) is out of range",
          limit: "1 to \(Price.costLimit)")
      }
      guard (0...LedgerLimits.periodSeconds).contains(m.period_seconds) else {
        throw .field(
          .invalidRequest, "period_seconds", "\(m.period_seconds) is out of range",
          limit: "0 to \(LedgerLimits.periodSeconds)")
      }
      let valid =
        m.valid_seconds == 0
        ? nil
        : try TenancyFields.seconds(
          m.valid_seconds, "valid_seconds", limit: LedgerLimits.validSeconds, zero: nil)
      return TenancyRequest(
        order: .ledger(
          .grantCredit(
            LedgerProject(
              tenant: try TenancyFields.name(m.tenant, "tenant"),
              project: try TenancyFields.name(m.project, "project")),
            amount: m.amount, periodSeconds: m.period_seconds == 0 ? nil : m.period_seconds,
            validSeconds: valid)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func setBudget(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_budget_request(), limits: wire) {
      (m: Qubus__V1__SetBudgetRequest) throws(QubusError) in
      let period = String(wire: m.period)
      var budget = Budget(
        project: LedgerProject(
          tenant: try TenancyFields.name(m.tenant, "tenant"),
          project: try TenancyFields.name(m.project, "project")),
        experimentClass: try Self.word(m.experiment_class, "experiment_class"),
        period: period.isEmpty ? .always : try Self.required(period, "period"))
      if m.soft_choice_case == QUBUS__V1__SET_BUDGET_REQUEST__SOFT_CHOICE_SOFT_CAP {
        budget.softCap = try Self.cap(m.soft_cap, "soft_cap")
      }
      if m.hard_choice_case == QUBUS__V1__SET_BUDGET_REQUEST__HARD_CHOICE_HARD_CAP {
        budget.hardCap = try Self.cap(m.hard_cap, "hard_cap")
      }
      return TenancyRequest(
        order: .ledger(.setBudget(budget)), reason: try TenancyFields.reason(m.reason))
    }
  }

  func dedicateDevice(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_dedicate_device_request(), limits: wire) {
      (m: Qubus__V1__DedicateDeviceRequest) throws(QubusError) in
      let device = try name(m.device, "device")
      guard !device.isEmpty else { throw .field(.missingField, "device", "is required") }
      return TenancyRequest(
        order: .ledger(
          .dedicateDevice(device, tenant: try TenancyFields.optionalName(m.tenant, "tenant"))),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func drainDevice(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_drain_device_request(), limits: wire) {
      (m: Qubus__V1__DrainDeviceRequest) throws(QubusError) in
      let device = try name(m.device, "device")
      guard !device.isEmpty else { throw .field(.missingField, "device", "is required") }
      let reason = try TenancyFields.reason(m.reason)
      return TenancyRequest(
        order: m.is_ended != 0
          ? .endDrain(device: device) : .drainDevice(device, reason: reason),
        reason: reason)
    }
  }

  private static func cap(_ value: Int64, _ field: String) throws(QubusError) -> Int64 {
    guard (0...Price.costLimit).contains(value) else {
      throw .field(
        .invalidRequest, field, "\(value) is out of range", limit: "0 to \(Price.costLimit)")
    }
    return value
  }

  func listBudgets(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_budgets_request(), limits: wire) {
      (m: Qubus__V1__ListBudgetsRequest) throws(QubusError) in
      .ledger(.budgets(try Self.scope(m.tenant, m.project, m.is_everything != 0)))
    }
  }

  func getUsage(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_get_usage_request(), limits: wire) {
      (m: Qubus__V1__GetUsageRequest) throws(QubusError) in
      let group = String(wire: m.group_by)
      var query = UsageQuery(group: group.isEmpty ? .project : try Self.required(group, "group_by"))
      query.principal = try name(m.principal, "principal")
      query.device = try name(m.device, "device")
      query.tag = try name(m.tag, "tag")
      query.experimentClass = try name(m.experiment_class, "experiment_class")
      query.since = m.since
      if m.until_choice_case == QUBUS__V1__GET_USAGE_REQUEST__UNTIL_CHOICE_UNTIL {
        query.until = m.until
      }
      guard m.limit <= LedgerLimits.usageRows else {
        throw .field(
          .invalidRequest, "limit", "\(m.limit) is too large", limit: "\(LedgerLimits.usageRows)")
      }
      query.limit = Int(m.limit == 0 ? LedgerLimits.usualUsageRows : m.limit)
      return .ledger(.usage(query, try Self.scope(m.tenant, m.project, m.is_everything != 0)))
    }
  }

  private static func scope(
    _ tenant: UnsafeMutablePointer<CChar>?, _ project: UnsafeMutablePointer<CChar>?,
    _ isEverything: Bool
  ) throws(QubusError) -> LedgerScope {
    let tenant = try TenancyFields.optionalName(tenant, "tenant")
    let project = try TenancyFields.optionalName(project, "project")
    switch (tenant, project) {
    case (nil, nil): return isEverything ? .everything : .own
    case (let tenant?, nil): return .tenant(tenant)
    case (let tenant?, let project?):
      return .project(LedgerProject(tenant: tenant, project: project))
    case (nil, _?): throw .field(.missingField, "tenant", "is required with a project")
    }
  }

  /// Nil for an empty text.
  private static func word<Word: RawRepresentable & CaseIterable>(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> Word? where Word.RawValue == String {
    let text = String(wire: pointer)
    return text.isEmpty ? nil : try required(text, field)
  }

  private static func required<Word: RawRepresentable & CaseIterable>(
    _ text: String, _ field: String
  ) throws(QubusError) -> Word where Word.RawValue == String {
    guard let word = Word(rawValue: text) else {
      throw .field(
        .invalidEnumValue, field, "\"\(text.prefix(64))\" is not known",
        limit: Word.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return word
  }
}
