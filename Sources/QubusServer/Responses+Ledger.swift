internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about prices, credit, budgets and usage.
extension Responses {
  static func price(_ device: String, _ price: Price) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_price_response__init)
    message.pointee.price = builder.price(device, price)
    return MessageBuilder.pack(message)
  }

  static func entitlement(_ entry: CreditReport.Entry) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__grant_credit_response__init)
    message.pointee.entitlement = builder.entitlement(entry)
    return MessageBuilder.pack(message)
  }

  static func budget(_ report: BudgetReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_budget_response__init)
    message.pointee.budget = builder.budget(report)
    return MessageBuilder.pack(message)
  }

  static func dedication(_ device: String, _ tenant: String?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__dedicate_device_response__init)
    message.pointee.device = builder.text(device)
    message.pointee.tenant = builder.text(tenant ?? "")
    return MessageBuilder.pack(message)
  }

  static func drain(of device: String, _ drain: DeviceDrain?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__drain_device_response__init)
    message.pointee.device = builder.text(device)
    if let drain {
      message.pointee.is_drained = 1
      message.pointee.drained_by = builder.text(drain.by.text)
      message.pointee.drain_reason = builder.text(drain.reason)
      message.pointee.drain_choice_case =
        QUBUS__V1__DRAIN_DEVICE_RESPONSE__DRAIN_CHOICE_DRAINED_SINCE
      message.pointee.drained_since = drain.since
    }
    return MessageBuilder.pack(message)
  }

  static func budgets(
    _ reports: [BudgetReport], _ credits: [CreditReport], _ prices: [String: Price]
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_budgets_response__init)
    (message.pointee.n_budgets, message.pointee.budgets) = builder.list(reports) {
      builder.budget($0)
    }
    (message.pointee.n_credits, message.pointee.credits) = builder.list(credits) {
      builder.credit($0)
    }
    (message.pointee.n_prices, message.pointee.prices) = builder.list(
      prices.sorted { $0.key < $1.key }
    ) { builder.price($0.key, $0.value) }
    return MessageBuilder.pack(message)
  }

  static func usage(_ report: UsageReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_usage_response__init)
    (message.pointee.n_rows, message.pointee.rows) = builder.list(report.rows) {
      builder.usage($0)
    }
    message.pointee.total = builder.usage(report.total)
    message.pointee.queue_microseconds = report.denominators.queueMicroseconds
    message.pointee.successful_experiments = report.denominators.successfulExperiments
    message.pointee.validated_benchmarks = report.denominators.validatedBenchmarks
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  func price(_ device: String, _ price: Price) -> UnsafeMutablePointer<Qubus__V1__DevicePrice> {
    let message = make(qubus__v1__device_price__init)
    message.pointee.device = text(device)
    message.pointee.per_job = price.perJob
    message.pointee.per_shot = price.perShot
    message.pointee.per_device_second = price.perDeviceSecond
    return message
  }

  func entitlement(
    _ entry: CreditReport.Entry
  ) -> UnsafeMutablePointer<Qubus__V1__Entitlement> {
    let message = make(qubus__v1__entitlement__init)
    let entitlement = entry.entitlement
    message.pointee.number = UInt64(clamping: entitlement.number)
    message.pointee.tenant = text(entitlement.project.tenant)
    message.pointee.project = text(entitlement.project.project)
    message.pointee.amount = entitlement.amount
    message.pointee.period_seconds = entitlement.periodSeconds ?? 0
    message.pointee.balance = entry.balance
    message.pointee.created_at = entitlement.createdAt
    if let time = entitlement.expiresAt {
      message.pointee.expiry_choice_case = QUBUS__V1__ENTITLEMENT__EXPIRY_CHOICE_EXPIRES_AT
      message.pointee.expires_at = time
    }
    if let time = entitlement.endsAt {
      message.pointee.end_choice_case = QUBUS__V1__ENTITLEMENT__END_CHOICE_ENDS_AT
      message.pointee.ends_at = time
    }
    return message
  }

  func budget(_ report: BudgetReport) -> UnsafeMutablePointer<Qubus__V1__Budget> {
    let message = make(qubus__v1__budget__init)
    let budget = report.budget
    message.pointee.tenant = text(budget.project.tenant)
    message.pointee.project = text(budget.project.project)
    message.pointee.experiment_class = text(budget.experimentClass?.rawValue ?? "")
    message.pointee.period = text(budget.period.rawValue)
    if let cap = budget.softCap {
      message.pointee.soft_choice_case = QUBUS__V1__BUDGET__SOFT_CHOICE_SOFT_CAP
      message.pointee.soft_cap = cap
    }
    if let cap = budget.hardCap {
      message.pointee.hard_choice_case = QUBUS__V1__BUDGET__HARD_CHOICE_HARD_CAP
      message.pointee.hard_cap = cap
    }
    message.pointee.used = report.used
    if let time = report.resetsAt {
      message.pointee.reset_choice_case = QUBUS__V1__BUDGET__RESET_CHOICE_RESETS_AT
      message.pointee.resets_at = time
    }
    message.pointee.is_past_soft_cap = report.isPastSoftCap ? 1 : 0
    return message
  }

  func credit(_ report: CreditReport) -> UnsafeMutablePointer<Qubus__V1__ProjectCredit> {
    let message = make(qubus__v1__project_credit__init)
    message.pointee.tenant = text(report.project.tenant)
    message.pointee.project = text(report.project.project)
    message.pointee.is_prepaid = report.isPrepaid ? 1 : 0
    message.pointee.credit = report.credit
    message.pointee.owed = report.owed
    message.pointee.held = report.held
    (message.pointee.n_entitlements, message.pointee.entitlements) = list(report.entitlements) {
      entitlement($0)
    }
    return message
  }

  func usage(_ row: UsageRow) -> UnsafeMutablePointer<Qubus__V1__UsageRow> {
    let message = make(qubus__v1__usage_row__init)
    message.pointee.key = text(row.key)
    message.pointee.jobs = row.jobs
    message.pointee.jobs_succeeded = row.succeeded
    message.pointee.sessions = row.sessions
    message.pointee.shots = row.shots
    message.pointee.device_microseconds = row.deviceMicroseconds
    message.pointee.held = row.held
    message.pointee.cost = row.cost
    return message
  }
}
