import CQubusProto
import Foundation
import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: curve endpoints")
struct NetworkTests {
  private func fixture(
    _ change: (inout ServerConfiguration) -> Void = { _ in }
  ) throws -> Fixture {
    try Fixture(endpoints: ["curve://127.0.0.1:0"], change)
  }

  /// True when nothing came of the call.
  private func isLeftOutside(_ client: TestClient) -> Bool {
    client.call("Health")
    return client.receive(milliseconds: 300) == nil
  }

  @Test("a known key is served as its principal, and what it does is done in that name")
  func known() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let client = fixture.client(keys)
    #expect(client.ask("Submit", Bodies.submit())?.isOK == true)
    let context = try #require(fixture.service.state.withLock { $0.contexts.first })
    #expect(context.principal == Principal(tenant: "lab", project: "qc", name: "ada"))
    #expect(context.identity.credential == .key(keys.publicKey))
    #expect(fixture.curveEndpoint.hasPrefix("curve://127.0.0.1:"))
    #expect(!fixture.curveEndpoint.hasSuffix(":0"))
    // The other endpoints go on as they were.
    #expect(fixture.client().isServed)
  }

  @Test("an unknown key, a plain peer and a peer with another server key stay outside")
  func outside() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let unknown = fixture.client(CurveKeys())
    #expect(isLeftOutside(unknown))
    #expect(fixture.admission.refusal.wait(timeout: .now() + 5) == .success)
    #expect(
      fixture.admission.count { $0.method == "handshake" && $0.code == .unauthenticated } >= 1)
    #expect(isLeftOutside(TestClient("tcp://" + fixture.curveEndpoint.dropFirst(8))))
    #expect(
      isLeftOutside(TestClient(fixture.curveEndpoint, curve: (keys, CurveKeys().publicKey))))
    #expect(fixture.client(keys).isServed)
  }

  @Test("a key that was revoked is refused at the handshake")
  func revokedBefore() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    #expect(fixture.client(keys).isServed)
    fixture.admission.revoke(keys)
    #expect(isLeftOutside(fixture.client(keys)))
  }

  @Test("revoked while connected: the next request is refused, streams and sessions end with it")
  func revokedWithin() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let client = fixture.client(keys)
    let other = fixture.client(fixture.admission.add("ada"))
    let opened = try #require(client.ask("OpenSession", Bodies.open()))
    let kept = try #require(other.ask("OpenSession", Bodies.open()))
    #expect(opened.isOK && kept.isOK)
    let job = fixture.service.add()
    let watch = client.call("WatchJob", Bodies.watch(job))
    #expect(client.isServed)
    #expect(fixture.service.observerCount == 1)
    fixture.admission.revoke(keys)
    let health = client.call("Health")
    var codes: [UInt64: ErrorCode?] = [:]
    for _ in 0..<2 {
      let message = try #require(client.receive())
      codes[message.envelope.callID] = message.code
    }
    #expect(codes[health] == .unauthenticated && codes[watch] == .unauthenticated)
    #expect(fixture.service.observerCount == 0)
    #expect(fixture.sessions.closed == [true, false])
    #expect(other.isServed)
    // Still the same connection, still nobody's.
    #expect(client.ask("Health")?.code == .unauthenticated)
    #expect(fixture.admission.count { $0.code == .unauthenticated && $0.method == "Health" } >= 1)
  }

  @Test("revoked in silence: the streams end without a word of the client")
  func revokedSilent() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let client = fixture.client(keys)
    let watch = client.call("WatchJob", Bodies.watch(fixture.service.add()))
    #expect(client.isServed)
    fixture.admission.revoke(keys)
    fixture.server.rightsChanged()
    let ended = try #require(client.receive())
    #expect(ended.envelope.callID == watch && ended.code == .unauthenticated)
  }

  @Test("an open that is compiling when its key is revoked leaves no session behind")
  func revokedOpening() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let client = fixture.client(keys)
    client.call("OpenSession", Bodies.open { $0.name = "slow" })
    #expect(client.isServed)
    fixture.admission.revoke(keys)
    fixture.server.rightsChanged()
    #expect(client.receive()?.code == .unauthenticated)
    fixture.sessions.releaseOpens()
    #expect(fixture.client().isServed)
    #expect(fixture.sessions.closed == [true])
  }

  @Test("local users are told by their uid, and shut out when the tenancy does not know them")
  func localUsers() throws {
    let fixture = try fixture()
    let client = fixture.client()
    #expect(client.ask("Submit", Bodies.submit())?.isOK == true)
    let context = try #require(fixture.service.state.withLock { $0.contexts.first })
    #expect(context.identity.principal.name == "uid:\(getuid())")
    fixture.admission.change { $0.isClosedToLocalUsers = true }
    #expect(client.ask("Health")?.code == .unauthenticated)
    #expect(fixture.client().ask("Health")?.code == .unauthenticated)
    fixture.admission.change { $0.isClosedToLocalUsers = false }
    #expect(client.isServed)
  }

  @Test("two keys overlap: each endpoint has its own, clients of both are served")
  func rotation() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0", "curve://127.0.0.1:0/next"])
    let keys = fixture.admission.add("ada")
    let (old, next) = (fixture.server.endpoints[1], fixture.server.endpoints[2])
    let oldKey = try #require(fixture.server.publicKeys[old])
    let nextKey = try #require(fixture.server.publicKeys[next])
    #expect(oldKey != nextKey)
    #expect(TestClient(old, curve: (keys, oldKey)).isServed)
    #expect(TestClient(next, curve: (keys, nextKey)).isServed)
    #expect(isLeftOutside(TestClient(old, curve: (keys, nextKey))))
    for (name, key) in [("server", oldKey), ("next", nextKey)] {
      let file = "\(fixture.directory)/\(name).pub"
      #expect(try String(contentsOfFile: file, encoding: .utf8) == key + "\n")
    }
  }

  // MARK: The door

  @Test("when nobody answers at the door, nobody comes in: the daemon listens no more")
  func doorLost() throws {
    let fixture = try fixture()
    let keys = fixture.admission.add("ada")
    let inside = fixture.client(keys)
    #expect(inside.isServed)
    fixture.server.loseDoor()
    // Whatever was sent before is behind us once the endpoints are gone.
    while FileManager.default.fileExists(atPath: fixture.path) { sched_yield() }
    #expect(isLeftOutside(fixture.client(keys)))
    #expect(isLeftOutside(fixture.client(CurveKeys())))
    #expect(isLeftOutside(fixture.client()))
  }

  @Test("libzmq itself lets nobody in without an answer, known key or not")
  func enforced() throws {
    let directory = Fixture.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let socket = try RouterSocket(configuration: ServerConfiguration(endpoints: []))
    defer { socket.close(lingerMilliseconds: 0) }
    let key = try ServerKey(name: "server", directory: directory)
    let curve = try socket.bind(Endpoint("curve://127.0.0.1:0"), key: key)
    let plain = try socket.bind(Endpoint("tcp://127.0.0.1:0"), key: nil)
    socket.closeAdmission()
    let stranger = TestClient(curve.reachable, curve: (CurveKeys(), key.publicKey))
    let neighbour = TestClient(plain.reachable)
    #expect(isLeftOutside(stranger) && isLeftOutside(neighbour))
    #expect(!socket.receiveHead())
  }

  @Test("a mark names the credential; without our secret it names nobody")
  func marks() {
    let mark = AdmissionMark()
    for credential in [
      Credential.localUser(uid: 1000), .loopback, .key(CurveKeys().publicKey),
    ] {
      #expect(mark.credential(mark.text(credential)) == credential)
      #expect(mark.credential(AdmissionMark().text(credential)) == nil)
      #expect(mark.credential(credential.text) == nil)
    }
    #expect(mark.credential("") == nil)
    #expect(mark.credential(mark.text(.loopback) + "x") == nil)
  }

  @Test("refusals of one kind are told at once and then by the second; of many kinds, ten")
  func tally() {
    var tally = RefusalTally()
    let one = Refusal(
      credential: .loopback, principal: nil, method: "Submit", action: "jobs.submit",
      code: .permissionDenied)
    let first = tally.add(one, 0)
    #expect(first)
    for time in 1..<500 {
      let isTold = tally.add(one, Microseconds(time))
      #expect(!isTold)
    }
    let early = tally.take(999_999)
    #expect(early.isEmpty)
    let told = tally.take(1_000_000)
    #expect(told.map(\.count) == [499] && told[0].0 == one)
    #expect(tally.due == nil)
    var atOnce = 0
    for uid in UInt32(0)..<1000 {
      var kind = one
      kind.credential = .localUser(uid: uid)
      if tally.add(kind, 2_000_000) { atOnce += 1 }
    }
    #expect(atOnce == RefusalTally.kindLimit)
    let others = tally.take(3_000_000)
    #expect(others.map(\.count) == [1000 - RefusalTally.kindLimit])
  }
}
