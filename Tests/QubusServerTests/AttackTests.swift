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

  @Test("unfinished messages are cut off at the memory cap, and honest clients come back")
  func unfinishedMessages() throws {
    let slack: UInt64 = 128 << 20
    let cap = ResidentMemory.bytes + slack
    let fixture = try Fixture(endpoints: ["tcp://127.0.0.1:0"]) { $0.memoryCapBytes = cap }
    let honest = fixture.client()
    #expect(honest.isServed)
    let attacker = try #require(RawPeer(fixture.server.endpoints[1]))
    #expect(attacker.write(RawPeer.greeting + RawPeer.ready))
    attacker.skip(64)
    // A frame of 1 MiB, more to follow, for ever.
    let frame: [UInt8] =
      [0x03, 0, 0, 0, 0, 0, 0x10, 0, 0] + [UInt8](repeating: 7, count: 1 << 20)
    let before = ResidentMemory.bytes
    var sent = 0
    var highest = before
    while sent < 16 << 10, attacker.write(frame) {
      sent += 1
      highest = max(highest, ResidentMemory.bytes)
    }
    print("cut off after \(sent) MiB, \((highest - before) >> 20) MiB of memory more at most")
    #expect(sent < 16 << 10)
    var isServed = false
    for _ in 0..<50 where !isServed {
      honest.call("Health")
      isServed = honest.receive(milliseconds: 200)?.isOK == true
    }
    #expect(isServed)
    #expect(fixture.client().isServed)
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
