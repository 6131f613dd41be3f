import CQubusProto
import QubusCore
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: streams and results")
struct StreamTests {
  private func event(_ message: TestClient.Message) throws -> (UInt64, UInt32) {
    try decoded(message.body, qubus_descriptor_job_event()) { (m: Qubus__V1__JobEvent) in
      (m.sequence, m.status.rawValue)
    }
  }

  @Test(
    "a watcher gets every event in order, then the FINAL with the job",
    arguments: [true, false], [UInt64(1), 100, 1 << 20])
  func watch(inMemory: Bool, credit: UInt64) throws {
    let fixture = try Fixture(FakeService(keepsEventsInMemory: inMemory))
    let client = fixture.client()
    let id = fixture.service.add()
    fixture.service.append(id, .queued, .reserved)
    let call = client.call("WatchJob", Bodies.watch(id), credit: credit)
    var expected: UInt64 = 1
    var sequences: UInt64 = 0
    while true {
      let message = try #require(client.receive())
      #expect(message.envelope.callID == call)
      if message.envelope.kind == .final {
        #expect(message.envelope.status == nil)
        try decoded(message.body, qubus_descriptor_watch_job_response()) {
          (m: Qubus__V1__WatchJobResponse) in
          #expect(m.job.pointee.status.rawValue == UInt32(JobStatus.succeeded.rawValue))
        }
        break
      }
      sequences += 1
      #expect(message.envelope.streamSequence == sequences)
      let (sequence, _) = try event(message)
      #expect(sequence == expected)
      expected += 1
      client.send(.credit, call, credit: max(1, UInt64(message.body.count)))
      if sequence == 2 { fixture.service.append(id, .running) }
      if sequence == 3 {
        for _ in 0..<200 { fixture.service.append(id, .running) }
        fixture.service.append(id, .processingResults, .succeeded)
      }
    }
    #expect(expected == 206)
    #expect(fixture.service.observerCount == 0)
  }

