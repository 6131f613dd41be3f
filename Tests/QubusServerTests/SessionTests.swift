import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: sessions")
struct SessionTests {
  private func id(_ pointer: UnsafeMutablePointer<CChar>) -> Identifier? {
    Identifier(String(cString: pointer))
  }

  @Test("a session is opened, stepped, read, closed; its steps end with it")
  func life() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let opened = try #require(
      client.ask(
        "OpenSession",
        Bodies.open {
          $0.name = "vqe"; $0.shots = 9; $0.tags = ["t"]
        }))
    let session = try decoded(opened.body, qubus_descriptor_open_session_response()) {
      (m: Qubus__V1__OpenSessionResponse) in
      #expect(
        Array(UnsafeBufferPointer(start: m.secret.data, count: m.secret.len)) == [1, 2, 3, 4])
      let session = m.session.pointee
      #expect(session.state == QUBUS__V1__SESSION_STATE__SESSION_STATE_OPEN)
      #expect(session.n_parameters == 2 && session.n_tags == 1 && session.n_outputs == 2)
      #expect(session.shots_choice_case == QUBUS__V1__SESSION__SHOTS_CHOICE_SHOTS)
      #expect(session.shots == 9 && session.seed == 7 && session.observable_count == 2)
      #expect(session.device_microseconds == 2 && session.opened_at == 11)
      #expect(String(cString: session.name) == "vqe")
      #expect(session.closed_choice_case == QUBUS__V1__SESSION__CLOSED_CHOICE__NOT_SET)
      return id(session.session_id)
    }
    let sessionID = try #require(session)
    client.step(sessionID, 1)
    #expect(client.receive()?.isOK == true)
    #expect(client.ask("GetSession", Bodies.session(sessionID))?.isOK == true)
    let closed = try #require(client.ask("CloseSession", Bodies.session(sessionID)))
    try decoded(closed.body, qubus_descriptor_close_session_response()) {
      (m: Qubus__V1__CloseSessionResponse) in
      #expect(m.session.pointee.state == QUBUS__V1__SESSION_STATE__SESSION_STATE_CLOSED)
      #expect(m.session.pointee.last_sequence == 1)
      #expect(m.session.pointee.closed_at == 12)
    }
    client.step(sessionID, 2)
    #expect(client.receive()?.code == .sessionNotFound)
    let unknown = Bodies.session(Identifier(high: 1, low: 2))
    #expect(client.ask("GetSession", unknown)?.code == .sessionNotFound)
    #expect(client.ask("CloseSession", [])?.code == .missingField)
  }

  @Test("an open that was canceled or timed out leaves no session behind; one that waits does")
  func abandonedOpens() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let slow = Bodies.open { $0.name = "slow" }
    let canceled = client.call("OpenSession", slow)
    client.send(.cancel, canceled)
    #expect(client.receive()?.code == .callCanceled)
    client.call("OpenSession", slow, timeout: 1)
    #expect(client.receive()?.code == .deadlineExceeded)
    client.call("OpenSession", slow)
    // The third is with the service once a later call is answered.
    #expect(client.ask("Health")?.isOK == true)
    fixture.sessions.releaseOpens()
    #expect(client.receive()?.isOK == true)
    // The first two were answered, and closed, before.
    #expect(fixture.sessions.closed == [true, true, false])
  }

  @Test("one connection steps a session; resuming with the secret takes it over")
  func resume() throws {
    let fixture = try Fixture()
    let first = fixture.client()
    let second = fixture.client()
    let opened = try #require(first.ask("OpenSession", Bodies.open()))
    let session = try decoded(opened.body, qubus_descriptor_open_session_response()) {
      (m: Qubus__V1__OpenSessionResponse) in id(m.session.pointee.session_id)
    }
    let sessionID = try #require(session)
    first.step(sessionID, 1)
    #expect(first.receive()?.isOK == true)
    second.step(sessionID, 2)
    #expect(second.receive()?.code == .sessionHeldElsewhere)
    #expect(
      second.ask("ResumeSession", Bodies.resume(sessionID, [9], last: 1))?.code
        == .sessionNotFound)
    #expect(
      second.ask("ResumeSession", Bodies.resume(sessionID, [], last: 1))?.code == .missingField)
    let resumed = try #require(
      second.ask("ResumeSession", Bodies.resume(sessionID, [1, 2, 3, 4], last: 1)))
    try decoded(resumed.body, qubus_descriptor_resume_session_response()) {
      (m: Qubus__V1__ResumeSessionResponse) in
      #expect(m.next_sequence == 2 && m.was_rebuilt == 1)
    }
    second.step(sessionID, 2)
    #expect(second.receive()?.isOK == true)
    first.step(sessionID, 3)
    #expect(first.receive()?.code == .sessionHeldElsewhere)
  }

  @Test("a session that asks for nonsense, or for too much, is refused with the reason")
  func refusals() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let cases: [(ErrorCode, String, (inout SessionSpec) -> Void)] = [
      (.missingField, "program", { $0.program = [] }),
      (.invalidRequest, "idle_seconds", { $0.idleSeconds = 0 }),
      (.invalidRequest, "max_steps", { $0.maxSteps = 0 }),
      (.invalidShots, "shots", { $0.shots = 0 }),
    ]
    for (code, field, change) in cases {
      let answer = try #require(client.ask("OpenSession", Bodies.open(change)))
      #expect(answer.code == code)
      #expect(answer.envelope.status?.error?.violations.first?.field == field)
    }
    let full = try #require(client.ask("OpenSession", Bodies.open { $0.name = "refuse" }))
    #expect(full.code == .tooManySessions)
    #expect(full.envelope.status?.error?.retryAfterMilliseconds == 100)
    client.call("OpenSession", Bodies.open(), numbers: [([1], [1])])
    #expect(client.receive()?.code == .invalidAttachment)
    #expect(client.isServed)
  }

  @Test("lists page by page, newest first, ended ones when asked for")
  func list() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let ids = (0..<7).map { _ in fixture.sessions.add() }
    #expect(client.ask("CloseSession", Bodies.session(ids[3]))?.isOK == true)
    for (ended, expected) in [(true, ids), (false, ids.filter { $0 != ids[3] })] {
      var seen: [Identifier] = []
      var token = ""
      repeat {
        let answer = try #require(
          client.ask("ListSessions", Bodies.listSessions(3, token: token, ended: ended)))
        token = try decoded(answer.body, qubus_descriptor_list_sessions_response()) {
          (m: Qubus__V1__ListSessionsResponse) in
          for index in 0..<m.n_sessions {
            if let id = id(m.sessions[index]!.pointee.session_id) { seen.append(id) }
          }
          return String(cString: m.next_page_token)
        }
      } while !token.isEmpty
      #expect(seen == expected.reversed())
    }
    #expect(
      client.ask("ListSessions", Bodies.listSessions(1001))?.code == .invalidRequest)
    #expect(
      client.ask("ListSessions", Bodies.listSessions(1, token: "x"))?.code == .invalidCursor)
  }

  @Test("Hello lists the methods and the feature")
  func hello() throws {
    let fixture = try Fixture()
    let answer = try #require(fixture.client().ask("Hello"))
    try decoded(answer.body, qubus_descriptor_hello_response()) {
      (m: Qubus__V1__HelloResponse) in
      let methods = (0..<m.n_methods).map { String(cString: m.methods[$0]!) }
      #expect(methods.contains("Step") && methods.contains("CancelOptimize"))
      #expect((0..<m.n_features).map { String(cString: m.features[$0]!) }.contains("sessions"))
    }
  }
}
