import CQubusProto
import QubusCore
import QubusJobs
import QubusWire
import Testing

@Suite("RequestDecoder")
struct RequestDecoderTests {
  let decoder = RequestDecoder(limits: Limits())

  private func body(_ spec: JobSpec) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__submit_request__init)
    message.pointee.job = builder.request(spec)
    return MessageBuilder.pack(message)
  }

  /// A sample that passes validation.
  private var spec: JobSpec {
    var spec = Samples.spec
    spec.execution.maxCost = 1
    return spec
  }

  @Test("every method has its messages in proto/")
  func table() {
    for method in Method.allCases {
      #expect(method.requestDescriptor != nil, "\(method)")
      #expect(method.responseDescriptor != nil, "\(method)")
    }
  }

  @Test("what is kept is what was sent, unknown fields included")
  func verbatim() throws {
    let job = ProtobufJobCodec().encode(spec) + [0xF8, 0x07, 0x01]
    let submit: [UInt8] =
      [0xF0, 0x07, 0x05, 0x0A] + [UInt8(job.count & 0x7F) | 0x80, UInt8(job.count >> 7)] + job
    let request = try decoder.submit(submit)
    #expect(request.request == job)
    #expect(request.spec == spec)
    #expect(try ProtobufJobCodec().decodeRequest(request.request) == spec)
  }

  @Test("enumerations out of range are refused by field")
  func enumerations() {
    let error = #expect(throws: QubusError.self) {
      try decoder.listJobs([0x08, 0x63])
    }
    #expect(error?.code == .invalidEnumValue)
    // execution { priority_class: 9 }, within the job.
    let bytes: [UInt8] = [0x0A, 0x06, 0x08, 0x01, 0x2A, 0x02, 0x08, 0x09]
    let nested = #expect(throws: QubusError.self) { try decoder.submit(bytes) }
    #expect(nested?.code == .invalidEnumValue)
    #expect(nested?.violations.first?.field == "job.execution.priority_class")
  }

  @Test("text with NUL or without UTF-8 is refused by field")
  func text() {
    for (code, byte) in [(ErrorCode.nulInString, UInt8(0)), (.invalidUTF8, 0xFF)] {
      let bytes: [UInt8] = [0x0A, 0x05, 0x08, 0x01, 0x12, 0x01, byte]
      let error = #expect(throws: QubusError.self) { try decoder.submit(bytes) }
      #expect(error?.code == code)
      #expect(error?.violations.first?.field == "job.client_job_id")
    }
  }

  @Test("jobs to wait for are named by ids, and nothing else", arguments: [7, 8])
  func dependencies(number: UInt8) {
    let field = number == 7 ? "after" : "after_ok"
    // after: ["x"] or [""], within the job.
    let cases: [([UInt8], ErrorCode)] = [
      ([1, 0x78], .invalidIdentifier), ([0], .missingField), ([1, 0xFF], .invalidUTF8),
    ]
    for (text, code) in cases {
      let job: [UInt8] = [0x08, 0x01, number << 3 | 2] + text
      let error = #expect(throws: QubusError.self) {
        try decoder.submit([0x0A, UInt8(job.count)] + job)
      }
      #expect(error?.code == code)
      #expect(error?.violations.first?.field.hasPrefix("job.\(field)") == true)
    }
  }

  @Test("two jobs in one Submit, none, and a job that is no message are refused")
  func shape() {
    #expect(throws: QubusError.self) { try decoder.submit(body(spec) + body(spec)) }
    #expect(throws: QubusError.self) { try decoder.submit([]) }
    #expect(throws: QubusError.self) { try decoder.submit([0x08, 0x01]) }
    #expect(throws: QubusError.self) { try decoder.submit([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]) }
  }

  @Test("program bytes, pubs, rows and lengths stop at their limits")
  func limits() throws {
    var limits = Limits()
    limits.programBytes = 100
    limits.pubsPerJob = 2
    limits.rowsPerPub = 4
    limits.dependencies = 2
    let decoder = RequestDecoder(limits: limits)
    let cases: [(ErrorCode, (inout JobSpec) -> Void)] = [
      (.programTooLarge, { $0.pubs[0].program = Array(repeating: 65, count: 101) }),
      (.invalidRequest, { $0.pubs = Array(repeating: $0.pubs[0], count: 3) }),
      (
        .invalidParameterShape,
        {
          $0.pubs[0].parameters = [
            ParameterArray(name: "a", shape: [5], values: [1, 2, 3, 4, 5])
          ]
        }
      ),
      (
        .invalidObservable,
        { $0.pubs[0].observables = [ObservableSpec(terms: [.init(pauli: "Z", coefficient: .nan)])] }
      ),
      (.invalidRequest, { $0.execution.ttlSeconds = .infinity }),
      (.invalidRequest, { $0.execution.maxCost = -1 }),
      (
        .invalidRequest,
        {
          $0.after = [Samples.id]
          $0.afterOK = [Samples.id, Samples.id]
        }
      ),
      (.invalidRequest, { $0.pubs[0].targetPrecision = 0 }),
    ]
    for (code, change) in cases {
      var spec = JobSpec()
      spec.pubs = [PubSpec(program: [65])]
      #expect(throws: Never.self) { try decoder.submit(body(spec)) }
      change(&spec)
      let error = #expect(throws: QubusError.self) { try decoder.submit(body(spec)) }
      #expect(error?.code == code)
      #expect(error?.violations.first?.field.hasPrefix("job.") == true)
    }
  }

  @Test("a mutated request decodes or throws; what decodes is what is kept")
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    let original = body(spec)
    var decoded = 0
    for _ in 0..<20_000 {
      guard let request = try? decoder.submit(generator.mutate(original)) else { continue }
      decoded += 1
      let kept = try ProtobufJobCodec().decodeRequest(request.request)
      #expect(
        ProtobufJobCodec().encode(kept) == ProtobufJobCodec().encode(request.spec), "seed \(seed)")
    }
    #expect(decoded > 0)
  }

  @Test("random bytes never do worse than throw")
  func random() {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    for _ in 0..<5000 {
      let bytes = (0..<Int(generator.next() % 64)).map { _ in
        UInt8(truncatingIfNeeded: generator.next())
      }
      _ = try? decoder.submit(bytes)
      _ = try? decoder.submitBatch(bytes)
      _ = try? decoder.getResult(bytes)
      _ = try? decoder.listJobs(bytes)
      _ = try? decoder.annotateJob(bytes)
      _ = try? decoder.hello(bytes)
    }
    #expect(throws: Never.self) { try decoder.submit(body(spec)) }
  }
}

@Suite("TraceContext")
struct TraceContextTests {
  @Test("only a valid traceparent gives a trace id")
  func parse() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736"
    #expect(TraceContext.traceID(of: "00-\(id)-00f067aa0ba902b7-01") == id)
    #expect(TraceContext.traceID(of: "01-\(id)-00f067aa0ba902b7-01-more") == id)
    for text in [
      "", "00", "ff-\(id)-00f067aa0ba902b7-01", "00-\(id)-0000000000000000-01",
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-\(id.uppercased())-00f067aa0ba902b7-01", "00-\(id)-00f067aa0ba902b7-01x",
      "00-\(id)-00f067aa0ba902b7-01-more", "00_\(id)-00f067aa0ba902b7-01",
    ] {
      #expect(TraceContext.traceID(of: text) == nil, "\(text)")
    }
  }

  @Test("made ids are valid and differ")
  func make() {
    var generator = SystemRandomNumberGenerator()
    let a = TraceContext.makeTraceID(&generator)
    let b = TraceContext.makeTraceID(&generator)
    #expect(a != b)
    #expect(TraceContext.traceID(of: "00-\(a)-00f067aa0ba902b7-01") == a)
  }
}
