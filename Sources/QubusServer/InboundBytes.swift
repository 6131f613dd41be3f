/// Bytes of one connection's messages that the server was given, as they were on their way (ZMTP 3,
/// RFC 23, and CurveZMQ, RFC 26).
final class InboundBytes {
  private let isCurve: Bool
  private(set) var taken: UInt64 = 0

  init(isCurve: Bool) { self.isCurve = isCurve }

  func take(_ frames: WireFrames) { taken &+= isCurve ? frames.curveBytes : frames.plainBytes }
}

/// What the frames of a message took on their way, whichever mechanism they came by.
struct WireFrames {
  private(set) var plainBytes: UInt64 = 0
  private(set) var curveBytes: UInt64 = 0

  /// A name, a nonce, the code of authentication and a byte of flags.
  private static let curveOverhead = 8 + 8 + 16 + 1

  mutating func add(_ size: Int) {
    plainBytes &+= Self.framed(size)
    curveBytes &+= Self.framed(size + Self.curveOverhead)
  }

  /// With the flags and the length before it.
  private static func framed(_ size: Int) -> UInt64 { UInt64(size + (size > 255 ? 9 : 2)) }
}
