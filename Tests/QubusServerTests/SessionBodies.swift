import CQubusProto
import QubusCore
import QubusJobs
import QubusWire

extension Bodies {
  static func open(_ change: (inout SessionSpec) -> Void = { _ in }) -> [UInt8] {
    var spec = SessionSpec(program: Array("OPENQASM 3.0; input float a; qubit q;".utf8))
    change(&spec)
    return ProtobufJobCodec().encode(spec)
  }

  static func step(
    _ session: Identifier, _ sequence: UInt64, outputs: UInt32 = 0, shots: UInt64 = 0
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__step_request__init)
    message.pointee.session_id = builder.data(session.bytes)
    message.pointee.sequence = sequence
    message.pointee.outputs = outputs
    message.pointee.shots = shots
    return MessageBuilder.pack(message)
  }

  static func resume(_ session: Identifier, _ secret: [UInt8], last: UInt64) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__resume_session_request__init)
    message.pointee.session_id = builder.text(session.description)
    message.pointee.secret = builder.data(secret)
    message.pointee.last_sequence = last
    return MessageBuilder.pack(message)
  }

  /// GetSession and CloseSession: the same fields.
  static func session(_ id: Identifier) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_session_request__init)
    message.pointee.session_id = builder.text(id.description)
    return MessageBuilder.pack(message)
  }

  static func listSessions(_ size: UInt32, token: String = "", ended: Bool = false) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_sessions_request__init)
    message.pointee.page_size = size
    message.pointee.page_token = builder.text(token)
    message.pointee.include_ended = ended ? 1 : 0
    return MessageBuilder.pack(message)
  }

  static func optimize(
    _ session: Identifier, method: String = "adam", bounds: Bool = false,
    watch: Identifier? = nil, after: UInt64 = 0
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__optimize_request__init)
    message.pointee.session_id = builder.text(session.description)
    message.pointee.method = builder.text(method)
    message.pointee.has_bounds = bounds ? 1 : 0
    if let watch { message.pointee.optimization_id = builder.text(watch.description) }
    message.pointee.after_iteration = after
    return MessageBuilder.pack(message)
  }

  static func cancelOptimize(_ session: Identifier, _ id: Identifier) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_optimize_request__init)
    message.pointee.session_id = builder.text(session.description)
    message.pointee.optimization_id = builder.text(id.description)
    return MessageBuilder.pack(message)
  }
}

/// What a StepResponse says, in a test.
struct StepReport: Equatable {
  var sequence: UInt64
  var arrays: UInt32
  var shotsUsed: UInt64
  var deviceNanoseconds: UInt64

  init(_ body: [UInt8]) throws {
    self = try decoded(body, qubus_descriptor_step_response()) { (m: Qubus__V1__StepResponse) in
      StepReport(
        sequence: m.sequence, arrays: m.arrays, shotsUsed: m.shots_used,
        deviceNanoseconds: m.device_nanoseconds)
    }
  }

  init(sequence: UInt64, arrays: UInt32, shotsUsed: UInt64, deviceNanoseconds: UInt64) {
    self.sequence = sequence
    self.arrays = arrays
    self.shotsUsed = shotsUsed
    self.deviceNanoseconds = deviceNanoseconds
  }
}

extension TestClient {
  @discardableResult
  func step(
    _ session: Identifier, _ sequence: UInt64, _ numbers: [Double] = [1, 2],
    shape: [UInt64]? = nil, outputs: UInt32 = 0, shots: UInt64 = 0, timeout: UInt32 = 0
  ) -> UInt64 {
    call(
      "Step", Bodies.step(session, sequence, outputs: outputs, shots: shots),
      numbers: [(shape ?? [UInt64(numbers.count)], numbers)], timeout: timeout)
  }
}
