import CZeroMQ
import Foundation
import QubusCore
import QubusEngine
import QubusJobs
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: attacks over the network", .serialized)
struct AttackTests {
  private static let network = ["curve://127.0.0.1:0"]

  @Test("a routing id that two peers claim, also one like ZeroMQ's own, never mixes them up")
  func routingIDs() throws {
    let fixture = try Fixture(endpoints: Self.network)
    let (ada, bob) = (fixture.admission.add("ada"), fixture.admission.add("bob"))
    let twins = [ada, bob].map { fixture.client($0, routingID: Array("twin".utf8)) }
    for twin in twins { twin.call("Health") }
    for twin in twins { #expect(twin.receive(milliseconds: 100) == nil) }
    // Five bytes that begin with 0, as ZeroMQ's own do.
    let like: [UInt8] = [0, 1, 2, 3, 4]
    do {
      let first = fixture.client(ada, routingID: like)
      #expect(first.ask("Submit", Bodies.submit())?.isOK == true)
      let second = fixture.client(bob, routingID: like)
      second.call("Submit", Bodies.submit())
      #expect(second.receive(milliseconds: 100) == nil)
      #expect(first.ask("OpenSession", Bodies.open())?.isOK == true)
    }
    // The first has gone: whoever takes its id is told apart by the mark, not by the id.
    let heir = fixture.client(bob, routingID: like)
    var answer: TestClient.Message?
    for _ in 0..<50 where answer == nil {
      heir.call("Submit", Bodies.submit())
      answer = heir.receive(milliseconds: 100)
    }
    #expect(answer?.isOK == true)
    let names = fixture.service.state.withLock { $0.contexts.map(\.principal.name) }
    #expect(names.first == "ada" && names.dropFirst().allSatisfy { $0 == "bob" })
    #expect(fixture.client(ada).isServed)
  }

  @Test("replayed frames: a call in flight and a step that was taken are not taken again")
  func replay() throws {
    let fixture = try Fixture(FakeService(holdsSubmits: true), endpoints: Self.network)
    let client = fixture.client(fixture.admission.add("ada"))
    client.call("Submit", Bodies.submit(), callID: 7)
    client.call("Submit", Bodies.submit(), callID: 7)
    #expect(client.receive()?.code == .duplicateCallID)
    #expect(fixture.service.state.withLock { $0.submits } == 1)
    let id = fixture.sessions.add()
    var frames: [[UInt8]] = []
    client.call("Step", Bodies.step(id, 1), numbers: [([2], [1, 2])]) {
      frames = [$0.encoded()] + $1
    }
    #expect(client.receive()?.isOK == true)
    client.sendRaw(frames)
    #expect(client.receive()?.code == .stepOutOfOrder)
    #expect(fixture.sessions.state.withLock { $0.sessions[id]?.expected } == 2)
  }

  @Test("half a greeting is cut off, and keeps nobody waiting")
  func unfinishedHandshake() throws {
    let fixture = try Fixture(endpoints: Self.network + ["tcp://127.0.0.1:0"]) {
      $0.handshakeMilliseconds = 300
    }
    let keys = fixture.admission.add("ada")
    for endpoint in fixture.server.endpoints.dropFirst() {
      let peers = (0..<50).compactMap { _ in RawPeer(endpoint) }
      #expect(peers.count == 50)
      for (index, peer) in peers.enumerated() {
        #expect(peer.write(Array(RawPeer.greeting.prefix(index))))
      }
      let curve = TestClient(
        fixture.server.endpoints[1],
        curve: (keys, fixture.server.publicKeys[fixture.server.endpoints[1]] ?? ""))
      #expect(curve.isServed && fixture.client().isServed)
      for peer in peers { #expect(peer.isClosed(within: 5000)) }
    }
  }

  @Test("noise in place of a handshake is cut off, and the server goes on")
  func noise() throws {
    let fixture = try Fixture(endpoints: Self.network)
    let keys = fixture.admission.add("ada")
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SplitMix(state: seed)
    for round in 0..<200 {
      let peer = try #require(RawPeer(fixture.curveEndpoint))
      let head = round % 2 == 0 ? [] : RawPeer.greeting
      let tail = (0..<Int(generator.next() % 600)).map { _ in
        UInt8(truncatingIfNeeded: generator.next())
      }
      _ = peer.write(head + tail)
    }
    #expect(fixture.client(keys).isServed, "seed \(seed)")
  }

  @Test("a thousand connections, each with a call, find room; a client within stays served")
  func crowd() throws {
    let fixture = try Fixture(endpoints: Self.network) { $0.connections = 100 }
    let keys = fixture.admission.add("ada")
    let inside = fixture.client(fixture.admission.add("bob"))
    let watch = inside.call("WatchJob", Bodies.watch(fixture.service.add()))
    #expect(inside.isServed)
    for _ in 0..<10 {
      let crowd = (0..<100).map { _ in fixture.client(keys) }
      for client in crowd { client.call("Health") }
      #expect(inside.isServed)
      for client in crowd { #expect(client.receive()?.isOK == true) }
    }
    inside.send(.cancel, watch)
    #expect(inside.receive()?.code == .callCanceled)
  }

  /// A frame of 1 MiB, more to follow.
  private static let endless: [UInt8] =
    [0x03, 0, 0, 0, 0, 0, 0x10, 0, 0] + [UInt8](repeating: 7, count: 1 << 20)

  /// Sends frames of a message that never ends, until it is cut off: how many.
  private func sendEndless(_ attacker: RawPeer) -> Int {
    #expect(attacker.write(RawPeer.greeting + RawPeer.ready))
    // What comes before the server is ready is no message.
    attacker.skip(RawPeer.serverBytes)
    let before = ResidentMemory.bytes
    var (sent, highest) = (0, before)
    while sent < 16 << 10, attacker.write(Self.endless) {
      sent += 1
      highest = max(highest, ResidentMemory.bytes)
    }
    print("cut off after \(sent) MiB, \((highest - before) >> 20) MiB of memory more at most")
    return sent
  }

  @Test("a peer whose message has no end is cut off alone; the calls of others go on")
  func endlessMessage() throws {
    // The cap is never reached: what the peer holds decides.
    let fixture = try Fixture(endpoints: ["tcp://127.0.0.1:0"]) {
      $0.memoryCapBytes = 1 << 50
      $0.unfinishedBytes = 32 << 20
    }
    let honest = TestClient(fixture.server.endpoints[1])
    let watch = honest.call("WatchJob", Bodies.watch(fixture.service.add()))
    #expect(honest.isServed)
    let sent = sendEndless(try #require(RawPeer(fixture.server.endpoints[1])))
    #expect((32..<16 << 10).contains(sent))
    #expect(honest.isServed)
    honest.send(.cancel, watch)
    #expect(honest.receive()?.code == .callCanceled)
  }

  @Test("large messages that end, one after another, are never taken for one without an end")
  func largeMessages() throws {
    let fixture = try Fixture(endpoints: ["tcp://127.0.0.1:0"]) {
      $0.memoryCapBytes = 1 << 50
      $0.unfinishedBytes = 32 << 20
    }
    let client = TestClient(fixture.server.endpoints[1])
    let watch = client.call("WatchJob", Bodies.watch(fixture.service.add()))
    let attachment = [Double](repeating: 0, count: 1 << 20)
    let id = fixture.sessions.add()
    for sequence in UInt64(1)...64 {
      client.call("Step", Bodies.step(id, sequence), numbers: [([1 << 20], attachment)])
      #expect(client.receive() != nil)
    }
    client.send(.cancel, watch)
    #expect(client.receive()?.code == .callCanceled)
  }

  @Test("unfinished messages on ipc are cut off at the memory cap, and honest clients come back")
  func unfinishedMessages() throws {
    let cap = ResidentMemory.bytes + (128 << 20)
    let fixture = try Fixture { $0.memoryCapBytes = cap }
    let honest = fixture.client()
    #expect(honest.isServed)
    #expect(sendEndless(try #require(RawPeer(path: fixture.path))) < 16 << 10)
    var isServed = false
    for _ in 0..<50 where !isServed {
      honest.call("Health")
      isServed = honest.receive(milliseconds: 200)?.isOK == true
    }
    #expect(isServed)
    #expect(fixture.client().isServed)
  }

  @Test("results that are not read wait, within a bound, and come whole to who reads late")
  func unreadResults() throws {
    let fixture = try Fixture { $0.unreadBytes = 4 << 20 }
    let (id, chunk) = (fixture.service.add(), [UInt8](repeating: 7, count: 1 << 20))
    fixture.service.append(id, .succeeded)
    fixture.service.setResult(id, chunks: Array(repeating: chunk, count: 64))
    let deaf = TestClient(fixture.endpoint, receiveHighWater: 1)
    let call = deaf.call("GetResult", Bodies.result(id), credit: 1 << 40)
    let client = fixture.client()
    // Others are served; the chunks that were read ahead are few.
    for _ in 0..<200 { #expect(client.isServed) }
    #expect(fixture.service.state.withLock { $0.chunkReads } < 32)
    var bytes = 0
    while let message = deaf.receive(), message.envelope.kind == .partial {
      #expect(message.envelope.callID == call)
      bytes += message.frames[1].count
    }
    #expect(bytes == 64 << 20)
  }

  @Test("a client that gives no credit gets no element, costs one batch and nobody else's time")
  func noCredit() throws {
    let fixture = try Fixture(endpoints: Self.network)
    let client = fixture.client(fixture.admission.add("ada"))
    let id = fixture.service.add()
    let watches = (0..<20).map { _ in client.call("WatchJob", Bodies.watch(id), credit: 0) }
    for _ in 0..<2000 { fixture.service.append(id, .queued) }
    fixture.service.append(id, .succeeded)
    let health = client.call("Health")
    // Nothing of the streams goes before it.
    #expect(client.receive()?.envelope.callID == health)
    #expect(client.receive(milliseconds: 50) == nil)
    client.send(.credit, watches[0], credit: 1)
    #expect(client.receive()?.envelope.streamSequence == 1)
    #expect(client.receive(milliseconds: 50) == nil)
    for watch in watches { client.send(.cancel, watch) }
    for _ in watches { #expect(client.receive()?.code == .callCanceled) }
    #expect(fixture.service.observerCount == 0)
  }
}