  @Test("without credit nothing comes; one grant brings exactly what it pays for")
  func credit() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    fixture.service.append(id, .queued, .reserved, .running)
    let call = client.call("WatchJob", Bodies.watch(id), credit: 0)
    #expect(client.isServed)  // the next message is the Health answer: no event overtook it
    client.send(.credit, call, credit: 1)
    #expect(try event(#require(client.receive())).0 == 1)
    #expect(client.isServed)
    client.send(.credit, call, credit: 0)
    #expect(client.receive()?.code == .streamCreditViolation)
    let other = client.call("WatchJob", Bodies.watch(id), credit: 0)
    client.send(.credit, other, credit: .max)
    #expect(client.receive()?.code == .streamCreditViolation)
  }

  @Test("a stream resumes after a sequence, also of a job that has ended")
  func resume() throws {
    let fixture = try Fixture(FakeService(keepsEventsInMemory: false))
    let client = fixture.client()
    let id = fixture.service.add()
    fixture.service.append(id, .queued, .reserved, .running, .processingResults, .succeeded)
    for after in UInt64(0)...6 {
      client.call("WatchJob", Bodies.watch(id, after: after))
      var next = after + 1
      while next <= 5 {
        #expect(try event(#require(client.receive())).0 == next)
        next += 1
      }
      let final = try #require(client.receive())
      #expect(final.envelope.kind == .final && final.envelope.status == nil)
    }
    client.call("WatchJob", Bodies.watch(Identifier(high: 1, low: 2)))
    #expect(client.receive()?.code == .jobNotFound)
  }

  @Test("a client that vanishes leaves no observation behind")
  func vanished() throws {
    let fixture = try Fixture { $0.probeSeconds = 0 }
    let id = fixture.service.add()
    var client: TestClient? = fixture.client()
    client?.call("WatchJob", Bodies.watch(id))
    #expect(client?.isServed == true)
    #expect(fixture.service.observerCount == 1)
    client = nil
    // Each event is tried on the dead connection until ZeroMQ has noticed; a second client's round
    // trips give it the time.
    let other = fixture.client()
    var rounds = 0
    while fixture.service.observerCount > 0 && rounds < 20_000 {
      fixture.service.append(id, .running)
      #expect(other.isServed)
      rounds += 1
    }
    #expect(fixture.service.observerCount == 0)
  }

  @Test("a small result comes whole, with checksums")
  func smallResult() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    fixture.service.setResult(id, chunks: [[1, 2, 3], [4]])
    #expect(client.ask("GetResult", Bodies.result(id))?.code == .resultNotReady)
    fixture.service.append(id, .succeeded)
    let answer = try #require(client.ask("GetResult", Bodies.result(id)))
    #expect(answer.envelope.kind == .final && answer.envelope.status == nil)
    #expect(Array(answer.frames.dropFirst()) == [[1, 2, 3], [4]])
    let descriptors = answer.envelope.attachments
    #expect(descriptors.map(\.bytes) == [3, 1])
    #expect(descriptors[0].crc32c == qubus_crc32c(0, [1, 2, 3] as [UInt8], 3))
    let manifest = try #require(
      client.ask("GetResult", Bodies.result(id, manifestOnly: true)))
    #expect(manifest.frames.count == 1)
    let unknown = try #require(client.ask("GetResult", Bodies.result(id, item: 7)))
    #expect(unknown.code == .unknownResultItem)
  }

  @Test(
    "a large result comes as chunks within the credit, then the FINAL", arguments: [1, 1 << 30])
  func largeResult(credit: UInt64) throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    let chunks = (0..<10).map { [UInt8](repeating: UInt8($0), count: 20_000) }
    fixture.service.setResult(id, chunks: chunks)
    fixture.service.append(id, .succeeded)
    let call = client.call("GetResult", Bodies.result(id), credit: credit)
    var received: [[UInt8]] = []
    while true {
      let message = try #require(client.receive())
      if message.envelope.kind == .final {
        #expect(message.envelope.status == nil)
        break
      }
      #expect(message.envelope.streamSequence == UInt64(received.count + 1))
      received.append(message.frames[1])
      let bytes = message.frames.reduce(0) { $0 + $1.count }
      client.send(.credit, call, credit: UInt64(bytes))
    }
    #expect(received == chunks)
  }

  @Test("a long poll answers when the job ends, or says not yet when its wait is over")
  func longPoll() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add(status: .running)
    fixture.service.setResult(id, chunks: [[9]])
    client.call("GetResult", Bodies.result(id, wait: 30))
    let notYet = try #require(client.receive())
    #expect(notYet.code == .resultNotReady)
    #expect(notYet.envelope.status?.error?.message.contains("running") == true)
    #expect(notYet.envelope.status?.code == GRPCStatus.failedPrecondition.rawValue)
    client.call("GetResult", Bodies.result(id, wait: 60_000))
    #expect(client.isServed)
    fixture.service.append(id, .succeeded)
    #expect(client.receive()?.frames.last == [9])
    let failed = fixture.service.add()
    client.call("GetResult", Bodies.result(failed, wait: 60_000))
    #expect(client.isServed)
    fixture.service.fail(failed, QubusError(.executionFailed, "boom"))
    let error = try #require(client.receive())
    #expect(error.code == .executionFailed)
    try decoded(error.body, qubus_descriptor_get_result_response()) {
      (m: Qubus__V1__GetResultResponse) in
      #expect(m.job.pointee.status.rawValue == UInt32(JobStatus.failed.rawValue))
    }
    #expect(fixture.service.observerCount == 0)
  }

  @Test("a replay is started, awaited and compared")
  func replay() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add(status: .succeeded)
    let started = try #require(
      client.ask("ReplayJob", Bodies.replay(id, wait: 0, replay: nil)))
    let replay = try decoded(started.body, qubus_descriptor_replay_job_response()) {
      (m: Qubus__V1__ReplayJobResponse) in
      #expect(m.outcome.rawValue == 0)
      return Identifier(String(cString: m.replay.pointee.job_id))
    }
    let replayID = try #require(replay)
    client.call("ReplayJob", Bodies.replay(id, wait: 60_000, replay: replayID))
    #expect(client.isServed)
    fixture.service.append(replayID, .succeeded)
    let compared = try #require(client.receive())
    try decoded(compared.body, qubus_descriptor_replay_job_response()) {
      (m: Qubus__V1__ReplayJobResponse) in #expect(m.outcome.rawValue == 1)
    }
  }
}
