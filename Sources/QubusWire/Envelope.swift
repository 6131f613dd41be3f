package import CQubusProto
package import QubusCore
package import QubusJobs

/// What a message is; raw values are those of `proto/envelope.proto`.
package enum MessageKind: UInt32, Sendable, Hashable, CaseIterable {
  case call = 1
  case cancel = 2
  case credit = 3
  case ping = 4
  case partial = 5
  case final = 6
  case pong = 7
  case goAway = 8
}

/// One raw frame that follows the body.
package struct AttachmentDescriptor: Sendable, Hashable {
  package var dataType: DataType
  package var shape: [UInt64]
  package var bytes: UInt64
  /// Castagnoli, over the frame.
  package var crc32c: UInt32

  package init(dataType: DataType, shape: [UInt64], bytes: UInt64, crc32c: UInt32) {
    self.dataType = dataType
    self.shape = shape
    self.bytes = bytes
    self.crc32c = crc32c
  }

  /// Describes `frame`, which holds `shape` elements of `dataType`.
  package init(dataType: DataType, shape: [UInt64], frame: [UInt8]) {
    self.init(
      dataType: dataType, shape: shape, bytes: UInt64(frame.count),
      crc32c: frame.withUnsafeBytes { qubus_crc32c(0, $0.baseAddress, $0.count) })
  }
}

/// The first frame of every message.
package struct Envelope: Sendable, Hashable {
  package var protocolVersion: UInt32 = Versions.protocol
  /// As on the wire; `kind` is nil for values that this version does not know.
  package var rawKind: UInt32
  package var callID: UInt64
  package var method = ""
  package var timeoutMilliseconds: UInt32 = 0
  package var creditBytes: UInt64 = 0
  package var status: WireStatus?
  package var traceContext = ""
  package var token: [UInt8] = []
  package var streamSequence: UInt64 = 0
  package var serverInstanceID = ""
  package var attachments: [AttachmentDescriptor] = []

  package var kind: MessageKind? { MessageKind(rawValue: rawKind) }

  package init(_ kind: MessageKind, callID: UInt64 = 0) {
    rawKind = kind.rawValue
    self.callID = callID
  }

  /// - Throws: `malformed_frame`, `message_too_large` (above 64 KiB), `invalid_utf8`, …. An unknown
  ///   kind or protocol version is no error here: the answer needs the call id.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(QubusError) {
    var limits = WireLimits(Limits())
    limits.fields = Self.maximumFields
    limits.bytes = Self.maximumBytes
    limits.acceptsUnknownEnums = true
    let message = try WireMessage<Qubus__V1__Envelope>(
      bytes, descriptor: qubus_descriptor_envelope(), limits: limits)
    self = try message.read { (m) throws(QubusError) in try Envelope(wire: m) }
  }

  /// Bytes of the largest envelope that is read.
  package static let maximumFields = 1024
  package static let maximumBytes = 64 << 10

  private init(wire m: Qubus__V1__Envelope) throws(QubusError) {
    protocolVersion = m.protocol_version
    rawKind = m.kind.rawValue
    callID = m.call_id
    method = String(wire: m.method)
    timeoutMilliseconds = m.timeout_milliseconds
    creditBytes = m.credit_bytes
    status = m.status.map { WireStatus(wire: $0.pointee) }
    traceContext = String(wire: m.trace_context)
    token = [UInt8](wire: m.token)
    streamSequence = m.stream_sequence
    serverInstanceID = String(wire: m.server_instance_id)
    attachments = try readList(m.n_attachments, m.attachments) {
      (attachment, index) throws(QubusError) in
      AttachmentDescriptor(
        dataType: try readEnum(
          attachment.data_type.rawValue, field: "attachments[\(index)].data_type"),
        shape: [UInt64](wire: attachment.n_shape, attachment.shape), bytes: attachment.bytes,
        crc32c: attachment.crc32c)
    }
  }

  package func encoded() -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.envelope(self))
  }
}

extension MessageBuilder {
  package func envelope(_ envelope: Envelope) -> UnsafeMutablePointer<Qubus__V1__Envelope> {
    let message = make(qubus__v1__envelope__init)
    message.pointee.protocol_version = envelope.protocolVersion
    message.pointee.kind = .init(rawValue: envelope.rawKind)
    message.pointee.call_id = envelope.callID
    message.pointee.method = text(envelope.method)
    message.pointee.timeout_milliseconds = envelope.timeoutMilliseconds
    message.pointee.credit_bytes = envelope.creditBytes
    message.pointee.status = envelope.status.map { status($0) }
    message.pointee.trace_context = text(envelope.traceContext)
    message.pointee.token = data(envelope.token)
    message.pointee.stream_sequence = envelope.streamSequence
    message.pointee.server_instance_id = text(envelope.serverInstanceID)
    (message.pointee.n_attachments, message.pointee.attachments) = list(envelope.attachments) {
      let attachment = make(qubus__v1__attachment_descriptor__init)
      attachment.pointee.data_type = .init(rawValue: UInt32($0.dataType.rawValue))
      (attachment.pointee.n_shape, attachment.pointee.shape) = numbers($0.shape)
      attachment.pointee.bytes = $0.bytes
      attachment.pointee.crc32c = $0.crc32c
      return attachment
    }
    return message
  }
}
