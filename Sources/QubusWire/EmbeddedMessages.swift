internal import QubusCore

/// Finds embedded messages in a message's bytes without decoding them, so that they can be kept
/// verbatim.
enum EmbeddedMessages {
  /// Ranges of the contents of every length-delimited field `number` of the outermost message.
  /// - Throws: `malformed_frame` with the offset.
  static func ranges(
    ofField number: UInt64, in bytes: [UInt8]
  ) throws(QubusError) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var at = 0
    while at < bytes.count {
      let start = at
      let key = try varint(bytes, &at)
      switch key & 7 {
      case 0: _ = try varint(bytes, &at)
      case 1: at += 8
      case 2:
        let length = try varint(bytes, &at)
        guard length <= UInt64(bytes.count - at) else { throw malformed(start) }
        if key >> 3 == number { found.append(at..<at + Int(length)) }
        at += Int(length)
      case 5: at += 4
      default: throw malformed(start)
      }
      guard at <= bytes.count, key >> 3 != 0 else { throw malformed(start) }
      guard key >> 3 != number || key & 7 == 2 else { throw malformed(start) }
    }
    return found
  }

  private static func varint(_ bytes: [UInt8], _ at: inout Int) throws(QubusError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard at < bytes.count else { throw malformed(at) }
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw malformed(at)
  }

  private static func malformed(_ offset: Int) -> QubusError {
    QubusError(.malformedFrame, "the body is no protobuf message from byte \(offset) on")
  }
}
