import Foundation
import QubusCore
import QubusServer
import QubusWire
import Testing

@Suite("Server: endpoints and stopping")
struct EndpointTests {
  private func start(_ endpoints: [String], group: String? = nil) throws(QubusError) -> Server {
    var configuration = ServerConfiguration(endpoints: endpoints)
    configuration.socketGroup = group
    return try Server(
      configuration: configuration, service: FakeService(),
      sessions: FakeSessionService(), tenancy: FakeTenancyService(),
      admission: TestAdmission(), clock: SystemClock(),
      logger: Fixture.quiet)
  }

  private func refusal(_ endpoint: String, group: String? = nil) -> QubusError? {
    do {
      try start([endpoint], group: group).close()
      return nil
    } catch {
      return error
    }
  }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test("addresses beyond loopback, and what is no address, are refused by name")
  func refused() {
    for endpoint in [
      "tcp://0.0.0.0:7400", "tcp://*:7400", "tcp://192.168.1.2:7400", "tcp://[::]:7400",
      "tcp://example.com:7400", "tcp://eth0:7400", "tcp://127.0.0.1", "tcp://127.0.0.1:99999",
      "tcp://128.0.0.1:1", "udp://127.0.0.1:1", "inproc://x", "curve://example.com:7400",
      "curve://127.0.0.1", "curve://127.0.0.1:1/../x", "curve://127.0.0.1:1/", "curve://*:1/Key",
      "ipc://relative", "ipc:///tmp/", "",
      "ipc://@abstract",
    ] {
      let error = refusal(endpoint)
      #expect(error?.code == .invalidConfiguration, "\(endpoint)")
      #expect(error?.violations.first?.field == "listen", "\(endpoint)")
    }
    #expect(refusal("tcp://10.0.0.1:1")?.message.contains("use curve://10.0.0.1:1") == true)
    let withoutKeys = refusal("curve://127.0.0.1:0")
    #expect(withoutKeys?.code == .invalidConfiguration)
  }

  @Test("a socket path longer than the system takes is refused with the limit")
  func pathLength() throws {
    let directory = Fixture.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let fits = directory + "/" + String(repeating: "x", count: 107 - directory.utf8.count - 1)
    #expect(refusal("ipc://" + fits) == nil)
    let error = refusal("ipc://" + fits + "x")
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.violations.first?.limit == "107")
  }

  @Test("loopback tcp takes a free port for port 0, and its peers are local")
  func tcp() throws {
    for host in ["127.0.0.1", "localhost", "127.9.9.9"] {
      let server = try start(["tcp://\(host):0"])
      let endpoint = try #require(server.endpoints.first)
      #expect(!endpoint.hasSuffix(":0") && endpoint.hasPrefix("tcp://127."))
      #expect(TestClient(endpoint).isServed)
      let second = refusal(endpoint)
      #expect(second?.code == .endpointInUse)
      server.close()
    }
  }

  @Test("directory and socket are private by default, and the group's when asked for")
  func permissions() throws {
    let fixture = try Fixture()
    #expect(try mode(fixture.path) == 0o600)
    #expect(try mode(fixture.directory + "/run") == 0o700)
    let directory = Fixture.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let name = String(cString: getgrgid(getegid())!.pointee.gr_name)
    let server = try start(["ipc://\(directory)/shared/q.sock"], group: name)
    #expect(try mode("\(directory)/shared/q.sock") == 0o660)
    #expect(try mode("\(directory)/shared") == 0o750)
    server.close()
    #expect(
      refusal("ipc://\(directory)/shared/q.sock", group: "no-such-group")?.code
        == .invalidConfiguration)
  }

  @Test(
    "a second daemon on the endpoint is refused, the first goes on; a dead socket is taken over"
  )
  func second() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    #expect(refusal(fixture.endpoint)?.code == .endpointInUse)
    #expect(client.isServed)
    let directory = Fixture.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let stale = "\(directory)/q.sock"
    #expect(FileManager.default.createFile(atPath: stale, contents: nil))
    let server = try start(["ipc://\(stale)"])
    #expect(TestClient(server.endpoints[0]).isServed)
    server.close()
    let again = try start(["ipc://\(stale)"])
    #expect(TestClient(again.endpoints[0]).isServed)
    again.close()
  }

  @Test("short of descriptors, new connections are refused and existing ones served")
  func descriptors() throws {
    // More than all tests together ever open, and none at all: other tests leave holes.
    let fixture = try Fixture { $0.descriptorLimit = 1 << 20 }
    let early = fixture.client()
    #expect(early.isServed)
    let tight = try Fixture { $0.descriptorLimit = 1 }
    let late = tight.client()
    late.call("Health")
    #expect(late.receive(milliseconds: 300) == nil)
    #expect(early.isServed)
  }

  @Test("many connections are served at once")
  func many() throws {
    let fixture = try Fixture()
    let clients = (0..<100).map { _ in fixture.client() }
    for client in clients { client.call("Health") }
    for client in clients { #expect(client.receive()?.isOK == true) }
  }

  @Test(
    "a stop is announced, waits end, Health says so, new work is refused, what is in flight ends")
  func stop() throws {
    let service = FakeService(holdsSubmits: true)
    let fixture = try Fixture(service)
    let client = fixture.client()
    let id = service.add()
    let submit = client.call("Submit", Bodies.submit())
    let watch = client.call("WatchJob", Bodies.watch(id))
    #expect(client.isServed)
    fixture.server.announceStop()
    let goAway = try #require(client.receive())
    #expect(goAway.envelope.kind == .goAway)
    #expect(goAway.code == .serverShuttingDown)
    let ended = try #require(client.receive())
    #expect(ended.envelope.callID == watch && ended.code == .serverShuttingDown)
    #expect(client.ask("Submit", Bodies.submit())?.code == .serverShuttingDown)
    #expect(client.ask("Health")?.body.starts(with: [0x08, 0x03]) == true)
    service.release()
    let accepted = try #require(client.receive())
    #expect(accepted.envelope.callID == submit && accepted.envelope.status == nil)
    fixture.server.close()
    fixture.server.close()
    #expect(service.observerCount == 0)
  }

  @Test("who knocks while the service stops is not sent away as nobody")
  func knockAtStop() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    #expect(client.isServed)
    fixture.server.announceStop()
    #expect(client.receive()?.envelope.kind == .goAway)
    let peer = try #require(RawPeer(path: fixture.path))
    #expect(peer.write(RawPeer.greeting + RawPeer.ready))
    #expect(!peer.isClosed(within: 300))
    fixture.server.close()
    #expect(peer.isClosed(within: 5_000))
  }

  @Test("answers made just before the close still arrive")
  func lastAnswers() throws {
    let service = FakeService(holdsSubmits: true)
    let fixture = try Fixture(service)
    let client = fixture.client()
    for _ in 0..<50 { client.call("Submit", Bodies.submit()) }
    #expect(client.isServed)
    service.release()
    fixture.server.close()
    var finals = 0
    while let message = client.receive(milliseconds: 200) {
      if message.envelope.kind == .final { finals += 1 }
    }
    #expect(finals == 50)
  }
}
