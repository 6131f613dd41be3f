import CQubusProto
import CZeroMQ
import Glibc
import QubusCore
import QubusJobs
import QubusWire

/// A bare DEALER that speaks frames; used by one test at a time.
final class TestClient {
  struct Message {
    var envelope: Envelope
    var frames: [[UInt8]]
    var body: [UInt8] { frames.first ?? [] }
    /// An attachment as numbers.
    func numbers(_ index: Int) -> [Double] {
      frames[index + 1].withUnsafeBytes { Array($0.bindMemory(to: Double.self)) }
    }
    var isOK: Bool { envelope.kind == .final && envelope.status == nil }
    var code: ErrorCode? { envelope.status?.error?.code }
  }

  private let context: UnsafeMutableRawPointer
  private let socket: UnsafeMutableRawPointer
  private var nextCall: UInt64 = 0
  /// Goes with every call.
  var token: [UInt8] = []

  /// - Parameter curve: the client's keys and the server's public one.
  init(
    _ endpoint: String, routingID: [UInt8]? = nil, receiveHighWater: Int32 = 0,
    curve: (CurveKeys, server: String)? = nil
  ) {
    context = zmq_ctx_new()
    socket = zmq_socket(context, ZMQ_DEALER)
    set(ZMQ_LINGER, 0)
    set(ZMQ_SNDHWM, 0)
    set(ZMQ_RCVHWM, receiveHighWater)
    set(ZMQ_IPV6, 1)
    set(ZMQ_RECONNECT_IVL, 10)
    if let routingID { zmq_setsockopt(socket, ZMQ_ROUTING_ID, routingID, routingID.count) }
    if let (keys, server) = curve {
      zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.publicKey, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secretKey, 41)
    }
    let isCurve = endpoint.hasPrefix("curve://")
    zmq_connect(socket, isCurve ? "tcp://" + endpoint.dropFirst(8) : endpoint)
  }

  private func set(_ option: Int32, _ value: Int32) {
    var value = value
    zmq_setsockopt(socket, option, &value, 4)
  }

  deinit {
    zmq_close(socket)
    zmq_ctx_term(context)
  }

  func sendRaw(_ frames: [[UInt8]]) {
    for (index, frame) in frames.enumerated() {
      zmq_send(socket, frame, frame.count, index < frames.count - 1 ? ZMQ_SNDMORE : 0)
    }
  }

  /// Starts a call; the answer comes by `receive`.
  @discardableResult
  func call(
    _ method: String, _ body: [UInt8] = [], credit: UInt64 = 1 << 20, timeout: UInt32 = 0,
    callID: UInt64? = nil, trace: String = ""
  ) -> UInt64 {
    nextCall += 1
    var envelope = Envelope(.call, callID: callID ?? nextCall)
    envelope.method = method
    envelope.creditBytes = credit
    envelope.timeoutMilliseconds = timeout
    envelope.traceContext = trace
    envelope.token = token
    sendRaw([envelope.encoded(), body])
    return envelope.callID
  }

  /// Starts a call with arrays of numbers.
  @discardableResult
  func call(
    _ method: String, _ body: [UInt8], numbers: [([UInt64], [Double])], credit: UInt64 = 1 << 20,
    timeout: UInt32 = 0, _ change: (inout Envelope, inout [[UInt8]]) -> Void = { _, _ in }
  ) -> UInt64 {
    nextCall += 1
    var envelope = Envelope(.call, callID: nextCall)
    envelope.method = method
    envelope.creditBytes = credit
    envelope.timeoutMilliseconds = timeout
    envelope.token = token
    var frames = numbers.map { entry in entry.1.withUnsafeBytes { [UInt8]($0) } }
    envelope.attachments = zip(numbers, frames).map {
      AttachmentDescriptor(dataType: .float64, shape: $0.0, frame: $1)
    }
    frames.insert(body, at: 0)
    change(&envelope, &frames)
    sendRaw([envelope.encoded()] + frames)
    return envelope.callID
  }

  func send(_ kind: MessageKind, _ callID: UInt64, credit: UInt64 = 0) {
    var envelope = Envelope(kind, callID: callID)
    envelope.creditBytes = credit
    sendRaw([envelope.encoded()])
  }

  /// The next message, or nil after `milliseconds`.
  func receive(milliseconds: Int = 5000) -> Message? {
    var item = zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
    guard zmq_poll(&item, 1, milliseconds) > 0 else { return nil }
    var frames: [[UInt8]] = []
    var frame = zmq_msg_t()
    zmq_msg_init(&frame)
    repeat {
      guard zmq_msg_recv(&frame, socket, 0) >= 0 else { return nil }
      frames.append(
        [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(&frame), count: zmq_msg_size(&frame))))
    } while zmq_msg_more(&frame) != 0
    zmq_msg_close(&frame)
    guard let first = frames.first,
      let envelope = first.withUnsafeBytes({ try? Envelope(decoding: $0) })
    else { return nil }
    return Message(envelope: envelope, frames: Array(frames.dropFirst()))
  }

  /// Calls and waits for the next message.
  func ask(_ method: String, _ body: [UInt8] = []) -> Message? {
    call(method, body)
    return receive()
  }

  /// True when Health is answered, without an error.
  var isServed: Bool {
    guard let answer = ask("Health") else { return false }
    if let status = answer.envelope.status { print("not served: \(status)") }
    return answer.envelope.status == nil
  }
}

