import QubusCore
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: hostile input")
struct HostileInputTests {
  private func call(_ method: String, id: UInt64 = 1) -> [UInt8] {
    var envelope = Envelope(.call, callID: id)
    envelope.method = method
    return envelope.encoded()
  }

  @Test("an envelope that does not decode is answered with call id 0")
  func malformedEnvelope() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let valid = call("Health")
    for frames in [
      [[]], [[0xFF, 0xFF, 0xFF]], [Array(valid.dropLast(2)), []],
      [[0x22, 0x02, 0xC3, 0x28], []], [[UInt8](repeating: 0x12, count: 70_000), []],
    ] as [[[UInt8]]] {
      client.sendRaw(frames)
      let answer = try #require(client.receive())
      #expect(answer.envelope.kind == .final)
      #expect(answer.envelope.callID == 0)
      #expect(answer.envelope.status?.error != nil)
    }
    #expect(client.isServed)
  }

  @Test("a nested, an oversized, a repetitive and a non-UTF-8 body each have their error")
  func badBodies() throws {
    let fixture = try Fixture { $0.limits.messageBytes = 1 << 20 }
    let client = fixture.client()
    // Field 1 within field 1, 34 kB of it: protobuf-c alone would overflow the stack.
    var nested: [UInt8] = []
    for _ in 0..<9000 {
      let length = nested.count
      var head: [UInt8] = [0x0A]
      var rest = length
      repeat {
        head.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
        rest >>= 7
      } while rest > 0
      nested = head + nested
      if nested.count > 34_000 { break }
    }
    #expect(client.ask("Submit", nested)?.envelope.status?.error != nil)
    let many = [UInt8]([0x0A, 0x00].repeated(5000))
    #expect(client.ask("SubmitBatch", many)?.code == .invalidRequest)
    #expect(
      client.ask("AnnotateJob", [UInt8]([0x12, 0x00].repeated(70_000)))?.code == .tooManyFields)
    #expect(client.ask("GetJob", [0x0A, 0x02, 0xC3, 0x28])?.code == .invalidUTF8)
    #expect(client.ask("GetJob", [0x0A, 0x01, 0x00])?.code == .nulInString)
    #expect(client.ask("ListJobs", [0x08, 0x7F])?.code == .invalidEnumValue)
    #expect(client.ask("GetJob", [0x0A, 0x7F])?.code == .malformedFrame)
    // Unknown fields are no error.
    #expect(client.ask("Health", [0xF8, 0x07, 0x01])?.isOK == true)
    let program = Bodies.submit { $0.pubs[0].program = Array(repeating: 65, count: 1 << 20) }
    // ZeroMQ itself closes the connection of a frame above the limit; it comes back by itself.
    client.call("Submit", program)
    #expect(client.receive(milliseconds: 200) == nil)
    #expect(fixture.client().isServed)
    #expect(fixture.service.state.withLock { $0.submits } == 0)
  }

  @Test("messages with too many frames are refused and forgotten")
  func frames() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    client.sendRaw([call("Health")] + Array(repeating: [1], count: 100_000))
    #expect(client.receive()?.code == .malformedFrame)
    #expect(client.isServed)
  }

  @Test("random and mutated messages never keep a good client waiting")
  func fuzz() throws {
    let fixture = try Fixture()
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SplitMix(state: seed)
    let bad = fixture.client()
    let good = fixture.client()
    let id = fixture.service.add()
    fixture.service.append(id, .queued, .succeeded)
    fixture.service.setResult(id, chunks: [[1]])
    let bodies: [(String, [UInt8])] = [
      ("Submit", Bodies.submit()), ("SubmitBatch", Bodies.batch(["a", "b"])),
      ("WatchJob", Bodies.watch(id)), ("GetResult", Bodies.result(id)),
      ("ListJobs", Bodies.list(pageSize: 3)), ("ReplayJob", Bodies.replay(id, wait: 1, replay: id)),
      ("GetJob", Bodies.job(id.description)), ("Hello", []), ("CancelJob", Bodies.watch(id)),
      ("AnnotateJob", Bodies.watch(id)), ("GetDevice", [0x0A, 1, 65]), ("Plan", Bodies.submit()),
    ]
    for round in 0..<3000 {
      let (method, body) = bodies[Int(generator.next() % UInt64(bodies.count))]
      var frames = [call(method, id: UInt64(round + 1)), body]
      let target = Int(generator.next() % 2)
      for _ in 0...Int(generator.next() % 4) where !frames[target].isEmpty {
        let at = Int(generator.next() % UInt64(frames[target].count))
        switch generator.next() % 3 {
        case 0: frames[target][at] = UInt8(truncatingIfNeeded: generator.next())
        case 1: frames[target].remove(at: at)
        default: frames[target].insert(UInt8(truncatingIfNeeded: generator.next()), at: at)
        }
      }
      bad.sendRaw(frames)
      while bad.receive(milliseconds: 0) != nil {}
      if round % 100 == 0 { #expect(good.isServed, "seed \(seed)") }
    }
    #expect(good.isServed, "seed \(seed)")
  }

  @Test("a client that chooses its routing id gets no answer, others do")
  func routingID() throws {
    let fixture = try Fixture()
    let chosen = TestClient(fixture.endpoint, routingID: Array("me".utf8))
    chosen.call("Health")
    let client = fixture.client()
    #expect(client.isServed)
    #expect(client.isServed)
    #expect(chosen.receive(milliseconds: 50) == nil)
  }

  @Test("a flood from one client does not starve another")
  func flood() throws {
    let fixture = try Fixture()
    let flooder = fixture.client()
    for _ in 0..<20_000 { flooder.call("Version") }
    let client = fixture.client()
    let clock = ContinuousClock()
    var worst = Duration.zero
    for _ in 0..<20 {
      let took = clock.measure { #expect(client.isServed) }
      worst = max(worst, took)
    }
    // Twenty thousand answers take far longer than one fair turn.
    #expect(worst < .milliseconds(500))
    var answers = 0
    while answers < 20_000, flooder.receive() != nil { answers += 1 }
    #expect(answers == 20_000)
  }

  @Test("a client that never reads is cut off, told so, and served again")
  func neverReads() throws {
    let fixture = try Fixture { $0.limits.callsInFlightPerConnection = 16 }
    let deaf = TestClient(fixture.endpoint, receiveHighWater: 1)
    let client = fixture.client()
    // Sixteen megabytes of answers: more than sockets and queues hold.
    for _ in 0..<1000 { deaf.call("ErrorCatalogue") }
    for _ in 0..<50 { #expect(client.isServed) }
    deaf.send(.ping, 1)
    var kinds: Set<MessageKind> = []
    while !kinds.contains(.goAway), let message = deaf.receive() {
      kinds.insert(try #require(message.envelope.kind))
      deaf.send(.ping, 1)
    }
    #expect(kinds.contains(.goAway))
    while deaf.receive(milliseconds: 50) != nil {}
    let health = deaf.call("Health")
    var isServed = false
    while !isServed, let message = deaf.receive() { isServed = message.envelope.callID == health }
    #expect(isServed)
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension Array {
  func repeated(_ count: Int) -> [Element] { (0..<count).flatMap { _ in self } }
}
