/// A 128-bit id that sorts by time: UUID version 7.
/// - Source: RFC 9562 §5.7 (millisecond time, 12-bit counter within the millisecond, 62 random
/// bits).
package struct Identifier: Hashable, Sendable, Comparable, Codable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package static func < (a: Identifier, b: Identifier) -> Bool {
    a.high != b.high ? a.high < b.high : a.low < b.low
  }

  /// The 16 bytes, most significant first.
  package var bytes: [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64($0))) }
      + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * UInt64($0))) }
  }

  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var words: (UInt64, UInt64) = (0, 0)
    for (i, byte) in bytes.enumerated() {
      if i < 8 {
        words.0 = words.0 << 8 | UInt64(byte)
      } else {
        words.1 = words.1 << 8 | UInt64(byte)
      }
    }
    self.init(high: words.0, low: words.1)
  }
}

extension Identifier: LosslessStringConvertible {
  /// Canonical text, for example `018f3f5e-7c1a-7000-8000-0123456789ab`.
  package var description: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for (i, byte) in bytes.enumerated() {
      if i == 4 || i == 6 || i == 8 || i == 10 { text.append(UInt8(ascii: "-")) }
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads the canonical text form only (36 characters, hyphens in place).
  package init?(_ text: String) {
    let characters = Array(text.utf8)
    guard characters.count == 36 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    var index = 0
    while index < 36 {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard characters[index] == UInt8(ascii: "-") else { return nil }
        index += 1
      }
      guard let a = Self.nibble(characters[index]), let b = Self.nibble(characters[index + 1])
      else { return nil }
      bytes.append(a << 4 | b)
      index += 2
    }
    self.init(bytes: bytes)
  }

  private static func nibble(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

/// Makes ids that increase strictly, also within one millisecond.
package final class IdentifierSource: Sendable {
  private struct State {
    var lastMilliseconds: UInt64 = 0
    var sequence: UInt64 = 0
    var generator: any RandomNumberGenerator & Sendable
  }
  private let clock: any Clock
  private let state: Lock<State>

  package init(
    clock: any Clock,
    generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.clock = clock
    state = Lock(State(generator: generator))
  }

  package func next() -> Identifier {
    let milliseconds = UInt64(max(0, clock.now())) / 1000
    return state.withLock { state in
      if milliseconds > state.lastMilliseconds {
        state.lastMilliseconds = milliseconds
        state.sequence = 0
      } else {
        state.sequence += 1
        if state.sequence > 0xFFF {
          state.lastMilliseconds += 1
          state.sequence = 0
        }
      }
      let random = state.generator.next()
      return Identifier(
        high: state.lastMilliseconds << 16 | 0x7000 | state.sequence,
        low: 0x8000_0000_0000_0000 | (random & 0x3FFF_FFFF_FFFF_FFFF))
    }
  }

  /// A random 64-bit number, for seeds drawn at acceptance.
  package func randomSeed() -> UInt64 { state.withLock { $0.generator.next() } }
}
