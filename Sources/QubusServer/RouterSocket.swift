internal import CZeroMQ
internal import QubusCore
internal import QubusTenancy
internal import QubusWire

#if canImport(Glibc)
  internal import Glibc
#endif

/// The ROUTER and the socket on which ZeroMQ asks whether to admit a connection (ZAP, RFC 27).
/// Owned by one thread.
///
/// One ROUTER for all endpoints: a listener takes the options of the moment of its bind, so that
/// each has its own mechanism and key. Who sent a message is told by its `AdmissionMark` alone.
final class RouterSocket {
  /// What became of a send.
  enum Delivery {
    case queued
    /// The connection is gone.
    case unreachable
    /// The peer does not read: its queue is full.
    case full
  }

  let router: UnsafeMutableRawPointer
  /// nil once it is lost: then nobody is admitted any more.
  private(set) var admission: UnsafeMutableRawPointer?
  let mark = AdmissionMark()
  private let context: UnsafeMutableRawPointer
  /// The first frames of the message being taken, routing id first.
  private let head: UnsafeMutablePointer<zmq_msg_t>
  private(set) var headCount = 0
  /// What was taken of the message so far.
  private(set) var wireFrames = WireFrames()
  /// For the frames after those, and for admission.
  let frame: UnsafeMutablePointer<zmq_msg_t>

  /// Frames of a Step: routing id, envelope, body, numbers.
  static let headFrames = 4
  /// Content above this is not kept until the next message comes.
  private static let keptFrameBytes = 64 << 10
  /// Bytes from which on an attachment is sent from where it lies.
  private static let sharedFrameBytes = 4 << 10

