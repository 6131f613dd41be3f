internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Transport {
  /// Calls of administration.
  func dispatchTenancy(_ call: Call, _ body: [UInt8]) throws(QubusError) {
    switch call.method {
    case .whoAmI:
      try decoder.empty(body, call.method)
      let response = Responses.whoAmI(call.context.identity, now: clock.now())
      finish(call, Answer { response })
    case .listTenants, .listProjects, .listPrincipals, .listKeys, .listAudit, .verifyAudit,
      .exportAuditCheckpoint, .listBudgets, .getUsage, .getQuota, .listQuotas, .listExportPolicies,
      .listReservations:
      let query = try decoder.tenancyQuery(call.method, body)
      try read(call) { [tenancy, key = call.key] _, context in
        .answered(
          key,
          Answer(
            Result { () throws(QubusError) in try tenancy.answer(query, context: context) }
          ) { Responses.tenancy($0) })
      }
    default:
      let request = try decoder.tenancyChange(call.method, body)
      tenancy.perform(request.order, reason: request.reason, context: call.context) {
        [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.tenancy($0) }))
      }
    }
  }
}
