internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  /// Serves a call in place or hands it on. What is thrown becomes the call's FINAL.
  func dispatch(_ call: Call, _ body: [UInt8], _ connection: Connection) throws(QubusError) {
    switch call.method {
    case .hello: try hello(call, body, connection)
    case .health:
      try decoder.empty(body, call.method)
      let body = health()
      finish(call, Answer { body })
    case .version:
      try decoder.empty(body, call.method)
      finish(
        call,
        Answer { [configuration] in
          Responses.version(
            storeSchema: configuration.storeSchemaVersion,
            instructionSet: configuration.instructionSet)
        })
    case .errorCatalogue:
      try decoder.empty(body, call.method)
      finish(call, Answer { Responses.errorCatalogue() })
    case .listDevices:
      try decoder.empty(body, call.method)
      let devices = service.devices(context: call.context)
      finish(call, Answer { Responses.devices(devices) })
    case .getDevice:
      let name = try decoder.getDevice(body)
      let devices = service.devices(context: call.context)
      guard let device = devices.first(where: { $0.name == name }) else {
        throw .field(.unknownDevice, "name", "there is no device \"\(name)\"")
      }
      finish(call, Answer { Responses.device(device) })
    case .submit: try submit(call, try decoder.submit(body))
    case .submitBatch: submitBatch(call, try decoder.submitBatch(body))
    case .plan:
      let request = try decoder.plan(body)
      service.plan(request.spec, context: call.context) { [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.plan($0) }))
      }
    case .cancelJob:
      let request = try decoder.cancelJob(body)
      service.cancel(request.jobID, reason: request.reason, context: call.context) {
        [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.cancel($0) }))
      }
    case .pauseJob, .resumeJob, .holdJob, .releaseJob: try dispatchPause(call, body)
    case .changeJob, .cancelBatch, .resubmitJob: try dispatchControl(call, body)
    case .annotateJob:
      let request = try decoder.annotateJob(body)
      service.annotate(
        request.jobID, annotations: request.annotations, context: call.context
      ) { [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.annotate($0) }))
      }
    case .getJob: try getJob(call, try decoder.getJob(body))
    case .listJobs: try listJobs(call, try decoder.listJobs(body))
    case .watchJob: try watch(call, try decoder.watchJob(body))
    case .getResult: try getResult(call, try decoder.getResult(body))
    case .replayJob: try replay(call, try decoder.replayJob(body))
    case .explainJob: try explainJob(call, try decoder.explainJob(body))
    case .getQueuePolicy:
      try decoder.empty(body, call.method)
      try read(call) { [key = call.key] service, context in
        let policy = service.queuePolicy(context: context)
        return .answered(key, Answer { Responses.queuePolicy(policy) })
      }
    case .getEtaReport:
      try decoder.empty(body, call.method)
      try getEtaReport(call)
    case .archiveJob: try archive(call, try decoder.archiveJob(body))
    case .restoreJob: restore(call, try decoder.restoreJob(body))
    case .openSession, .resumeSession, .closeSession, .getSession, .listSessions, .cancelOptimize:
      try dispatchSession(call, body)
    case .whoAmI, .listTenants, .createTenant, .updateTenant, .eraseTenant, .listProjects,
      .createProject, .updateProject, .listPrincipals, .createPrincipal, .updatePrincipal,
      .grantRole, .revokeRole,
      .listKeys, .addKey, .revokeKey, .createInvitation, .issueToken, .revokeToken, .rotateTokenKey,
      .listAudit, .verifyAudit, .exportAuditCheckpoint, .setPrice, .grantCredit, .setBudget,
      .dedicateDevice, .drainDevice, .listBudgets,
      .getUsage, .getQuota, .setQuota, .listQuotas, .setWeight, .setApprovalPolicy,
      .setExportPolicy, .listExportPolicies, .createReservation, .listReservations,
      .extendReservation, .cancelReservation:
      try dispatchTenancy(call, body)
    case .listApprovals: try listApprovals(call, try decoder.listApprovals(body))
    case .approveJob:
      let request = try decoder.approveJob(body)
      service.decide(
        request.jobID, request.action, reason: request.reason, context: call.context
      ) { [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.approved($0) }))
      }
    case .step, .optimize:
      throw QubusError(.internalError, "\(call.method.rawValue) is served before this")
    }
  }

  private func hello(
    _ call: Call, _ body: [UInt8], _ connection: Connection
  ) throws(QubusError) {
    let request = try decoder.hello(body)
    // A client that says nothing of versions speaks the first.
    let range =
      max(
        1, request.minimumProtocolVersion)...max(
        1, request.minimumProtocolVersion, request.maximumProtocolVersion)
    guard range.contains(Versions.protocol) else {
      throw .field(
        .unsupportedProtocolVersion, "minimum_protocol_version",
        "versions \(range.lowerBound) to \(range.upperBound) are not spoken here",
        limit: "\(Versions.protocol)")
    }
    let version = [request.clientName, request.clientVersion].filter { !$0.isEmpty }
      .joined(separator: " ")
    if !version.isEmpty { connection.clientVersion = version }
    let response = Responses.hello(
      instanceID: instanceID, principal: call.context.principal, configuration: configuration)
    finish(call, Answer { response })
  }

  private func health() -> [UInt8] {
    Responses.health(
      load: service.load(), isStopping: isStopping, instanceID: instanceID,
      uptime: clock.monotonic() - startedAt)
  }

  private func dispatchPause(_ call: Call, _ body: [UInt8]) throws(QubusError) {
    let answer: @Sendable (Result<JobView, QubusError>) -> Void = {
      [outbox, key = call.key] result in
      outbox.push(.answered(key, Answer(result) { Responses.paused($0) }))
    }
    let (service, context) = (service, call.context)
    switch call.method {
    case .pauseJob:
      let job = try decoder.pauseJob(body)
      service.pause(job.jobID, reason: job.reason, context: context, completion: answer)
    case .resumeJob:
      let job = try decoder.resumeJob(body)
      service.resume(job.jobID, reason: job.reason, context: context, completion: answer)
    case .holdJob:
      let job = try decoder.holdJob(body)
      service.hold(job.jobID, reason: job.reason, context: context, completion: answer)
    case .releaseJob:
      let job = try decoder.releaseJob(body)
      service.release(job.jobID, reason: job.reason, context: context, completion: answer)
    default:
      throw QubusError(.internalError, "\(call.method.rawValue) keeps no job from its start")
    }
  }

  private func submit(_ call: Call, _ request: SubmitRequest) throws(QubusError) {
    service.submit(request.spec, request: request.request, context: call.context) {
      [outbox, key = call.key] result in
      outbox.push(.answered(key, Answer(result) { Responses.submit($0) }))
    }
  }

  private func submitBatch(_ call: Call, _ items: [Result<SubmitRequest, QubusError>]) {
    let id = service.newBatch()
    let batch = BatchAnswer(id, count: items.count, traceID: call.traceID) {
      [outbox, key = call.key] body in
      outbox.push(.answered(key, Answer { body }))
    }
    for (index, item) in items.enumerated() {
      switch item {
      case .failure(let error): batch.set(index, .failure(error))
      case .success(let request):
        service.submit(
          request.spec, request: request.request, batch: id, context: call.context
        ) { batch.set(index, $0) }
      }
    }
  }

  // MARK: Reads

  /// Runs a read on a thread that may block.
  func read(
    _ call: Call, _ body: @escaping @Sendable (any JobService, CallContext) -> TransportEvent
  ) throws(QubusError) {
    let isTaken = readers.submit { [service, outbox, context = call.context] in
      outbox.push(body(service, context))
    }
    guard isTaken else {
      throw QubusError(
        .serverOverloaded, "too many reads are waiting", retryAfterMilliseconds: 50)
    }
  }

  private func getJob(_ call: Call, _ id: Identifier) throws(QubusError) {
    if isInMemory(id, call.context), !service.isForecastDue(id) {
      let view = try service.job(id, context: call.context)
      finish(call, Answer { Responses.job(view) })
      return
    }
    try read(call) { [key = call.key] service, context in
      .answered(
        key,
        Answer(Result { () throws(QubusError) in try service.job(id, context: context) }) {
          Responses.job($0)
        })
    }
  }

  private func explainJob(_ call: Call, _ id: Identifier) throws(QubusError) {
    try read(call) { [key = call.key] service, context in
      .answered(
        key,
        Answer(Result { () throws(QubusError) in try service.explain(id, context: context) }) {
          Responses.explanation($0)
        })
    }
  }

  private func getEtaReport(_ call: Call) throws(QubusError) {
    try read(call) { [key = call.key] service, context in
      .answered(
        key,
        Answer(
          Result { () throws(QubusError) in try service.startQuoteScores(context: context) }
        ) { Responses.etaReport($0.level, $0.scores) })
    }
  }

  private func listJobs(_ call: Call, _ filter: JobFilter) throws(QubusError) {
    try read(call) { [key = call.key] service, context in
      var filter = filter
      let limit = filter.limit
      // One more than asked for tells whether there is a next page.
      filter.limit += 1
      do throws(QubusError) {
        let jobs = try service.jobs(filter, context: context)
        return .answered(key, Answer { Responses.jobs(jobs, limit: limit) })
      } catch {
        return .answered(key, Answer(error))
      }
    }
  }

  /// True when reads of this job do not touch the disk.
  func isInMemory(_ id: Identifier, _ context: CallContext) -> Bool {
    service.recentEvents(id, after: .max, limit: 0, context: context) != nil
  }
}