  init(configuration: ServerConfiguration) throws(QubusError) {
    guard let context = zmq_ctx_new() else { throw Self.failed("context") }
    // Before the first socket, which starts the threads of ZeroMQ.
    if let processor = configuration.messageProcessor {
      zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_ADD, Int32(processor))
    }
    guard let router = zmq_socket(context, ZMQ_ROUTER),
      let admission = zmq_socket(context, ZMQ_REP)
    else { throw Self.failed("socket") }
    self.context = context
    self.router = router
    self.admission = admission
    head = .allocate(capacity: Self.headFrames)
    frame = .allocate(capacity: 1)
    for index in 0..<Self.headFrames {
      (head + index).initialize(to: zmq_msg_t())
      zmq_msg_init(head + index)
    }
    frame.initialize(to: zmq_msg_t())
    zmq_msg_init(frame)
    set(ZMQ_LINGER, 0, on: admission)
    guard zmq_bind(admission, "inproc://zeromq.zap.01") == 0 else { throw Self.failed("bind ZAP") }
    setOptions(configuration)
  }

  private func setOptions(_ configuration: ServerConfiguration) {
    zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, "qubus", 5)
    // Without it libzmq lets everybody in while nobody answers on the admission socket.
    set(Int32(QUBUS_ZAP_ENFORCE_DOMAIN), 1)
    set(ZMQ_ROUTER_MANDATORY, 1)
    set(ZMQ_ROUTER_HANDOVER, 0)
    set(ZMQ_LINGER, 0)
    set(ZMQ_IPV6, 1)
    set(ZMQ_BACKLOG, 1024)
    set(ZMQ_HANDSHAKE_IVL, configuration.handshakeMilliseconds)
    // No heartbeats of our own: libzmq 4.3.4 aborts when one is due on a connection that broke
    // while more was received of it than was taken (`!_io_error`, measured under attack). The
    // system looks for peers that are gone instead; those of clients are answered.
    let seconds = max(1, configuration.heartbeatMilliseconds / 1000)
    set(ZMQ_TCP_KEEPALIVE, 1)
    set(ZMQ_TCP_KEEPALIVE_IDLE, seconds * 2)
    set(ZMQ_TCP_KEEPALIVE_INTVL, seconds)
    set(ZMQ_TCP_KEEPALIVE_CNT, 2)
    set(ZMQ_TCP_MAXRT, configuration.heartbeatMilliseconds * 4)
    // Above what one connection may have in flight, so that only a peer that does not read hits it.
    set(ZMQ_SNDHWM, Int32(clamping: configuration.limits.callsInFlightPerConnection * 2))
    set(ZMQ_RCVHWM, 1024)
    var bytes = Int64(configuration.limits.messageBytes)
    zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &bytes, MemoryLayout<Int64>.size)
  }

  private func set(_ option: Int32, _ value: Int32, on socket: UnsafeMutableRawPointer? = nil) {
    var value = value
    let outcome = zmq_setsockopt(socket ?? router, option, &value, MemoryLayout<Int32>.size)
    precondition(outcome == 0, "ZeroMQ refuses option \(option)")
  }

  /// An endpoint that is listened on.
  struct Bound {
    let endpoint: Endpoint
    /// As `zmq_unbind` takes it.
    let address: String
    let port: UInt16

    /// As clients name it, with the port that the system chose.
    var reachable: String { endpoint.reachable(at: port) }
  }

  /// - Parameter key: of a curve endpoint.
  func bind(_ endpoint: Endpoint, key: ServerKey?) throws(QubusError) -> Bound {
    if let key {
      set(ZMQ_CURVE_SERVER, 1)
      guard zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, key.secretKey, 41) == 0 else {
        throw Self.failed("use the key \(key.name)")
      }
    } else {
      set(ZMQ_CURVE_SERVER, 0)
    }
    guard zmq_bind(router, endpoint.address) == 0 else {
      if zmq_errno() == EADDRINUSE {
        throw QubusError(.endpointInUse, "\(endpoint) is in use")
      }
      throw Self.failed("listen on \(endpoint)")
    }
    var text = [CChar](repeating: 0, count: 256)
    var count = text.count
    zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, &text, &count)
    let address = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    // An IPv6 socket names an IPv4 address in its mapped form.
    let port = address.drop { $0 != ":" }.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    return Bound(endpoint: endpoint, address: address, port: port)
  }

  /// Ends the listening, and with it every connection that came by it.
  func unbind(_ bound: Bound) { zmq_unbind(router, bound.address) }

  // MARK: Receiving

  /// Takes the first frames of a message, without waiting; false when there is none. What is left
  /// of the message must be taken by `complete` or `skipRest` before the next.
  func receiveHead() -> Bool {
    for index in 0..<headCount where zmq_msg_size(head + index) > Self.keptFrameBytes {
      zmq_msg_close(head + index)
      zmq_msg_init(head + index)
    }
    headCount = 0
    wireFrames = WireFrames()
    repeat {
      guard receive(head + headCount) else { return headCount > 0 }
      // The routing id comes from ZeroMQ itself.
      if headCount > 0 { wireFrames.add(zmq_msg_size(head + headCount)) }
      headCount += 1
    } while hasMore && headCount < Self.headFrames
    return true
  }

  /// Whether the message goes on behind its head.
  var hasMore: Bool { headCount > 0 && zmq_msg_more(head + headCount - 1) != 0 }

  /// A frame of the head, 0 the routing id; valid until the next message is taken.
  func headFrame(_ index: Int) -> UnsafeRawBufferPointer { Self.bytes(head + index) }

  /// The whole message, copied. Frames beyond `maximumFrames` are read and dropped, which
  /// `isTruncated` tells.
  func complete(maximumFrames: Int, into message: inout ReceivedMessage) {
    message.frames.removeAll(keepingCapacity: true)
    message.isTruncated = false
    for index in 1..<max(1, headCount) { message.frames.append([UInt8](headFrame(index))) }
    guard hasMore else { return }
    repeat {
      guard receive(frame) else { return }
      wireFrames.add(zmq_msg_size(frame))
      if message.frames.count < maximumFrames {
        message.frames.append([UInt8](Self.bytes(frame)))
      } else {
        message.isTruncated = true
      }
    } while zmq_msg_more(frame) != 0
  }

  func skipRest() {
    guard hasMore else { return }
    repeat {
      guard receive(frame) else { return }
      wireFrames.add(zmq_msg_size(frame))
    } while zmq_msg_more(frame) != 0
  }

  /// The `User-Id` of the message received last; valid until the next one is. nil: nobody vouched
  /// for its sender.
  var userID: UnsafePointer<CChar>? {
    guard headCount > 0 else { return nil }
    return UnsafeRawPointer(Self.userIDProperty.utf8Start).withMemoryRebound(
      to: CChar.self, capacity: Self.userIDProperty.utf8CodeUnitCount + 1
    ) { zmq_msg_gets(head + headCount - 1, $0) }
  }

  private static let userIDProperty: StaticString = "User-Id"

  private func receive(_ message: UnsafeMutablePointer<zmq_msg_t>) -> Bool {
    while zmq_msg_recv(message, router, ZMQ_DONTWAIT) < 0 {
      guard zmq_errno() == EINTR else { return false }
    }
    return true
  }

  /// The descriptor of the connection that the message came by; nil: it is no longer known.
  var descriptor: Int32? {
    guard headCount > 0, let text = zmq_msg_gets(head + headCount - 1, "__fd") else { return nil }
    return Int32(String(cString: text))
  }

  static func bytes(
    _ message: UnsafeMutablePointer<zmq_msg_t>
  ) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
  }

  // MARK: Sending

  /// - Parameter unread: counts what ZeroMQ holds of large frames.
  func send(_ routingID: [UInt8], _ frames: [[UInt8]], _ unread: UnreadBytes) -> Delivery {
    let delivery = begin(routingID)
    guard delivery == .queued else { return delivery }
    for (index, bytes) in frames.enumerated() {
      let hasMore = index + 1 < frames.count
      let isSent = bytes.withUnsafeBytes { bytes in
        bytes.count < Self.sharedFrameBytes
          ? send(bytes, hasMore: hasMore)
          : share(HeldFrame(copying: bytes, unread), hasMore: hasMore)
      }
      guard isSent else { return .unreachable }
    }
    return .queued
  }

  /// The same for the answer to a step, without an allocation but ZeroMQ's own.
  /// - Parameters:
  ///   - owner: of the memory of lasting attachments; a large one is not copied but held until it
  ///     has left.
  ///   - unread: counts what ZeroMQ holds of large attachments.
  func send(
    _ routingID: [UInt8], _ answer: StepAnswerFrames, of owner: AnyObject, _ unread: UnreadBytes
  ) -> Delivery {
    let delivery = begin(routingID)
    guard delivery == .queued else { return delivery }
    let count = answer.attachments.count
    guard send(answer.envelope, hasMore: true), send(answer.body, hasMore: count > 0) else {
      return .unreachable
    }
    for index in 0..<count {
      let bytes = answer.attachments[index]
      let hasMore = index + 1 < count
      let isSent: Bool
      if bytes.count < Self.sharedFrameBytes {
        isSent = send(bytes, hasMore: hasMore)
      } else if answer.isLasting(index) {
        isSent = share(HeldFrame(bytes, of: owner, unread), hasMore: hasMore)
      } else {
        isSent = share(HeldFrame(copying: bytes, unread), hasMore: hasMore)
      }
      guard isSent else { return .unreachable }
    }
    return .queued
  }

  /// Sends memory that is held until ZeroMQ has sent or dropped it.
  private func share(_ frame: HeldFrame, hasMore: Bool) -> Bool {
    let hold = Unmanaged.passRetained(frame).toOpaque()
    let memory = UnsafeMutableRawPointer(mutating: frame.bytes.baseAddress)
    var message = zmq_msg_t()
    guard
      zmq_msg_init_data(
        &message, memory, frame.bytes.count,
        { _, hold in
          if let hold { Unmanaged<HeldFrame>.fromOpaque(hold).release() }
        }, hold) == 0
    else {
      Unmanaged<HeldFrame>.fromOpaque(hold).release()
      return false
    }
    let flags = ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0)
    while zmq_msg_send(&message, router, flags) < 0 {
      guard zmq_errno() == EINTR else {
        zmq_msg_close(&message)
        return false
      }
    }
    return true
  }

  private func begin(_ routingID: [UInt8]) -> Delivery {
    var hasRefreshed = false
    while zmq_send(router, routingID, routingID.count, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN:
        // ZeroMQ learns late, under load, that the peer has read: asking for events makes it look.
        guard !hasRefreshed else { return .full }
        hasRefreshed = true
        var events: Int32 = 0
        var size = MemoryLayout<Int32>.size
        zmq_getsockopt(router, ZMQ_EVENTS, &events, &size)
      default: return .unreachable
      }
    }
    return .queued
  }

  /// Once the first frame was taken, ZeroMQ takes the others, or drops them with the peer.
  private func send(_ bytes: UnsafeRawBufferPointer, hasMore: Bool) -> Bool {
    let flags = ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0)
    while zmq_send(router, bytes.baseAddress, bytes.count, flags) < 0 {
      guard zmq_errno() == EINTR else { return false }
    }
    return true
  }

  /// - Parameter linger: how long answers that are queued may still go out.
  func close(lingerMilliseconds: Int32) {
    set(ZMQ_LINGER, lingerMilliseconds)
    for index in 0..<Self.headFrames { zmq_msg_close(head + index) }
    head.deallocate()
    zmq_msg_close(frame)
    frame.deallocate()
    zmq_close(router)
    closeAdmission()
    zmq_ctx_term(context)
  }

  func closeAdmission() {
    if let admission { zmq_close(admission) }
    admission = nil
  }

  private static func failed(_ action: String) -> QubusError {
    let reason = String(cString: zmq_strerror(zmq_errno()))
    return QubusError(.invalidConfiguration, "cannot \(action): \(reason)")
  }
}

/// A message as it came, before anything is believed.
struct ReceivedMessage {
  /// Without the routing id.
  var frames: [[UInt8]] = []
  var isTruncated = false
}
