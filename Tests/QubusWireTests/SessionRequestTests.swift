import CQubusProto
import QubusCore
import QubusJobs
import QubusWire
import Testing

@Suite("RequestDecoder: sessions")
struct SessionRequestTests {
  let decoder = RequestDecoder(limits: Limits())

  static let spec: SessionSpec = {
    var spec = SessionSpec(program: Samples.bell)
    spec.observables = [ObservableSpec(terms: [.init(pauli: "ZZ", coefficient: -0.5)])]
    spec.outputs = [.values, .stateVector]
    spec.shots = 100
    spec.targetError = 0.5
    spec.sharesRandomNumbers = true
    spec.seed = 0
    spec.precision = .single
    spec.device = "sim.statevector"
    spec.idleSeconds = 1
    spec.wallSeconds = 2
    spec.maxSteps = 3
    spec.maxDeviceSeconds = 4
    spec.memoryBytes = 5
    spec.name = "vqe"
    spec.tags = ["a"]
    spec.idempotencyKey = "k"
    return spec
  }()

  @Test("a session with every field set comes back equal, and its bytes are kept")
  func roundTrip() throws {
    let body = ProtobufJobCodec().encode(Self.spec)
    let request = try decoder.openSession(body)
    #expect(request.spec == Self.spec)
    #expect(request.request == body)
    #expect(try ProtobufJobCodec().decodeSession(body) == Self.spec)
    let plain = SessionSpec(program: [65])
    #expect(try decoder.openSession(ProtobufJobCodec().encode(plain)).spec == plain)
  }

  @Test("limits of zero, numbers that are none and outputs that cannot be asked for are refused")
  func refusals() throws {
    let cases: [(ErrorCode, String, (inout SessionSpec) -> Void)] = [
      (.missingField, "program", { $0.program = [] }),
      (.invalidShots, "shots", { $0.shots = 0 }),
      (.invalidShots, "shots", { $0.shots = -1 }),
      (.invalidRequest, "target_error", { $0.targetError = 0 }),
      (.invalidRequest, "target_error", { $0.targetError = .nan }),
      (.invalidRequest, "idle_seconds", { $0.idleSeconds = 0 }),
      (.invalidRequest, "wall_seconds", { $0.wallSeconds = 0 }),
      (.invalidRequest, "wall_seconds", { $0.wallSeconds = .infinity }),
      (.invalidRequest, "max_device_seconds", { $0.maxDeviceSeconds = -1 }),
      (.invalidRequest, "max_steps", { $0.maxSteps = 0 }),
      (.invalidRequest, "memory_bytes", { $0.memoryBytes = 0 }),
      (.invalidTags, "tags", { $0.tags = Array(repeating: "t", count: 33) }),
      (
        .invalidRequest, "idempotency_key",
        { $0.idempotencyKey = String(repeating: "k", count: 257) }
      ),
      (
        .invalidObservable, "observables[0].terms[0].coefficient",
        { $0.observables[0].terms[0].coefficient = .nan }
      ),
    ]
    for (code, field, change) in cases {
      var spec = Self.spec
      change(&spec)
      let body = ProtobufJobCodec().encode(spec)
      let error = #expect(throws: QubusError.self) { try decoder.openSession(body) }
      #expect(error?.code == code)
      #expect(error?.violations.first?.field == field)
    }
    let standardErrors = ProtobufJobCodec().encode(Self.spec) + [0x20, 0x05]
    let error = #expect(throws: QubusError.self) { try decoder.openSession(standardErrors) }
    #expect(error?.code == .invalidEnumValue)
    #expect(throws: QubusError.self) { try decoder.openSession([]) }
  }

  private func optimize(
    _ arrays: [[Double]], _ change: (UnsafeMutablePointer<Qubus__V1__OptimizeRequest>) -> Void
  ) throws -> OptimizeRequest {
    var envelope = Envelope(.call, callID: 1)
    envelope.method = "Optimize"
    let frames = arrays.map { array in array.withUnsafeBytes { [UInt8]($0) } }
    envelope.attachments = zip(arrays, frames).map {
      AttachmentDescriptor(dataType: .float64, shape: [UInt64($0.count)], frame: $1)
    }
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__optimize_request__init)
    message.pointee.session_id = builder.text(Samples.id.description)
    message.pointee.method = builder.text("adam")
    change(message)
    let all = [envelope.encoded(), MessageBuilder.pack(message)] + frames
    try decoder.attachmentCount(envelope, frames: frames.count, .optimize)
    return try decoder.optimize(envelope, all)
  }

  @Test("an optimization is read with its arrays; bounds come in pairs of the right size")
  func optimize() throws {
    let plain = try optimize([[1, 2]]) {
      $0.pointee.iterations_choice_case =
        QUBUS__V1__OPTIMIZE_REQUEST__ITERATIONS_CHOICE_MAX_ITERATIONS
      $0.pointee.max_iterations = 9
    }
    guard case .start(let start) = plain else {
      Issue.record("\(plain)")
      return
    }
    #expect(start.initial == [1, 2] && start.maxIterations == 9 && start.method == "adam")
    let bounded = try optimize([[1], [-.infinity], [4]]) { $0.pointee.has_bounds = 1 }
    guard case .start(let start) = bounded else {
      Issue.record("\(bounded)")
      return
    }
    #expect(start.lower == [-.infinity] && start.upper == [4])
    let watched = Samples.id.description
    watched.withCString { text in
      let request = try? optimize([]) {
        $0.pointee.optimization_id = UnsafeMutablePointer(mutating: text)
        $0.pointee.after_iteration = 4
      }
      #expect(request == .watch(session: Samples.id, optimization: Samples.id, after: 4))
    }
  }

  @Test("attachments of an optimization that do not fit are refused")
  func optimizeRefusals() {
    let cases: [(ErrorCode, [[Double]], Bool)] = [
      (.invalidAttachment, [], false), (.invalidAttachment, [[1], [2], [3]], false),
      (.invalidAttachment, [[1]], true), (.invalidOptimizer, [[1], [2, 3], [4]], true),
      (.invalidAttachment, [[1], [2], [3], [4]], true),
    ]
    for (code, arrays, hasBounds) in cases {
      let error = #expect(throws: QubusError.self) {
        try optimize(arrays) { $0.pointee.has_bounds = hasBounds ? 1 : 0 }
      }
      #expect(error?.code == code)
    }
    let zero = #expect(throws: QubusError.self) {
      try optimize([[1]]) {
        $0.pointee.seconds_choice_case = QUBUS__V1__OPTIMIZE_REQUEST__SECONDS_CHOICE_MAX_SECONDS
        $0.pointee.max_seconds = 0
      }
    }
    #expect(zero?.code == .invalidOptimizer)
    #expect(zero?.violations.first?.field == "max_seconds")
  }

  @Test("mutated requests decode or throw")
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    let original = ProtobufJobCodec().encode(Self.spec)
    var decoded = 0
    for _ in 0..<20_000 {
      let bytes = generator.mutate(original)
      if let request = try? decoder.openSession(bytes) {
        decoded += 1
        #expect(request.request == bytes, "seed \(seed)")
      }
      _ = try? decoder.resumeSession(bytes)
      _ = try? decoder.listSessions(bytes)
      _ = try? decoder.cancelOptimize(bytes)
    }
    #expect(decoded > 0)
  }
}
