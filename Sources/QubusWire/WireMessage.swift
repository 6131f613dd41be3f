package import CQubusProto
package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a decoder accepts of one message; part of `Limits`.
package struct WireLimits: Sendable, Hashable {
  package var bytes: Int
  package var depth: Int
  package var fields: Int
  /// True on the reading side of a newer peer; the server refuses values it does not know.
  package var acceptsUnknownEnums = false

  package init(_ limits: Limits) {
    bytes = limits.messageBytes
    depth = limits.messageDepth
    fields = limits.messageFields
  }
}

/// A protobuf-c message unpacked from bytes that came from outside, with the arena that holds it.
///
/// The wire format is walked first (`qubus_wire_check`), then unpacked within a budget; neither a
/// nested nor a repetitive message can take more of the stack or the heap than the limits say.
package struct WireMessage<Message>: ~Copyable {
  private let arena: UnsafeMutablePointer<qubus_arena>
  private let message: UnsafeMutablePointer<Message>

  /// - Parameter descriptor: of `Message`; from `qubus_descriptor_…`, never from a Swift copy.
  /// - Throws: `message_too_large`, `message_too_deep`, `too_many_fields`, `invalid_utf8`,
  ///   `nul_in_string`, `invalid_enum_value`, `malformed_frame`, each naming the field.
  package init(
    _ bytes: UnsafeRawBufferPointer, descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    limits: WireLimits
  ) throws(QubusError) {
    try Self.check(bytes, descriptor: descriptor, limits: limits)
    // A packed varint of one byte becomes eight, a short Pauli term five times its size; the rest
    // is for the message itself and a few thousand small fields.
    let budget = bytes.count * 16 + 4 << 20
    guard let arena = qubus_arena_create(budget) else {
      throw QubusError(.serverOverloaded, "no memory to decode a message of \(bytes.count) bytes")
    }
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard
      let unpacked = protobuf_c_message_unpack(
        descriptor, qubus_arena_allocator(arena), bytes.count, base)
    else {
      let isExhausted = arena.pointee.is_exhausted != 0
      qubus_arena_destroy(arena)
      throw isExhausted
        ? QubusError(
          .messageTooLarge,
          "the message unpacks to more than the \(budget) bytes allowed for its \(bytes.count)")
        : QubusError(.malformedFrame, "the message does not decode as \(Message.self)")
    }
    self.arena = arena
    message = UnsafeMutableRawPointer(unpacked).assumingMemoryBound(to: Message.self)
  }

  deinit { qubus_arena_destroy(arena) }

  /// The message; pointers in it live as long as `body` runs.
  package func read<Value, Failure: Error>(
    _ body: (Message) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try body(message.pointee)
  }

  private static func check(
    _ bytes: UnsafeRawBufferPointer, descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    limits: WireLimits
  ) throws(QubusError) {
    var walk = qubus_wire_limits_default()
    walk.maximum_depth = UInt32(clamping: limits.depth)
    walk.maximum_fields = UInt32(clamping: limits.fields)
    walk.maximum_bytes = UInt64(clamping: limits.bytes)
    walk.maximum_field_bytes = UInt64(clamping: limits.bytes)
    walk.accept_unknown_enums = limits.acceptsUnknownEnums ? 1 : 0
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard qubus_wire_check(descriptor, base, bytes.count, &walk, nil, 0) != QUBUS_WIRE_OK else {
      return
    }
    // Only now is text worth its price.
    var number: Int32 = QUBUS_WIRE_OK
    let detail = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
      number = qubus_wire_check(
        descriptor, base, bytes.count, &walk, buffer.baseAddress, buffer.count)
      return buffer.baseAddress.map { String(cString: $0) } ?? ""
    }
    let code = ErrorCode(rawValue: number) ?? .malformedFrame
    let field = String(detail.prefix { $0 != ":" })
    let isPath = detail.contains(":") && !field.contains(" ")
    throw QubusError(
      code, detail,
      violations: isPath ? [FieldViolation(field: field, explanation: detail)] : [])
  }
}
