internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

#if canImport(Glibc)
  internal import Glibc
#endif

/// One client's connection, as the transport thread knows it.
final class Connection {
  let key: UInt32
  let routingID: [UInt8]
  let credential: Credential
  /// Of its socket; nil: it does not come over TCP.
  let descriptor: Int32?
  /// What was taken of it; nil: it does not come over TCP.
  let inbound: InboundBytes?
  /// What each of its messages must bear.
  private let mark: [CChar]
  /// Whose it is, as of `version` of the directory; nil: nobody's, or not asked yet.
  var identity: Identity?
  var version = UInt64.max
  /// The last that it had.
  var lastIdentity: Identity?
  /// The token that was presented last and held good.
  var bearer: Bearer?
  /// Those it opened or resumed, and in whose name.
  var sessions: [Identifier: Identity] = [:]
  /// From Hello.
  var clientVersion = "unknown"
  var calls: [UInt64: Call] = [:]
  var streams = 0
  /// Steps among the calls.
  var pendingSteps = 0
  let unread = UnreadBytes()
  var lastHeard: Microseconds
  /// The peer did not read its answers: what was in flight is lost, and it is told so.
  var isBroken = false

  init(
    key: UInt32, routingID: [UInt8], credential: Credential, mark: UnsafePointer<CChar>,
    descriptor: Int32? = nil, inbound: InboundBytes? = nil, now: Microseconds
  ) {
    self.key = key
    self.routingID = routingID
    self.credential = credential
    self.descriptor = descriptor
    self.inbound = inbound
    self.mark = [CChar](UnsafeBufferPointer(start: mark, count: strlen(mark) + 1))
    lastHeard = now
  }

  func isMarked(_ other: UnsafePointer<CChar>) -> Bool { strcmp(other, mark) == 0 }

  /// For log lines.
  var name: String { lastIdentity?.principal.name ?? credential.text }
}

/// A token that was found good, so that it is verified once.
struct Bearer {
  let token: [UInt8]
  let identity: Identity

  func matches(_ other: UnsafeRawBufferPointer) -> Bool {
    guard let bytes = other.baseAddress else { return false }
    return other.count == token.count && memcmp(bytes, token, token.count) == 0
  }
}

/// A call in flight.
final class Call {
  let key: CallKey
  let method: Method
  let traceID: String
  let context: CallContext
  let startedAt: Microseconds
  /// What it was presented with; empty: none.
  let token: [UInt8]
  var credit: StreamCredit
  var observation: (any Observation)?
  var state = State.working
  /// A timer will let its stream go on.
  var isPaced = false

  /// What the call waits for, beyond its answer.
  enum State {
    case working
    /// WatchJob.
    case watching(EventStream)
    /// GetResult with a wait: until the job ends.
    case awaitingResult(GetResultRequest)
    /// GetResult whose chunks are being sent.
    case sendingResult(ResultStream)
    /// ReplayJob with a wait: until the replay ends.
    case awaitingReplay(original: Identifier, replay: Identifier)
    /// A Step that did not run in place.
    case stepping(PendingStep)
    /// Optimize.
    case optimizing(OptimizeStream)
  }

  init(
    key: CallKey, method: Method, context: CallContext, credit: UInt64,
    startedAt: Microseconds, token: [UInt8] = []
  ) {
    self.key = key
    self.method = method
    self.context = context
    self.startedAt = startedAt
    self.token = token
    traceID = context.traceID
    self.credit = StreamCredit(initial: credit)
  }

  var isStream: Bool { method.declaration.shape == .stream }
}

/// What a stream may still send, in bytes of bodies and attachments.
struct StreamCredit {
  /// A window beyond this is a mistake of the client.
  static let maximum: Int64 = 1 << 40

  private(set) var bytes: Int64
  private(set) var sequence: UInt64 = 0

  init(initial: UInt64) { bytes = Int64(min(initial, UInt64(Self.maximum))) }

  /// A message goes out whole while any credit is left, so that a small window never blocks a large
  /// message; what it takes too much is owed.
  var maySend: Bool { bytes > 0 }

  mutating func grant(_ more: UInt64) throws(QubusError) {
    guard more > 0, more <= UInt64(Self.maximum), bytes + Int64(more) <= Self.maximum else {
      throw .field(
        .streamCreditViolation, "credit_bytes", "\(more) on top of \(bytes)",
        limit: "1 to \(Self.maximum) in all")
    }
    bytes += Int64(more)
  }

  /// - Returns: the sequence of the PARTIAL that is sent.
  mutating func spend(_ count: Int) -> UInt64 {
    bytes -= Int64(count)
    sequence += 1
    return sequence
  }
}
