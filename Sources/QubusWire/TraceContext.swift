/// W3C trace context, as far as a call carries it.
package enum TraceContext {
  /// The trace id (32 hexadecimal digits) of a `traceparent`, or nil when it is not valid.
  /// - Source: W3C Trace Context, §3.2: version "-" trace-id "-" parent-id "-" flags.
  package static func traceID(of traceparent: String) -> String? {
    let text = Array(traceparent.utf8)
    guard text.count >= 55, text[2] == dash, text[35] == dash, text[52] == dash,
      text[..<2] != [UInt8(ascii: "f"), UInt8(ascii: "f")],
      text[3..<35].allSatisfy(isHexadecimal), text[36..<52].allSatisfy(isHexadecimal),
      text[..<2].allSatisfy(isHexadecimal), text[53..<55].allSatisfy(isHexadecimal),
      text[3..<35].contains(where: { $0 != UInt8(ascii: "0") }),
      text[36..<52].contains(where: { $0 != UInt8(ascii: "0") })
    else { return nil }
    guard text.count == 55 || (text[..<2] != [zero, zero] && text[55] == dash) else { return nil }
    return String(decoding: text[3..<35], as: UTF8.self)
  }

  /// A new trace id from 128 random bits.
  package static func makeTraceID(_ generator: inout some RandomNumberGenerator) -> String {
    let words: (UInt64, UInt64) = (generator.next() | 1, generator.next())
    return String(unsafeUninitializedCapacity: 32) { buffer in
      for index in 0..<32 {
        let word = index < 16 ? words.0 : words.1
        let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index % 16))) & 15
        buffer[index] = nibble < 10 ? zero + nibble : UInt8(ascii: "a") + nibble - 10
      }
      return 32
    }
  }

  private static let dash = UInt8(ascii: "-")
  private static let zero = UInt8(ascii: "0")

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (zero...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}
