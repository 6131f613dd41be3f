internal import CQubusProto
package import QubusCore
package import QubusJobs

/// Reads requests from bytes that a client sent. Every refusal names field and limit.
package struct RequestDecoder: Sendable {
  package let limits: Limits
  let wire: WireLimits

  package init(limits: Limits) {
    self.limits = limits
    wire = WireLimits(limits)
  }

  package func hello(_ body: [UInt8]) throws(QubusError) -> HelloRequest {
    try decodeMessage(body, qubus_descriptor_hello_request(), limits: wire) {
      (m: Qubus__V1__HelloRequest) throws(QubusError) in
      HelloRequest(
        minimumProtocolVersion: m.minimum_protocol_version,
        maximumProtocolVersion: m.maximum_protocol_version,
        clientName: try name(m.client_name, "client_name"),
        clientVersion: try name(m.client_version, "client_version"))
    }
  }

  /// Refuses a body that does not decode as the message named, for requests without fields.
  package func empty(_ body: [UInt8], _ method: Method) throws(QubusError) {
    guard !body.isEmpty, let descriptor = method.requestDescriptor else { return }
    try decodeMessage(body, descriptor, limits: wire) { (_: ProtobufCMessage) in }
  }

  package func submit(_ body: [UInt8]) throws(QubusError) -> SubmitRequest {
    try submitted(in: body, qubus_descriptor_submit_request())
  }

  package func plan(_ body: [UInt8]) throws(QubusError) -> SubmitRequest {
    try submitted(in: body, qubus_descriptor_plan_request())
  }

  /// One result per item: an item that does not decode leaves the others alone.
  /// - Throws: `malformed_frame`, `invalid_request` above `batchItems`.
  package func submitBatch(
    _ body: [UInt8]
  ) throws(QubusError) -> [Result<SubmitRequest, QubusError>] {
    let items = try EmbeddedMessages.ranges(ofField: 1, in: body)
    guard items.count <= limits.batchItems else {
      throw .field(
        .invalidRequest, "jobs", "\(items.count) jobs in one batch",
        limit: "\(limits.batchItems)")
    }
    return items.enumerated().map { (index, range) in
      do throws(QubusError) {
        return .success(try job(Array(body[range]), path: "jobs[\(index)]"))
      } catch {
        return .failure(error)
      }
    }
  }

  package func getJob(_ body: [UInt8]) throws(QubusError) -> Identifier {
    try decodeMessage(body, qubus_descriptor_get_job_request(), limits: wire) {
      (m: Qubus__V1__GetJobRequest) throws(QubusError) in
      try readIdentifier(m.job_id, field: "job_id")
    }
  }

  package func listJobs(_ body: [UInt8]) throws(QubusError) -> JobFilter {
    try decodeMessage(body, qubus_descriptor_list_jobs_request(), limits: wire) {
      (m: Qubus__V1__ListJobsRequest) throws(QubusError) in
      var filter = JobFilter()
      for (index, status) in [Qubus__V1__JobStatus](wire: m.n_statuses, m.statuses).enumerated() {
        filter.statuses.append(try readEnum(status.rawValue, field: "statuses[\(index)]"))
      }
      let page = try self.page(m.page_size, m.page_token)
      filter.limit = page.limit
      filter.before = page.before
      filter.tags = readTexts(m.n_tags, m.tags)
      try RequestValidation(limits: limits).tags(filter.tags, path: "tags")
      filter.name = try name(m.name, "name")
      if m.batch_id.pointee != 0 {
        filter.batch = try readIdentifier(m.batch_id, field: "batch_id")
      }
      return filter
    }
  }

  package static let maximumPageSize: UInt32 = 1000

  package func watchJob(_ body: [UInt8]) throws(QubusError) -> WatchJobRequest {
    try decodeMessage(body, qubus_descriptor_watch_job_request(), limits: wire) {
      (m: Qubus__V1__WatchJobRequest) throws(QubusError) in
      WatchJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"), afterSequence: m.after_sequence)
    }
  }

  package func getResult(_ body: [UInt8]) throws(QubusError) -> GetResultRequest {
    try decodeMessage(body, qubus_descriptor_get_result_request(), limits: wire) {
      (m: Qubus__V1__GetResultRequest) throws(QubusError) in
      GetResultRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        waitMilliseconds: m.wait_milliseconds,
        selection: try readList(m.n_selection, m.selection) { (selection, _) in
          ResultSelection(
            item: Int(selection.item),
            chunks: [UInt32](wire: selection.n_chunks, selection.chunks).map(Int.init))
        },
        manifestOnly: m.manifest_only != 0)
    }
  }

  package func cancelJob(_ body: [UInt8]) throws(QubusError) -> CancelJobRequest {
    try decodeMessage(body, qubus_descriptor_cancel_job_request(), limits: wire) {
      (m: Qubus__V1__CancelJobRequest) throws(QubusError) in
      CancelJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        reason: try name(m.reason, "reason"))
    }
  }

  package func pauseJob(_ body: [UInt8]) throws(QubusError) -> PauseJobRequest {
    try decodeMessage(body, qubus_descriptor_pause_job_request(), limits: wire) {
      (m: Qubus__V1__PauseJobRequest) throws(QubusError) in
      PauseJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func resumeJob(_ body: [UInt8]) throws(QubusError) -> PauseJobRequest {
    try decodeMessage(body, qubus_descriptor_resume_job_request(), limits: wire) {
      (m: Qubus__V1__ResumeJobRequest) throws(QubusError) in
      PauseJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func holdJob(_ body: [UInt8]) throws(QubusError) -> PauseJobRequest {
    try decodeMessage(body, qubus_descriptor_hold_job_request(), limits: wire) {
      (m: Qubus__V1__HoldJobRequest) throws(QubusError) in
      PauseJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func releaseJob(_ body: [UInt8]) throws(QubusError) -> PauseJobRequest {
    try decodeMessage(body, qubus_descriptor_release_job_request(), limits: wire) {
      (m: Qubus__V1__ReleaseJobRequest) throws(QubusError) in
      PauseJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func annotateJob(_ body: [UInt8]) throws(QubusError) -> AnnotateJobRequest {
    try decodeMessage(body, qubus_descriptor_annotate_job_request(), limits: wire) {
      (m: Qubus__V1__AnnotateJobRequest) throws(QubusError) in
      let annotations = readPairs(m.n_annotations, m.annotations)
      try RequestValidation(limits: limits).annotations(annotations)
      return AnnotateJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"), annotations: annotations)
    }
  }

  package func replayJob(_ body: [UInt8]) throws(QubusError) -> ReplayJobRequest {
    try decodeMessage(body, qubus_descriptor_replay_job_request(), limits: wire) {
      (m: Qubus__V1__ReplayJobRequest) throws(QubusError) in
      let replay = String(wire: m.replay_job_id)
      return ReplayJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        waitMilliseconds: m.wait_milliseconds,
        replayJobID: replay.isEmpty
          ? nil : try readIdentifier(m.replay_job_id, field: "replay_job_id"))
    }
  }

  package func explainJob(_ body: [UInt8]) throws(QubusError) -> Identifier {
    try decodeMessage(body, qubus_descriptor_explain_job_request(), limits: wire) {
      (m: Qubus__V1__ExplainJobRequest) throws(QubusError) in
      try readIdentifier(m.job_id, field: "job_id")
    }
  }

  package func getDevice(_ body: [UInt8]) throws(QubusError) -> String {
    try decodeMessage(body, qubus_descriptor_get_device_request(), limits: wire) {
      (m: Qubus__V1__GetDeviceRequest) throws(QubusError) in
      guard m.name.pointee != 0 else { throw .field(.missingField, "name", "is required") }
      return try name(m.name, "name")
    }
  }

  // MARK: Parts

  /// A request whose only field is `JobRequest job = 1`.
  private func submitted(
    in body: [UInt8], _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(QubusError) -> SubmitRequest {
    guard body.count <= limits.messageBytes else {
      throw QubusError(
        .messageTooLarge,
        "the body has \(body.count) bytes (limit: \(limits.messageBytes))")
    }
    let ranges = try EmbeddedMessages.ranges(ofField: 1, in: body)
    guard let range = ranges.first else { throw .field(.missingField, "job", "is required") }
    guard ranges.count == 1 else {
      throw .field(.malformedFrame, "job", "occurs \(ranges.count) times", limit: "1")
    }
    return try job(Array(body[range]), path: "job")
  }

  private func job(_ bytes: [UInt8], path: String) throws(QubusError) -> SubmitRequest {
    do throws(QubusError) {
      var nested = wire
      nested.depth -= 1
      let spec = try decodeMessage(bytes, qubus_descriptor_job_request(), limits: nested) {
        (m: Qubus__V1__JobRequest) throws(QubusError) in
        try JobSpec(wire: m, path: "")
      }
      try RequestValidation(limits: limits).job(spec)
      return SubmitRequest(spec: spec, request: bytes)
    } catch {
      // Fields are named from the body's root.
      var error = error
      for index in error.violations.indices {
        error.violations[index].field = "\(path).\(error.violations[index].field)"
      }
      throw error
    }
  }

  /// What a list is asked for.
  func page(
    _ size: UInt32, _ token: UnsafeMutablePointer<CChar>?
  ) throws(QubusError) -> (limit: Int, before: Identifier?) {
    guard size <= Self.maximumPageSize else {
      throw .field(
        .invalidRequest, "page_size", "\(size) is too large", limit: "\(Self.maximumPageSize)")
    }
    let limit = size == 0 ? 100 : Int(size)
    let token = String(wire: token)
    guard !token.isEmpty else { return (limit, nil) }
    guard let before = Identifier(token) else {
      throw .field(.invalidCursor, "page_token", "is not one that this server gave")
    }
    return (limit, before)
  }

  func name(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> String {
    let text = String(wire: pointer)
    try RequestValidation(limits: limits).name(text, field)
    return text
  }
}
