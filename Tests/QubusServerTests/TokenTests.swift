import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: rights and tokens")
struct TokenTests {
  private func bearer(
    _ actions: [Action], over keys: CurveKeys, expiresAt: Microseconds = .max
  ) -> Identity {
    let owner = Principal(tenant: "lab", project: "qc", name: "owner")
    return Identity(
      principal: owner, credential: .key(keys.publicKey),
      grants: [Grant(.submitter, Scope(tenant: "lab", project: "qc"))],
      token: TokenRights(
        id: "t1", actions: Actions(actions), project: nil, expiresAt: expiresAt, maxShots: nil))
  }

  @Test("without the right for a method its call is refused, named, and noted; hello is for all")
  func rights() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let client = fixture.client(fixture.admission.add("eve", .viewer))
    let refused = try #require(client.ask("Submit", Bodies.submit()))
    #expect(refused.code == .permissionDenied)
    #expect(refused.envelope.status?.error?.message.contains("jobs.submit") == true)
    #expect(fixture.service.state.withLock { $0.submits } == 0)
    #expect(client.isServed && client.ask("Hello")?.isOK == true)
    let id = fixture.sessions.add()
    client.step(id, 1)
    #expect(client.receive()?.code == .permissionDenied)
    #expect(fixture.sessions.state.withLock { $0.steps } == 0)
    #expect(
      fixture.admission.count {
        $0.method == "Submit" && $0.action == "jobs.submit" && $0.principal?.name == "eve"
      } == 1)
    #expect(fixture.admission.count { $0.method == "Step" } == 1)
  }

  @Test("with a token a call has its owner's rights, cut down to the token's")
  func delegation() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook", .viewer)
    let token = Array("good".utf8)
    fixture.admission.change { $0.tokens[token] = bearer([.submitJobs], over: keys) }
    let client = fixture.client(keys)
    client.token = token
    #expect(client.ask("Submit", Bodies.submit())?.isOK == true)
    let context = try #require(fixture.service.state.withLock { $0.contexts.first })
    #expect(context.principal.name == "owner" && context.identity.token?.id == "t1")
    #expect(client.ask("CancelJob", Bodies.watch(fixture.service.add()))?.code == .permissionDenied)
    client.token = []
    #expect(client.ask("Submit", Bodies.submit())?.code == .permissionDenied)
  }

  @Test("a stolen, an unknown and an expired token are refused, each by its code")
  func refused() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook")
    let (good, late) = (Array("good".utf8), Array("late".utf8))
    fixture.admission.change {
      $0.tokens[good] = bearer([.submitJobs], over: keys)
      $0.tokens[late] = bearer([.submitJobs], over: keys, expiresAt: SystemClock().now() - 1)
    }
    let thief = fixture.client(fixture.admission.add("thief"))
    thief.token = good
    #expect(thief.ask("Submit", Bodies.submit())?.code == .tokenInvalid)
    let client = fixture.client(keys)
    for (token, code) in [
      (Array("unknown".utf8), ErrorCode.tokenInvalid), (late, .tokenExpired),
      ([UInt8](repeating: 65, count: 60_000), .tokenInvalid),
    ] {
      client.token = token
      #expect(client.ask("Submit", Bodies.submit())?.code == code)
      client.step(fixture.sessions.add(), 1)
      #expect(client.receive()?.code == code)
    }
    #expect(fixture.service.state.withLock { $0.submits } == 0)
    #expect(fixture.sessions.state.withLock { $0.steps } == 0)
    client.token = []
    #expect(client.isServed)
  }

  @Test("bad tokens without number are soon not looked at, and cost their sender alone")
  func flood() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let (keys, token) = (fixture.admission.add("notebook"), Array("good".utf8))
    fixture.admission.change { $0.tokens[token] = bearer([.readJobs], over: keys) }
    let (guesser, client) = (fixture.client(fixture.admission.add("guesser")), fixture.client(keys))
    var codes: [ErrorCode: Int] = [:]
    for number in 0..<3000 {
      guesser.token = Array("guess \(number)".utf8)
      guesser.call("ListJobs", Bodies.list(pageSize: 1))
    }
    client.token = token
    #expect(client.ask("ListJobs", Bodies.list(pageSize: 1))?.isOK == true)
    for _ in 0..<3000 {
      if let code = guesser.receive()?.code { codes[code, default: 0] += 1 }
    }
    #expect(codes.keys.sorted { $0.rawValue < $1.rawValue } == [.tokenInvalid, .rateLimited])
    let verified = fixture.admission.state.withLock { $0.verifications }
    #expect(verified == codes[.tokenInvalid, default: 0] + 1)
    #expect(verified < 3000)
    guesser.token = []
    #expect(guesser.isServed)
  }

  @Test("a token is verified once, and again when the directory has changed")
  func cached() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook")
    let token = [UInt8](repeating: 66, count: 700)
    fixture.admission.change { $0.tokens[token] = bearer([.stepSessions], over: keys) }
    let client = fixture.client(keys)
    client.token = token
    let id = fixture.sessions.add()
    for sequence in UInt64(1)...100 {
      client.step(id, sequence)
      #expect(client.receive()?.isOK == true)
    }
    #expect(fixture.admission.state.withLock { $0.verifications } == 1)
    fixture.admission.change { $0.tokens[token] = nil }
    client.step(id, 101)
    #expect(client.receive()?.code == .tokenInvalid)
    #expect(fixture.sessions.state.withLock { $0.steps } == 100)
  }

  @Test("a stream ends with the token it was opened by, others of the connection go on")
  func streams() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook")
    let token = Array("good".utf8)
    fixture.admission.change { $0.tokens[token] = bearer([.readJobs], over: keys) }
    let client = fixture.client(keys)
    let job = fixture.service.add()
    let own = client.call("WatchJob", Bodies.watch(job))
    client.token = token
    let delegated = client.call("WatchJob", Bodies.watch(job))
    #expect(client.ask("Health")?.isOK == true)
    fixture.admission.change { $0.tokens[token] = nil }
    fixture.server.rightsChanged()
    let ended = try #require(client.receive())
    #expect(ended.envelope.callID == delegated && ended.code == .tokenInvalid)
    fixture.service.append(job, .succeeded)
    var last: TestClient.Message?
    repeat { last = client.receive() } while last?.envelope.kind == .partial
    #expect(last?.envelope.callID == own && last?.isOK == true)
  }
}
