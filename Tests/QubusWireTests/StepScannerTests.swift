import CQubusProto
import QubusCore
import QubusJobs
import QubusWire
import Testing

/// Frames of a Step, written by the general encoder.
struct StepFrames {
  var envelope = Envelope(.call, callID: 7)
  var numbers: [Double] = [0.5, -1, .pi, .nan]
  var shape: [UInt64] = [2, 2]
  var session = Array(Samples.id.bytes)
  var sequence: UInt64 = 3
  var outputs: UInt32 = 3
  var shots: UInt64 = 1000
  var targetError = 0.25

  var frames: [[UInt8]] {
    let numbers = numbers.withUnsafeBytes { [UInt8]($0) }
    var envelope = envelope
    envelope.method = "Step"
    envelope.attachments = [
      AttachmentDescriptor(dataType: .float64, shape: shape, frame: numbers)
    ]
    let builder = MessageBuilder()
    let body = builder.make(qubus__v1__step_request__init)
    body.pointee.session_id = builder.data(session)
    body.pointee.sequence = sequence
    body.pointee.outputs = outputs
    body.pointee.shots = shots
    body.pointee.target_error = targetError
    return [envelope.encoded(), MessageBuilder.pack(body), numbers]
  }
}

@Suite("StepScanner")
struct StepScannerTests {
  let scanner = StepScanner(limits: Limits())
  let decoder = RequestDecoder(limits: Limits())

  private func fast(_ frames: [[UInt8]]) -> StepScanner.Scan? {
    frames[0].withUnsafeBytes { envelope in
      frames[1].withUnsafeBytes { body in
        frames[2].withUnsafeBytes {
          scanner.scan(envelope: envelope, body: body, numbers: $0)
        }
      }
    }
  }

  /// As the transport does it for what the scanner leaves.
  private func general(_ frames: [[UInt8]]) throws -> (StepMessage, Envelope) {
    let envelope = try frames[0].withUnsafeBytes { try Envelope(decoding: $0) }
    guard envelope.protocolVersion == Versions.protocol, envelope.kind == .call,
      envelope.callID != 0, envelope.method == Method.step.rawValue
    else { throw QubusError(.invalidRequest, "no Step") }
    try decoder.attachmentCount(envelope, frames: frames.count - 2, .step)
    return (try decoder.step(envelope, frames), envelope)
  }

  @Test("a step is read as it was written, by both ways")
  func plain() throws {
    var step = StepFrames()
    step.envelope.timeoutMilliseconds = 5000
    step.envelope.creditBytes = 9
    step.envelope.traceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    step.envelope.token = [1, 0, 255]
    let scan = try #require(fast(step.frames))
    let (message, envelope) = try general(step.frames)
    #expect(scan.message == message)
    #expect(message.callID == 7 && message.timeoutMilliseconds == 5000)
    #expect(message.session == Samples.id && message.sequence == 3 && message.outputs == 3)
    #expect(message.shots == 1000 && message.targetError == 0.25)
    #expect(message.rows == 2 && message.columns == 2)
    #expect(String(decoding: step.frames[0][scan.trace], as: UTF8.self) == envelope.traceContext)
    #expect(Array(step.frames[0][scan.token]) == envelope.token)
    #expect(envelope.token == [1, 0, 255])
    step.shape = [4]
    let vector = try #require(fast(step.frames)?.message)
    #expect(vector.rows == 1 && vector.columns == 4)
    step.numbers = []
    step.shape = [0]
    #expect(fast(step.frames)?.message.columns == 0)
    step.shape = [5, 0]
    #expect(fast(step.frames)?.message.rows == 5)
  }

