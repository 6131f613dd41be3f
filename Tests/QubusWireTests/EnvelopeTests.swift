import QubusCore
import QubusJobs
import QubusWire
import Testing

@Suite("Envelope")
struct EnvelopeTests {
  private func decode(_ bytes: [UInt8]) throws -> Envelope {
    try bytes.withUnsafeBytes { try Envelope(decoding: $0) }
  }

  static let full: Envelope = {
    var envelope = Envelope(.final, callID: .max)
    envelope.method = "Submit"
    envelope.timeoutMilliseconds = .max
    envelope.creditBytes = 1 << 40
    envelope.status = WireStatus(Samples.error, traceID: "4bf92f3577b34da6a3ce929d0e0e4736")
    envelope.traceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    envelope.token = [0, 255]
    envelope.streamSequence = 3
    envelope.serverInstanceID = "instance"
    envelope.attachments = [
      AttachmentDescriptor(dataType: .complex128, shape: [2, 2], frame: Array(0..<64)),
      AttachmentDescriptor(dataType: .uint8, shape: [], bytes: 0, crc32c: 0),
    ]
    return envelope
  }()

  @Test("an envelope with every field set comes back equal")
  func roundTrip() throws {
    #expect(try decode(Self.full.encoded()) == Self.full)
    #expect(try decode(Envelope(.ping).encoded()) == Envelope(.ping))
  }

  @Test("every code of the registry survives with its gRPC status")
  func errors() throws {
    for entry in ErrorRegistry.entries {
      var envelope = Envelope(.final, callID: 1)
      envelope.status = WireStatus(QubusError(entry.code, "m"), traceID: "t")
      let decoded = try decode(envelope.encoded())
      #expect(decoded.status?.error?.code == entry.code)
      #expect(decoded.status?.code == entry.grpcStatus.rawValue)
    }
  }

  @Test("CRC-32C of the test vector of RFC 3720")
  func checksum() {
    let digits = AttachmentDescriptor(
      dataType: .uint8, shape: [9], frame: Array("123456789".utf8))
    #expect(digits.crc32c == 0xE306_9283)
  }

  @Test("an unknown kind and version are kept for the answer; an unknown data type is refused")
  func unknowns() throws {
    #expect(try decode([0x08, 0x02, 0x10, 0x63, 0x18, 0x05]).kind == nil)
    #expect(try decode([0x08, 0x02, 0x10, 0x63, 0x18, 0x05]).callID == 5)
    #expect(throws: QubusError.self) { try decode([0x62, 0x02, 0x08, 0x63]) }
  }

  @Test("hostile envelopes have their own errors")
  func hostile() {
    let cases: [(ErrorCode, [UInt8])] = [
      (.malformedFrame, [0x22]), (.malformedFrame, [0xFF]), (.malformedFrame, [0x22, 0x05, 0x41]),
      (.invalidUTF8, [0x22, 0x02, 0xC3, 0x28]), (.nulInString, [0x22, 0x02, 0x41, 0x00]),
      (.messageTooLarge, Array(repeating: 0, count: Envelope.maximumBytes + 1)),
      (.tooManyFields, (0..<5000).flatMap { _ in [0x62, 0x02, 0x08, 0x01] as [UInt8] }),
    ]
    for (code, bytes) in cases {
      let error = #expect(throws: QubusError.self) { try decode(bytes) }
      #expect(error?.code == code)
    }
  }

  @Test("a mutated envelope decodes or throws, and what decodes encodes again")
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    let original = Self.full.encoded()
    for _ in 0..<20_000 {
      let bytes = generator.mutate(original)
      guard let decoded = try? decode(bytes) else { continue }
      #expect(try decode(decoded.encoded()) == decoded, "seed \(seed)")
    }
  }
}

struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// One to four bytes changed, removed, doubled, or the end cut off.
  mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0...Int(next() % 4) where !bytes.isEmpty {
      let at = Int(next() % UInt64(bytes.count))
      switch next() % 4 {
      case 0: bytes[at] = UInt8(truncatingIfNeeded: next())
      case 1: bytes.remove(at: at)
      case 2: bytes.insert(bytes[at], at: at)
      default: bytes.removeLast(Int(next() % 8) % bytes.count)
      }
    }
    return bytes
  }
}
