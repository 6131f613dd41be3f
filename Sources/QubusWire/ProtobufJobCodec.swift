package import CQubusProto
package import QubusCore
package import QubusJobs

/// The bytes that the store keeps are the messages of `proto/job.proto` and `proto/session.proto`.
package struct ProtobufJobCodec: JobCodec, SessionCodec {
  /// What the daemon wrote itself is not bound by the limits of a client's message, but still
  /// checked: a damaged row must give an error, not a crash.
  private let limits: WireLimits

  package init(limits: Limits = Limits()) {
    var limits = WireLimits(limits)
    limits.bytes = .max
    limits.fields = 1 << 24
    self.limits = limits
  }

  package func decodeRequest(_ bytes: [UInt8]) throws(QubusError) -> JobSpec {
    try decode(bytes, qubus_descriptor_job_request()) {
      (message: Qubus__V1__JobRequest) throws(QubusError) in
      try JobSpec(wire: message, path: "")
    }
  }

  package func encode(_ spec: JobSpec) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.request(spec))
  }

  package func encode(_ manifest: ResultManifest) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.manifest(manifest))
  }

  package func decodeManifest(_ bytes: [UInt8]) throws(QubusError) -> ResultManifest {
    try decode(bytes, qubus_descriptor_result_manifest()) {
      (message: Qubus__V1__ResultManifest) throws(QubusError) in
      try ResultManifest(wire: message)
    }
  }

  package func encode(_ provenance: Provenance) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.provenance(provenance))
  }

  package func decodeProvenance(_ bytes: [UInt8]) throws(QubusError) -> Provenance {
    try decode(bytes, qubus_descriptor_provenance()) {
      (message: Qubus__V1__Provenance) throws(QubusError) in
      try Provenance(wire: message)
    }
  }

  package func encode(_ body: JobEventBody) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.eventBody(body))
  }

  package func decodeEventBody(_ bytes: [UInt8]) throws(QubusError) -> JobEventBody {
    try decode(bytes, qubus_descriptor_job_event()) {
      (message: Qubus__V1__JobEvent) throws(QubusError) in
      try JobEventBody(wire: message)
    }
  }

  package func encode(_ error: QubusError) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.errorDetail(error))
  }

  package func decodeError(_ bytes: [UInt8]) throws(QubusError) -> QubusError {
    try decode(bytes, qubus_descriptor_error_detail()) {
      (message: Qubus__V1__ErrorDetail) throws(QubusError) in
      QubusError(wire: message)
    }
  }

  package func encode(_ spec: SessionSpec) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.openSession(spec))
  }

  package func decodeSession(_ bytes: [UInt8]) throws(QubusError) -> SessionSpec {
    try decode(bytes, qubus_descriptor_open_session_request()) {
      (message: Qubus__V1__OpenSessionRequest) throws(QubusError) in
      try SessionSpec(wire: message)
    }
  }

  private func decode<Message, Value>(
    _ bytes: [UInt8], _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    _ body: (Message) throws(QubusError) -> Value
  ) throws(QubusError) -> Value {
    try decodeMessage(bytes, descriptor, limits: limits, body)
  }
}

/// Checks, unpacks and reads one message.
package func decodeMessage<Message, Value>(
  _ bytes: [UInt8], _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, limits: WireLimits,
  _ body: (Message) throws(QubusError) -> Value
) throws(QubusError) -> Value {
  let outcome = bytes.withUnsafeBytes { raw -> Result<Value, QubusError> in
    do throws(QubusError) {
      let message = try WireMessage<Message>(raw, descriptor: descriptor, limits: limits)
      return .success(try message.read { (m) throws(QubusError) in try body(m) })
    } catch {
      return .failure(error)
    }
  }
  return try outcome.get()
}