  @Test("fields in any order are read alike, of envelope, descriptor and body")
  func order() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    var step = StepFrames()
    step.envelope.timeoutMilliseconds = 300
    let expected = try general(step.frames).0
    for _ in 0..<2000 {
      var frames = step.frames
      for target in 0..<2 {
        var fields = try Self.fields(frames[target])
        fields.shuffle(using: &generator)
        if target == 0 {
          for index in fields.indices where fields[index][0] == 0x62 {
            var inner = try Self.fields(Array(fields[index].dropFirst(2)))
            inner.shuffle(using: &generator)
            fields[index] = Array(fields[index].prefix(2)) + inner.flatMap { $0 }
          }
        }
        frames[target] = fields.flatMap { $0 }
      }
      #expect(fast(frames)?.message == expected, "seed \(seed)")
      #expect(try general(frames).0 == expected, "seed \(seed)")
    }
  }

  /// Splits a message of short fields.
  private static func fields(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var fields: [[UInt8]] = []
    var at = 0
    while at < bytes.count {
      let start = at
      let kind = bytes[at] & 7
      at += 1
      switch kind {
      case 0:
        while bytes[at] > 0x7F { at += 1 }
        at += 1
      case 1: at += 8
      case 2: at += 1 + Int(bytes[at])
      default: at += 4
      }
      fields.append(Array(bytes[start..<at]))
    }
    return fields
  }

  @Test(
    "whatever the fast way takes, the general way reads the same; nothing refused slips through")
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    var (both, neither, left) = (0, 0, 0)
    for _ in 0..<60_000 {
      var step = StepFrames()
      step.sequence = generator.next() >> (generator.next() % 64)
      step.outputs = UInt32(generator.next() % 17)
      step.shots = generator.next() >> (24 + generator.next() % 40)
      step.targetError = [0, 1e-3, -1, .nan, .infinity][Int(generator.next() % 5)]
      step.shape = [[4], [2, 2], [1, 4], [4, 1], [3], [0, 4], []][Int(generator.next() % 7)]
      step.envelope.callID = generator.next() >> (generator.next() % 64)
      if generator.next() % 3 == 0 { step.envelope.traceContext = "tr" }
      if generator.next() % 3 == 0 { step.envelope.token = [0, 200, 7] }
      var frames = step.frames
      if generator.next() % 3 != 0 {
        let target = Int(generator.next() % 3)
        frames[target] = generator.mutate(frames[target])
      }
      let slow = try? general(frames)
      if let quick = fast(frames) {
        #expect(quick.message == slow?.0, "seed \(seed)")
        #expect(
          String(decoding: frames[0][quick.trace], as: UTF8.self) == slow?.1.traceContext,
          "seed \(seed)")
        #expect(Array(frames[0][quick.token]) == slow?.1.token, "seed \(seed)")
        both += 1
      } else if slow == nil {
        neither += 1
      } else {
        left += 1
      }
    }
    #expect(both > 1000 && neither > 1000, "\(both) \(neither) \(left)")
  }

  @Test("an unknown field, two attachments and doubled fields are left to the general way")
  func leftOver() throws {
    let step = StepFrames()
    var frames = step.frames
    frames[0] += [0xF8, 0x07, 0x01]
    #expect(fast(frames) == nil)
    #expect(throws: Never.self) { try general(frames) }
    frames = step.frames
    frames[1] += [0x10, 0x05]
    #expect(fast(frames) == nil)
    #expect(try general(frames).0.sequence == 5)
  }

  @Test("each mistake has its error and field")
  func errors() throws {
    let cases: [(ErrorCode, String, (inout StepFrames) -> Void)] = [
      (.invalidStep, "sequence", { $0.sequence = 0 }),
      (.invalidStep, "outputs", { $0.outputs = 16 }),
      (.invalidShots, "shots", { $0.shots = .max }),
      (.invalidStep, "target_error", { $0.targetError = -0.5 }),
      (.missingField, "session_id", { $0.session = [] }),
      (.invalidIdentifier, "session_id", { $0.session.removeLast() }),
      (.invalidAttachment, "attachments[0].shape", { $0.shape = [] }),
      (.invalidAttachment, "attachments[0].shape", { $0.shape = [1, 2, 2] }),
      (.invalidAttachment, "attachments[0].shape", { $0.shape = [1 << 62, 4] }),
      (.invalidAttachment, "attachments[0].bytes", { $0.shape = [3] }),
      (
        .invalidStep, "attachments[0].shape",
        {
          $0.shape = [0, 4]
          $0.numbers = []
        }
      ),
    ]
    for (code, field, change) in cases {
      var step = StepFrames()
      change(&step)
      #expect(fast(step.frames) == nil)
      let error = #expect(throws: QubusError.self) { try general(step.frames) }
      #expect(error?.code == code)
      #expect(error?.violations.first?.field == field)
    }
    var frames = StepFrames().frames
    frames[2][0] ^= 1
    #expect(fast(frames) == nil)
    let flipped = #expect(throws: QubusError.self) { try general(frames) }
    #expect(flipped?.code == .attachmentChecksumMismatch)
    let missing = #expect(throws: QubusError.self) { try general(Array(frames.prefix(2))) }
    #expect(missing?.code == .invalidAttachment)
  }
}

@Suite("StepAnswerFrames")
struct StepAnswerFramesTests {
  @Test("the bytes are those of the general encoder")
  func bytes() throws {
    let frames = StepAnswerFrames()
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    for round in 0..<200 {
      let numbers = (0..<Int(generator.next() % 40)).map { Double($0) }
      let callID = max(1, generator.next() >> (generator.next() % 64))
      frames.begin(callID: callID)
      var envelope = Envelope(.final, callID: callID)
      numbers.withUnsafeBytes { raw in
        frames.attach(.float64, numbers.count, bytes: raw)
        frames.attach(.uint64, 1, numbers.count, bytes: raw)
        frames.attach(
          .complex128, 0, 300, 70_000, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        envelope.attachments = [
          AttachmentDescriptor(
            dataType: .float64, shape: [UInt64(numbers.count)], frame: [UInt8](raw)),
          AttachmentDescriptor(
            dataType: .uint64, shape: [1, UInt64(numbers.count)], frame: [UInt8](raw)),
          AttachmentDescriptor(dataType: .complex128, shape: [0, 300, 70_000], frame: []),
        ]
      }
      var response = StepAnswerFrames.Response()
      response.sequence = generator.next()
      response.arrays = UInt32(generator.next() % 32)
      response.shotsUsed = generator.next() % 2 * 1000
      response.deviceNanoseconds = UInt64(round)
      response.wasRepeated = round % 2 == 0
      response.wasRebuilt = round % 3 == 0
      response.normDrift = round % 4 == 0 ? 0 : 1e-15
      frames.finish(response)
      #expect([UInt8](frames.envelope) == envelope.encoded(), "seed \(seed)")
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__step_response__init)
      message.pointee.sequence = response.sequence
      message.pointee.arrays = response.arrays
      message.pointee.shots_used = response.shotsUsed
      message.pointee.device_nanoseconds = response.deviceNanoseconds
      message.pointee.was_repeated = response.wasRepeated ? 1 : 0
      message.pointee.was_rebuilt = response.wasRebuilt ? 1 : 0
      message.pointee.norm_drift = response.normDrift
      #expect([UInt8](frames.body) == MessageBuilder.pack(message), "seed \(seed)")
      #expect(frames.attachments.count == 3)
    }
  }
}