/// Bodies of requests.
enum Bodies {
  static func submit(_ change: (inout JobSpec) -> Void = { _ in }) -> [UInt8] {
    var spec = JobSpec()
    spec.pubs = [PubSpec(program: Array("OPENQASM 3.0; qubit q;".utf8))]
    spec.pubs[0].shots = 10
    change(&spec)
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__submit_request__init)
    message.pointee.job = builder.request(spec)
    return MessageBuilder.pack(message)
  }

  static func batch(_ names: [String]) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__submit_batch_request__init)
    (message.pointee.n_jobs, message.pointee.jobs) = builder.list(names) {
      var spec = JobSpec()
      spec.pubs = [PubSpec(program: Array("OPENQASM 3.0;".utf8))]
      if $0 == "invalid" { spec.pubs[0].shots = -1 }
      spec.experiment.name = $0
      return builder.request(spec)
    }
    return MessageBuilder.pack(message)
  }

  static func watch(_ id: Identifier, after: UInt64 = 0) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__watch_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.after_sequence = after
    return MessageBuilder.pack(message)
  }

  static func result(
    _ id: Identifier, wait: UInt32 = 0, manifestOnly: Bool = false, item: UInt32? = nil
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_result_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.wait_milliseconds = wait
    message.pointee.manifest_only = manifestOnly ? 1 : 0
    if let item {
      (message.pointee.n_selection, message.pointee.selection) = builder.list([item]) {
        let selection = builder.make(qubus__v1__result_selection__init)
        selection.pointee.item = $0
        return selection
      }
    }
    return MessageBuilder.pack(message)
  }

  static func job(_ id: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_job_request__init)
    message.pointee.job_id = builder.text(id)
    return MessageBuilder.pack(message)
  }

  static func replay(_ id: Identifier, wait: UInt32, replay: Identifier?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__replay_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.wait_milliseconds = wait
    if let replay { message.pointee.replay_job_id = builder.text(replay.description) }
    return MessageBuilder.pack(message)
  }

  static func list(pageSize: UInt32, token: String = "") -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_jobs_request__init)
    message.pointee.page_size = pageSize
    message.pointee.page_token = builder.text(token)
    return MessageBuilder.pack(message)
  }
}

/// Reads a response in a test.
func decoded<M, V>(
  _ body: [UInt8], _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, _ read: (M) -> V
) throws -> V {
  var limits = WireLimits(Limits())
  limits.fields = 1 << 20
  return try decodeMessage(body, descriptor, limits: limits) { (m: M) in read(m) }
}
