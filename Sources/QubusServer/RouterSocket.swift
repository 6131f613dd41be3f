internal import CZeroMQ
internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// The ROUTER and the socket on which ZeroMQ asks whether to admit a connection (ZAP, RFC 27).
/// Owned by one thread.
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
  let admission: UnsafeMutableRawPointer
  private let context: UnsafeMutableRawPointer
  private let frame: UnsafeMutablePointer<zmq_msg_t>

  init(configuration: ServerConfiguration) throws(QubusError) {
    guard let context = zmq_ctx_new(), let router = zmq_socket(context, ZMQ_ROUTER),
      let admission = zmq_socket(context, ZMQ_REP)
    else { throw Self.failed("socket") }
    self.context = context
    self.router = router
    self.admission = admission
    frame = .allocate(capacity: 1)
    frame.initialize(to: zmq_msg_t())
    zmq_msg_init(frame)
    set(ZMQ_LINGER, 0, on: admission)
    guard zmq_bind(admission, "inproc://zeromq.zap.01") == 0 else { throw Self.failed("bind ZAP") }
    setOptions(configuration)
  }

  private func setOptions(_ configuration: ServerConfiguration) {
    zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, "qubus", 5)
    set(ZMQ_ROUTER_MANDATORY, 1)
    set(ZMQ_ROUTER_HANDOVER, 0)
    set(ZMQ_LINGER, 0)
    set(ZMQ_IPV6, 1)
    set(ZMQ_BACKLOG, 1024)
    set(ZMQ_HANDSHAKE_IVL, 3000)
    set(ZMQ_HEARTBEAT_IVL, configuration.heartbeatMilliseconds)
    set(ZMQ_HEARTBEAT_TIMEOUT, configuration.heartbeatMilliseconds * 3)
    set(ZMQ_HEARTBEAT_TTL, configuration.heartbeatMilliseconds * 6)
    set(ZMQ_TCP_KEEPALIVE, 1)
    set(ZMQ_TCP_KEEPALIVE_IDLE, 60)
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

  /// - Returns: the real endpoint, with the port that the system chose.
  func bind(_ endpoint: Endpoint) throws(QubusError) -> String {
    guard zmq_bind(router, endpoint.address) == 0 else {
      if zmq_errno() == EADDRINUSE {
        throw QubusError(.endpointInUse, "\(endpoint.address) is in use")
      }
      throw Self.failed("listen on \(endpoint.address)")
    }
    guard case .tcp(let host, _) = endpoint else { return endpoint.address }
    var text = [CChar](repeating: 0, count: 256)
    var count = text.count
    zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, &text, &count)
    let bound = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    // An IPv6 socket names an IPv4 address in its mapped form.
    let port = bound.drop { $0 != ":" }.split(separator: ":").last ?? ""
    return "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }

  /// One message, without waiting; nil when there is none. Frames beyond `maximumFrames` are read
  /// and dropped, which `isTruncated` tells.
  func receive(maximumFrames: Int, into message: inout ReceivedMessage) -> Bool {
    message.frames.removeAll(keepingCapacity: true)
    message.isTruncated = false
    guard receiveFrame() else { return false }
    message.routingID = frameBytes()
    while zmq_msg_more(frame) != 0 {
      guard receiveFrame() else { break }
      if message.frames.count < maximumFrames {
        message.frames.append(frameBytes())
      } else {
        message.isTruncated = true
      }
    }
    return true
  }

  /// The sender of the message received last, as ZeroMQ describes it.
  var peerAddress: String {
    zmq_msg_gets(frame, "Peer-Address").map { String(cString: $0) } ?? ""
  }

  private func receiveFrame() -> Bool {
    while zmq_msg_recv(frame, router, ZMQ_DONTWAIT) < 0 {
      guard zmq_errno() == EINTR else { return false }
    }
    return true
  }

  private func frameBytes() -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: zmq_msg_size(frame)))
  }

  func send(_ routingID: [UInt8], _ frames: [[UInt8]]) -> Delivery {
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
    for (index, bytes) in frames.enumerated() {
      let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
      while zmq_send(router, bytes, bytes.count, flags) < 0 {
        // Once the first frame was taken, ZeroMQ takes the others, or drops them with the peer.
        guard zmq_errno() == EINTR else { return .unreachable }
      }
    }
    return .queued
  }

  /// Answers one question of ZeroMQ whether to admit a connection.
  /// - Parameter verdict: status code by ZAP: 200, 300 (try again later) or 400.
  func admitOne(_ verdict: () -> String) -> Bool {
    var request: [UInt8] = []
    var index = 0
    var hasMore = true
    while hasMore {
      guard zmq_msg_recv(frame, admission, ZMQ_DONTWAIT) >= 0 else { return false }
      if index == 1 { request = frameBytes() }
      hasMore = zmq_msg_more(frame) != 0
      index += 1
    }
    let reply = ["1.0", nil, verdict(), "", "", ""]
    for (index, text) in reply.enumerated() {
      let bytes = text.map { Array($0.utf8) } ?? request
      zmq_send(admission, bytes, bytes.count, index < reply.count - 1 ? ZMQ_SNDMORE : 0)
    }
    return true
  }

  /// - Parameter linger: how long answers that are queued may still go out.
  func close(lingerMilliseconds: Int32) {
    set(ZMQ_LINGER, lingerMilliseconds)
    zmq_msg_close(frame)
    frame.deallocate()
    zmq_close(router)
    zmq_close(admission)
    zmq_ctx_term(context)
  }

  private static func failed(_ action: String) -> QubusError {
    let reason = String(cString: zmq_strerror(zmq_errno()))
    return QubusError(.invalidConfiguration, "cannot \(action): \(reason)")
  }
}

/// A message as it came, before anything is believed.
struct ReceivedMessage {
  var routingID: [UInt8] = []
  var frames: [[UInt8]] = []
  var isTruncated = false
}
