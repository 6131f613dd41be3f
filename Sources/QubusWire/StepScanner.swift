internal import CQubusProto
package import QubusCore
internal import QubusJobs

/// Reads a Step from its three frames in place, without allocating.
///
/// It knows one kind of message: CALL "Step" of this protocol version with one attachment of
/// numbers, as encoders write it, fields in any order. For everything else, right or wrong, it
/// gives nil, and the general decoder (`RequestDecoder.step`) has the word; what both take they
/// read alike.
package struct StepScanner: Sendable {
  package struct Scan {
    package var message: StepMessage
    /// Of the envelope's `trace_context` in the envelope's frame; ASCII without NUL.
    package var trace: Range<Int>
    /// The same of its `token`.
    package var token: Range<Int>
  }

  private let limits: Limits

  package init(limits: Limits) { self.limits = limits }

  package func scan(
    envelope: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer,
    numbers: UnsafeRawBufferPointer
  ) -> Scan? {
    var message = StepMessage()
    var (trace, token) = (0..<0, 0..<0)
    var array = Numbers(count: numbers.count)
    guard
      Self.read(envelope, into: &message, &trace, &token, &array), Self.read(body, into: &message),
      array.fit(&message), message.refusal(limits) == nil,
      qubus_crc32c(0, numbers.baseAddress, numbers.count) == array.checksum
    else { return nil }
    message.checksum = array.checksum
    return Scan(message: message, trace: trace, token: token)
  }

  /// What the envelope says of the attachment.
  private struct Numbers {
    /// Of the frame.
    let count: Int
    var dataType: UInt64 = 0
    var rank = 0
    var first: UInt64 = 0
    var second: UInt64 = 0
    var bytes: UInt64 = 0
    var checksum: UInt32 = 0

    init(count: Int) { self.count = count }

    mutating func append(_ extent: UInt64) -> Bool {
      guard rank < 2 else { return false }
      if rank == 0 { first = extent } else { second = extent }
      rank += 1
      return true
    }

    func fit(_ message: inout StepMessage) -> Bool {
      guard dataType == UInt64(DataType.float64.rawValue), rank > 0 else { return false }
      let (rows, columns) = rank == 1 ? (1, first) : (first, second)
      let (elements, overflow) = rows.multipliedReportingOverflow(by: columns)
      guard rows <= 1 << 40, columns <= 1 << 40, !overflow, elements <= 1 << 40,
        elements * 8 == bytes, bytes == UInt64(count)
      else { return false }
      message.rows = Int(rows)
      message.columns = Int(columns)
      return true
    }
  }

  private static func read(
    _ bytes: UnsafeRawBufferPointer, into message: inout StepMessage, _ trace: inout Range<Int>,
    _ token: inout Range<Int>, _ array: inout Numbers
  ) -> Bool {
    guard bytes.count <= Envelope.maximumBytes else { return false }
    var fields = FieldScanner(bytes)
    var seen: UInt32 = 0
    while !fields.isAtEnd {
      guard let key = fields.key(), Self.isNew(key, &seen) else { return false }
      switch key {
      case 0x08: guard fields.varint() == UInt64(Versions.protocol) else { return false }
      case 0x10: guard fields.varint() == UInt64(MessageKind.call.rawValue) else { return false }
      case 0x18:
        guard let id = fields.varint() else { return false }
        message.callID = id
      case 0x22:
        guard let name = fields.contents(), name.count == 4,
          UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: name.lowerBound, as: UInt32.self))
            == Self.method
        else { return false }
      case 0x28:
        guard let time = fields.varint(), time <= UInt64(UInt32.max) else { return false }
        message.timeoutMilliseconds = UInt32(time)
      case 0x30: guard fields.varint() != nil else { return false }
      case 0x42:
        guard let text = fields.contents() else { return false }
        for byte in bytes[text] where byte == 0 || byte > 0x7F { return false }
        trace = text
      case 0x4A:
        guard let bearer = fields.contents() else { return false }
        token = bearer
      case 0x62:
        guard let contents = fields.contents(), Self.read(bytes, contents, into: &array)
        else { return false }
      default: return false
      }
    }
    return seen & Self.needed == Self.needed && message.callID != 0
  }

  private static func read(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, into array: inout Numbers
  ) -> Bool {
    var fields = FieldScanner(bytes, range)
    var seen: UInt32 = 0
    while !fields.isAtEnd {
      guard let key = fields.key() else { return false }
      switch key {
      case 0x08:
        guard isNew(key, &seen), let type = fields.varint() else { return false }
        array.dataType = type
      case 0x10:
        guard let extent = fields.varint(), array.append(extent) else { return false }
      case 0x12:
        guard let packed = fields.contents(), !packed.isEmpty else { return false }
        var extents = FieldScanner(bytes, packed)
        while !extents.isAtEnd {
          guard let extent = extents.varint(), array.append(extent) else { return false }
        }
      case 0x18:
        guard isNew(key, &seen), let count = fields.varint() else { return false }
        array.bytes = count
      case 0x25:
        guard isNew(key, &seen), let checksum = fields.fixed32() else { return false }
        array.checksum = checksum
      default: return false
      }
    }
    return true
  }

  private static func read(
    _ bytes: UnsafeRawBufferPointer, into message: inout StepMessage
  ) -> Bool {
    var fields = FieldScanner(bytes)
    var seen: UInt32 = 0
    while !fields.isAtEnd {
      guard let key = fields.key(), isNew(key, &seen) else { return false }
      switch key {
      case 0x0A:
        guard let id = fields.contents(), id.count == 16 else { return false }
        message.session = Identifier(bytes, at: id.lowerBound)
      case 0x10:
        guard let sequence = fields.varint() else { return false }
        message.sequence = sequence
      case 0x18:
        guard let outputs = fields.varint(), outputs <= UInt64(UInt32.max) else { return false }
        message.outputs = UInt32(outputs)
      case 0x20:
        guard let shots = fields.varint() else { return false }
        message.shots = shots
      case 0x29:
        guard let bits = fields.fixed64() else { return false }
        message.targetError = Double(bitPattern: bits)
      default: return false
      }
    }
    return seen & 1 << 1 != 0
  }

  /// Notes a field by its number; false when it was there before.
  private static func isNew(_ key: UInt8, _ seen: inout UInt32) -> Bool {
    let bit = UInt32(1) << UInt32(key >> 3)
    defer { seen |= bit }
    return seen & bit == 0
  }

  /// protocol_version, kind, call_id, method, attachments.
  private static let needed: UInt32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 12
  /// "Step" as a little-endian number.
  private static let method: UInt32 = 0x7065_7453
}

extension Identifier {
  /// Of 16 bytes in a frame, most significant first.
  init(_ frame: UnsafeRawBufferPointer, at offset: Int) {
    self.init(
      high: UInt64(bigEndian: frame.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
      low: UInt64(bigEndian: frame.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)))
  }
}
