import QubusCore
import QubusEngine
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: steps")
struct SessionStepTests {
  @Test("a step in place answers with its values")
  func values() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let call = client.step(id, 1, [0.5, 2])
    let answer = try #require(client.receive())
    #expect(answer.isOK && answer.envelope.callID == call)
    #expect(
      try StepReport(answer.body)
        == StepReport(sequence: 1, arrays: 1, shotsUsed: 0, deviceNanoseconds: 1500))
    #expect(answer.numbers(0) == [2.5, 5])
    let descriptor = answer.envelope.attachments[0]
    #expect(
      descriptor
        == AttachmentDescriptor(dataType: .float64, shape: [1, 2], frame: answer.frames[1]))
    client.step(id, 2, [1, 2, 3, 4], shape: [2, 2], outputs: 3)
    let batch = try #require(client.receive())
    #expect(batch.numbers(0) == [3, 6, 7, 14])
    #expect(batch.numbers(1) == [0, 1, 0, 1, 0, 1, 0, 1])
    #expect(batch.envelope.attachments.map(\.shape) == [[2, 2], [2, 2, 2]])
    #expect(try StepReport(batch.body).arrays == 3)
  }

  @Test(
    "counts, standard errors and states have their arrays, and nothing is lost without parameters")
  func arrays() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.step(id, 1, [], shape: [2, 0], outputs: 15, shots: 100)
    let answer = try #require(client.receive())
    #expect(
      try StepReport(answer.body)
        == StepReport(sequence: 1, arrays: 31, shotsUsed: 200, deviceNanoseconds: 1500))
    let descriptors = answer.envelope.attachments
    #expect(
      descriptors.map(\.shape) == [
        [2, 2], [2, 2], [2, 2, 0], [3], [3, 2], [3], [2, 4],
      ])
    #expect(
      descriptors.map(\.dataType) == [
        .float64, .float64, .float64, .uint64, .uint64, .uint64, .complex128,
      ])
    let words = answer.frames[4...6].map { frame in
      frame.withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
    }
    #expect(words == [[0, 2, 3], [1, 0, 2, 1, 7, 0], [10, 20, 30]])
    #expect(answer.numbers(6) == (0..<16).map(Double.init))
    for (descriptor, frame) in zip(descriptors, answer.frames.dropFirst()) {
      #expect(
        AttachmentDescriptor(
          dataType: descriptor.dataType, shape: descriptor.shape, frame: frame) == descriptor)
    }
    client.step(id, 2, [], outputs: 4, shots: 5)
    #expect(client.receive()?.frames.count == 1 + 2 + 3)
  }

  @Test("a step that the fast way leaves gives the same answer")
  func general() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.call("Step", Bodies.step(id, 1), numbers: [([2], [1, 2])]) { envelope, _ in
      // The fast way reads ASCII only.
      envelope.traceContext = "ü"
    }
    let slow = try #require(client.receive())
    client.step(id, 2)
    let fast = try #require(client.receive())
    #expect(slow.isOK && fast.isOK)
    #expect(slow.frames[1] == fast.frames[1])
    #expect(slow.envelope.attachments == fast.envelope.attachments)
  }

  @Test("numbers that are none go on to the engine, whatever they are")
  func numbers() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.step(id, 1, [.infinity, 1])
    #expect(try #require(client.receive()).numbers(0) == [.infinity, .infinity])
  }

  @Test("what is wrong is refused by field, and the session goes on")
  func refusals() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let good = Bodies.step(id, 1)
    typealias Change = (inout Envelope, inout [[UInt8]]) -> Void
    let cases: [(ErrorCode, String, [UInt8], Change)] = [
      (
        .invalidAttachment, "attachments[0].data_type", good,
        { e, _ in
          e.attachments[0].dataType = .int64
        }
      ),
      (.invalidAttachment, "attachments[0].shape", good, { e, _ in e.attachments[0].shape = [] }),
      (
        .invalidAttachment, "attachments[0].shape", good,
        { e, _ in
          e.attachments[0].shape = [1, 1, 2]
        }
      ),
      (
        .invalidAttachment, "attachments[0].bytes", good,
        { e, _ in
          e.attachments[0].shape = [3]
        }
      ),
      (.invalidAttachment, "attachments[0].bytes", good, { _, f in f[1].removeLast() }),
      (.invalidAttachment, "attachments", good, { e, _ in e.attachments = [] }),
      (.invalidAttachment, "attachments", good, { _, f in f.removeLast() }),
      (
        .invalidAttachment, "attachments", good,
        { e, f in
          e.attachments.append(e.attachments[0])
          f.append(f[1])
        }
      ),
      (.attachmentChecksumMismatch, "attachments[0].crc32c", good, { _, f in f[1][3] ^= 4 }),
      (.missingField, "session_id", [0x10, 0x01], { _, _ in }),
      (.invalidIdentifier, "session_id", [0x0A, 2, 1, 2, 0x10, 1], { _, _ in }),
      (.invalidStep, "sequence", Bodies.step(id, 0), { _, _ in }),
      (.invalidStep, "outputs", Bodies.step(id, 1, outputs: 32), { _, _ in }),
      (.invalidShots, "shots", Bodies.step(id, 1, shots: .max), { _, _ in }),
      (
        .invalidStep, "attachments[0].shape", good,
        { e, f in
          e.attachments[0] = AttachmentDescriptor(dataType: .float64, shape: [0, 2], frame: [])
          f[1] = []
        }
      ),
    ]
    for (code, field, body, change) in cases {
      let call = client.call("Step", body, numbers: [([2], [1, 2])], change)
      let answer = try #require(client.receive())
      #expect(answer.envelope.callID == call)
      #expect(answer.code == code, "\(field)")
      #expect(answer.envelope.status?.error?.violations.first?.field == field)
    }
    let duplicate = client.step(id, 1)
    #expect(client.receive()?.isOK == true)
    #expect(duplicate > 0)
    #expect(fixture.sessions.state.withLock { $0.steps } == 1)
  }

  @Test("the engine's refusals reach the client with the trace id that it sent")
  func engineRefusals() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    client.call("Step", Bodies.step(id, 2), numbers: [([1], [1])]) { envelope, _ in
      envelope.traceContext = "00-\(trace)-00f067aa0ba902b7-01"
    }
    let early = try #require(client.receive())
    #expect(early.code == .stepOutOfOrder && early.envelope.status?.traceID == trace)
    client.step(Identifier(high: 1, low: 2), 1)
    #expect(client.receive()?.code == .sessionNotFound)
    fixture.sessions.refuse(QubusError(.sessionBusy, "busy", retryAfterMilliseconds: 20))
    client.step(id, 1)
    #expect(client.receive()?.envelope.status?.error?.retryAfterMilliseconds == 20)
    fixture.sessions.refuse(nil)
    client.step(id, 1)
    #expect(client.receive()?.isOK == true)
  }

  @Test("steps that do not run in place are answered later, by their calls, and limited")
  func pending() throws {
    let fixture = try Fixture { $0.limits.callsInFlightPerConnection = 3 }
    let client = fixture.client()
    let id = fixture.sessions.add()
    fixture.sessions.set(.held)
    let calls = (1...3).map { client.step(id, $0, [Double($0)]) }
    client.step(id, 4)
    #expect(client.receive()?.code == .tooManyCallsInFlight)
    client.call(
      "Step", Bodies.step(id, 4), numbers: [([1], [1])]
    ) { envelope, _ in envelope.callID = calls[0] }
    #expect(client.receive()?.code == .duplicateCallID)
    fixture.sessions.release()
    for (index, call) in calls.enumerated() {
      let answer = try #require(client.receive())
      #expect(answer.envelope.callID == call)
      #expect(answer.numbers(0) == [Double(index + 1), Double(2 * index + 2)])
    }
    #expect(fixture.sessions.state.withLock { $0.abandoned.isEmpty })
  }

  @Test("answers of one connection come in the order of its steps, in place or not")
  func order() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    var sent: [UInt64] = []
    var sequence: UInt64 = 0
    for round in 0..<200 {
      fixture.sessions.set(.held)
      for _ in 0..<3 {
        sequence += 1
        sent.append(client.step(id, sequence))
      }
      #expect(client.isServed, "round \(round)")
      // The held ones are answered by this thread while the next one is on its way.
      fixture.sessions.set(.inPlace)
      fixture.sessions.release()
      sequence += 1
      sent.append(client.step(id, sequence))
      for _ in 0..<4 {
        let answer = try #require(client.receive())
        #expect(answer.envelope.callID == sent.removeFirst())
      }
    }
  }

  @Test("due steps run one by one, with other clients served in between")
  func due() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let other = fixture.client()
    let id = fixture.sessions.add()
    fixture.sessions.set(.due)
    let calls = (1...500).map { client.step(id, $0) }
    #expect(other.isServed)
    for call in calls { #expect(client.receive()?.envelope.callID == call) }
  }

  @Test("large answers come whole, in place or not, and their memory is let go of")
  func large() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    for (index, mode) in [FakeSessionService.Mode.inPlace, .due, .inPlace].enumerated() {
      fixture.sessions.set(mode)
      let rows = 50_000
      client.step(
        id, UInt64(index + 1), (0..<rows).map { Double($0 + index) }, shape: [UInt64(rows), 1],
        outputs: 11)
      let answer = try #require(client.receive())
      #expect(answer.isOK)
      #expect(answer.numbers(0).count == 2 * rows && answer.numbers(2).count == 8 * rows)
      #expect(answer.numbers(0)[2 * rows - 1] == 2 * Double(rows - 1 + index))
      for (descriptor, frame) in zip(answer.envelope.attachments, answer.frames.dropFirst()) {
        #expect(
          AttachmentDescriptor(
            dataType: descriptor.dataType, shape: descriptor.shape, frame: frame) == descriptor)
      }
    }
  }

  @Test("a client that does not read its large answers gets no more of them until it does")
  func unread() throws {
    let fixture = try Fixture { $0.unreadBytes = 1 << 20 }
    let deaf = TestClient(fixture.endpoint, receiveHighWater: 1)
    let id = fixture.sessions.add()
    fixture.sessions.set(.inPlace)
    let rows = 50_000
    let numbers = (0..<rows).map(Double.init)
    // Four megabytes each: more than the sockets hold.
    let count = 20
    for step in 1...count {
      deaf.step(id, UInt64(step), numbers, shape: [UInt64(rows), 1], outputs: 11)
    }
    #expect(fixture.client().isServed)
    var codes: [ErrorCode?] = []
    for _ in 1...count { codes.append(try #require(deaf.receive()).code) }
    #expect(codes[0] == nil && codes.contains(.sessionBusy))
    // A refused step takes no number.
    let next = UInt64(codes.filter { $0 == nil }.count + 1)
    // What was read is let go of by another thread, some time.
    var isServed = false
    var last = ""
    for _ in 1...10_000 where !isServed {
      deaf.step(id, next, [1])
      let answer = try #require(deaf.receive())
      isServed = answer.isOK
      last = answer.envelope.status?.error?.message ?? "none"
    }
    #expect(isServed, "\(last) \(codes)")
  }

  @Test("CANCEL and a time-out end a waiting step and abandon it")
  func abandoned() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    fixture.sessions.set(.held)
    let canceled = client.step(id, 1)
    client.send(.cancel, canceled)
    #expect(client.receive()?.code == .callCanceled)
    let late = client.step(id, 2, timeout: 20)
    let timedOut = try #require(client.receive())
    #expect(timedOut.code == .deadlineExceeded && timedOut.envelope.callID == late)
    #expect(fixture.sessions.state.withLock { $0.abandoned.map(\.callID) } == [canceled, late])
    client.step(id, 3)
    #expect(client.isServed)
    fixture.sessions.release()
    #expect(client.receive()?.isOK == true)
  }

  @Test("a connection that is lost abandons its steps")
  func lost() throws {
    let fixture = try Fixture { $0.probeSeconds = 0 }
    let id = fixture.sessions.add()
    fixture.sessions.set(.held)
    var client: TestClient? = fixture.client()
    client?.step(id, 1)
    client?.step(id, 2)
    #expect(client?.isServed == true)
    client = nil
    fixture.sessions.set(.inPlace)
    // The answer to the first step finds nobody; the second has no one left to wait for it.
    let first = fixture.sessions.state.withLock { $0.waiting.removeFirst() }
    let other = fixture.client()
    var rounds = 0
    first.sink.stepAnswered(first.call.tag, first.result)
    while fixture.sessions.state.withLock({ $0.abandoned.isEmpty }), rounds < 1_000_000 {
      // Unless ZeroMQ still took that answer: then the probe of a silent connection finds out,
      // within five seconds.
      #expect(other.isServed)
      rounds += 1
    }
    #expect(fixture.sessions.state.withLock { $0.abandoned.count } == 1)
  }

  @Test("a server that stops answers waiting and new steps with that")
  func stopping() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    fixture.sessions.set(.held)
    let waiting = client.step(id, 1)
    #expect(client.isServed)
    fixture.server.announceStop()
    #expect(client.receive()?.envelope.kind == .goAway)
    let ended = try #require(client.receive())
    #expect(ended.code == .serverShuttingDown && ended.envelope.callID == waiting)
    #expect(fixture.sessions.state.withLock { $0.abandoned.map(\.callID) } == [waiting])
    client.step(id, 2)
    #expect(client.receive()?.code == .serverShuttingDown)
  }

  @Test("random and mutated steps never keep a good client waiting")
  func fuzz() throws {
    let fixture = try Fixture()
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SplitMix(state: seed)
    let bad = fixture.client()
    let good = fixture.client()
    let id = fixture.sessions.add()
    for round in 0..<3000 {
      fixture.sessions.set([.inPlace, .held, .due][Int(generator.next() % 3)])
      let target = Int(generator.next() % 3)
      bad.call("Step", Bodies.step(id, UInt64(round)), numbers: [([2], [1, 2])]) {
        envelope, frames in
        guard target > 0 else {
          envelope.attachments[0].shape = [generator.next() >> (generator.next() % 64)]
          return
        }
        let at = Int(generator.next() % UInt64(frames[target - 1].count))
        frames[target - 1][at] = UInt8(truncatingIfNeeded: generator.next())
      }
      while bad.receive(milliseconds: 0) != nil {}
      if round % 100 == 0 { #expect(good.isServed, "seed \(seed)") }
    }
    fixture.sessions.release()
    #expect(good.isServed, "seed \(seed)")
  }
}
