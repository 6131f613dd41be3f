internal import CQubusProto
package import QubusCore
internal import QubusJobs

extension RequestDecoder {
  package func openSession(_ body: [UInt8]) throws(QubusError) -> OpenSessionRequest {
    let spec = try decodeMessage(body, qubus_descriptor_open_session_request(), limits: wire) {
      (m: Qubus__V1__OpenSessionRequest) throws(QubusError) in try SessionSpec(wire: m)
    }
    try RequestValidation(limits: limits).session(spec)
    return OpenSessionRequest(spec: spec, request: body)
  }

  /// A Step that is not as encoders write it, or is refused; see `StepScanner`.
  /// - Parameter frames: of the message, the envelope's first; as many as `Method.step` declares.
  package func step(_ envelope: Envelope, _ frames: [[UInt8]]) throws(QubusError) -> StepMessage {
    let descriptor = envelope.attachments[0]
    let shape = try checkNumbers(descriptor, frames[2], index: 0, ranks: 1...2)
    var message = try decodeMessage(frames[1], qubus_descriptor_step_request(), limits: wire) {
      (m: Qubus__V1__StepRequest) throws(QubusError) in
      var message = StepMessage()
      message.session = try identifier(bytes: m.session_id, field: "session_id")
      message.sequence = m.sequence
      message.outputs = m.outputs
      message.shots = m.shots
      message.targetError = m.target_error
      return message
    }
    message.callID = envelope.callID
    message.timeoutMilliseconds = envelope.timeoutMilliseconds
    message.rows = shape.count == 1 ? 1 : shape[0]
    message.columns = shape[shape.count - 1]
    message.checksum = descriptor.crc32c
    if let refusal = message.refusal(limits) { throw refusal }
    return message
  }

  private func identifier(
    bytes data: ProtobufCBinaryData, field: String
  ) throws(QubusError) -> Identifier {
    guard data.len > 0 else { throw .field(.missingField, field, "is required") }
    guard let identifier = Identifier(bytes: [UInt8](wire: data)) else {
      throw .field(.invalidIdentifier, field, "\(data.len) bytes are no id", limit: "16 bytes")
    }
    return identifier
  }

  package func resumeSession(_ body: [UInt8]) throws(QubusError) -> ResumeSessionRequest {
    try decodeMessage(body, qubus_descriptor_resume_session_request(), limits: wire) {
      (m: Qubus__V1__ResumeSessionRequest) throws(QubusError) in
      let session = try readIdentifier(m.session_id, field: "session_id")
      guard m.secret.len > 0 else {
        throw .field(.missingField, "secret", "is required: OpenSession told it")
      }
      guard m.secret.len <= limits.nameBytes else {
        throw .field(
          .invalidRequest, "secret", "\(m.secret.len) bytes is too long",
          limit: "\(limits.nameBytes)")
      }
      return ResumeSessionRequest(
        session: session, secret: [UInt8](wire: m.secret), lastSequence: m.last_sequence)
    }
  }

  package func closeSession(_ body: [UInt8]) throws(QubusError) -> Identifier {
    try decodeMessage(body, qubus_descriptor_close_session_request(), limits: wire) {
      (m: Qubus__V1__CloseSessionRequest) throws(QubusError) in
      try readIdentifier(m.session_id, field: "session_id")
    }
  }

  package func getSession(_ body: [UInt8]) throws(QubusError) -> Identifier {
    try decodeMessage(body, qubus_descriptor_get_session_request(), limits: wire) {
      (m: Qubus__V1__GetSessionRequest) throws(QubusError) in
      try readIdentifier(m.session_id, field: "session_id")
    }
  }

  package func listSessions(_ body: [UInt8]) throws(QubusError) -> ListSessionsRequest {
    try decodeMessage(body, qubus_descriptor_list_sessions_request(), limits: wire) {
      (m: Qubus__V1__ListSessionsRequest) throws(QubusError) in
      let page = try self.page(m.page_size, m.page_token)
      return ListSessionsRequest(
        includesEnded: m.include_ended != 0, limit: page.limit, before: page.before)
    }
  }

  package func cancelOptimize(_ body: [UInt8]) throws(QubusError) -> CancelOptimizeRequest {
    try decodeMessage(body, qubus_descriptor_cancel_optimize_request(), limits: wire) {
      (m: Qubus__V1__CancelOptimizeRequest) throws(QubusError) in
      CancelOptimizeRequest(
        session: try readIdentifier(m.session_id, field: "session_id"),
        optimization: try readIdentifier(m.optimization_id, field: "optimization_id"))
    }
  }
}
