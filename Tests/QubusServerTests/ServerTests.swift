import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: calls")
struct ServerTests {
  @Test("health, version, devices and the error catalogue are answered")
  func basics() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let health = try #require(client.ask("Health"))
    #expect(health.envelope.kind == .final)
    #expect(health.envelope.status == nil)
    try decoded(health.body, qubus_descriptor_health_response()) {
      (m: Qubus__V1__HealthResponse) in
      #expect(m.jobs_queued == 3)
      #expect(String(cString: m.server_instance_id) == fixture.server.instanceID)
    }
    #expect(client.ask("Version")?.isOK == true)
    #expect(client.ask("ListDevices")?.isOK == true)
    let catalogue = try #require(client.ask("ErrorCatalogue"))
    try decoded(catalogue.body, qubus_descriptor_error_catalogue_response()) {
      (m: Qubus__V1__ErrorCatalogueResponse) in #expect(m.n_errors == ErrorRegistry.entries.count)
    }
  }

  @Test("Hello names versions, methods, limits and the principal by uid; Submit carries them on")
  func hello() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let builder = MessageBuilder()
    let request = builder.make(qubus__v1__hello_request__init)
    request.pointee.minimum_protocol_version = 1
    request.pointee.maximum_protocol_version = 9
    request.pointee.client_name = builder.text("libqubus")
    request.pointee.client_version = builder.text("0.1.0")
    let answer = try #require(client.ask("Hello", MessageBuilder.pack(request)))
    let principal = try decoded(answer.body, qubus_descriptor_hello_response()) {
      (m: Qubus__V1__HelloResponse) in
      #expect(m.protocol_version == 1)
      #expect(m.n_methods == Method.allCases.count)
      #expect(m.n_limits > 10)
      return String(cString: m.principal)
    }
    #expect(!principal.isEmpty && principal != "local")
    #expect(client.ask("Submit", Bodies.submit())?.isOK == true)
    let context = try #require(fixture.service.state.withLock { $0.contexts.first })
    #expect(context.clientVersion == "libqubus 0.1.0")
    #expect(context.principal.name == principal)
    request.pointee.minimum_protocol_version = 2
    #expect(
      client.ask("Hello", MessageBuilder.pack(request))?.code == .unsupportedProtocolVersion)
  }

  @Test("unknown methods, kinds and versions are named, and the connection goes on")
  func unknowns() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let unknown = try #require(client.ask("Teleport"))
    #expect(unknown.code == .unknownMethod)
    #expect(unknown.envelope.status?.code == GRPCStatus.unimplemented.rawValue)
    var envelope = Envelope(.call, callID: 77)
    envelope.rawKind = 4711
    client.sendRaw([envelope.encoded(), []])
    let kind = try #require(client.receive())
    #expect(kind.code == .unknownMessageKind)
    #expect(kind.envelope.callID == 77)
    envelope = Envelope(.call, callID: 78)
    envelope.protocolVersion = 2
    client.sendRaw([envelope.encoded(), []])
    let version = try #require(client.receive())
    #expect(version.code == .unsupportedProtocolVersion)
    #expect(version.envelope.status?.error?.violations.first?.limit == "1")
    #expect(client.isServed)
  }

  @Test("a valid traceparent becomes the trace id of the error; else one is made")
  func trace() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = "4bf92f3577b34da6a3ce929d0e0e4736"
    client.call("Teleport", trace: "00-\(id)-00f067aa0ba902b7-01")
    #expect(client.receive()?.envelope.status?.traceID == id)
    client.call("Teleport", trace: "garbage")
    let made = try #require(client.receive()?.envelope.status?.traceID)
    #expect(made.count == 32 && made != id)
  }

  @Test("submits are pipelined and each FINAL finds its call; refusals carry their details")
  func submit() throws {
    let fixture = try Fixture(FakeService(holdsSubmits: true))
    let client = fixture.client()
    var open: Set<UInt64> = []
    for _ in 0..<100 { open.insert(client.call("Submit", Bodies.submit())) }
    let refused = client.call("Submit", Bodies.submit { $0.experiment.name = "refuse" })
    #expect(client.isServed)  // the server took all of them before this
    fixture.service.release()
    for _ in 0..<101 {
      let answer = try #require(client.receive())
      if answer.envelope.callID == refused {
        let error = try #require(answer.envelope.status?.error)
        #expect(error.code == .queueCapacityExceeded)
        #expect(error.retryAfterMilliseconds == 250)
        #expect(error.details == ["depth": "7"])
        continue
      }
      #expect(open.remove(answer.envelope.callID) != nil)
      #expect(answer.envelope.status == nil)
    }
    #expect(open.isEmpty)
  }

  @Test("a batch answers in order with a status per item")
  func batch() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let answer = try #require(
      client.ask("SubmitBatch", Bodies.batch(["a", "invalid", "refuse", "b"])))
    try decoded(answer.body, qubus_descriptor_submit_batch_response()) {
      (m: Qubus__V1__SubmitBatchResponse) in
      #expect(m.n_items == 4)
      let codes = (0..<m.n_items).map { m.items[$0]!.pointee.status?.pointee.code }
      #expect(codes == [0, 3, 8, 0])
      let error = m.items[1]!.pointee.status.pointee.error.pointee
      #expect(String(cString: error.name) == "invalid_shots")
      #expect(String(cString: error.violations[0]!.pointee.field) == "jobs[1].pubs[0].shots")
      #expect(String(cString: m.items[3]!.pointee.job.pointee.name) == "b")
    }
    #expect(client.ask("SubmitBatch", Bodies.batch([]))?.isOK == true)
  }

  @Test("bad requests are refused by field")
  func fields() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let cases: [(ErrorCode, String, (inout JobSpec) -> Void)] = [
      (.invalidShots, "job.pubs[0].shots", { $0.pubs[0].shots = 0 }),
      (.invalidShots, "job.pubs[0].shots", { $0.pubs[0].shots = -5 }),
      (.invalidShots, "job.pubs[0].shots", { $0.pubs[0].shots = .max }),
      (
        .invalidParameterValue, "job.pubs[0].parameters[0].values[0]",
        { $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [], values: [.nan])] }
      ),
      (
        .invalidParameterShape, "job.pubs[0].parameters[0].shape",
        { $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [3], values: [1])] }
      ),
      (.missingField, "job.pubs", { $0.pubs = [] }),
      (.missingField, "job.pubs[0].program", { $0.pubs[0].program = [] }),
      (
        .invalidTags, "job.experiment.tags",
        { $0.experiment.tags = Array(repeating: "t", count: 33) }
      ),
      (.unsupportedSchemaVersion, "job.schema_version", { $0.schemaVersion = 2 }),
      (
        .invalidRequest, "job.idempotency_key",
        { $0.idempotencyKey = String(repeating: "k", count: 257) }
      ),
    ]
    for (code, field, change) in cases {
      let answer = try #require(client.ask("Submit", Bodies.submit(change)))
      #expect(answer.code == code)
      #expect(answer.envelope.status?.error?.violations.first?.field == field)
    }
    #expect(client.ask("Submit", [])?.code == .missingField)
    #expect(client.ask("GetJob", Bodies.job("nonsense"))?.code == .invalidIdentifier)
    #expect(client.ask("GetJob", [])?.code == .missingField)
    #expect(
      client.ask("GetJob", Bodies.job("018f3f5e-7c1a-7000-8000-0123456789ab"))?.code
        == .jobNotFound)
    #expect(client.ask("ListJobs", Bodies.list(pageSize: 1001))?.code == .invalidRequest)
    #expect(
      client.ask("ListJobs", Bodies.list(pageSize: 1, token: "x"))?.code == .invalidCursor)
    #expect(client.isServed)
  }

  @Test("lists page by page without a gap")
  func list() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let ids = (0..<25).map { _ in fixture.service.add().description }
    var seen: [String] = []
    var token = ""
    repeat {
      let answer = try #require(client.ask("ListJobs", Bodies.list(pageSize: 10, token: token)))
      (token) = try decoded(answer.body, qubus_descriptor_list_jobs_response()) {
        (m: Qubus__V1__ListJobsResponse) in
        for index in 0..<m.n_jobs { seen.append(String(cString: m.jobs[index]!.pointee.job_id)) }
        return String(cString: m.next_page_token)
      }
    } while !token.isEmpty
    #expect(seen == ids.reversed())
  }

  @Test("duplicate ids, calls without id, attachments and missing bodies are refused")
  func callRules() throws {
    let fixture = try Fixture(FakeService(holdsSubmits: true))
    let client = fixture.client()
    client.call("Submit", Bodies.submit(), callID: 5)
    client.call("Health", callID: 5)
    #expect(client.receive()?.code == .duplicateCallID)
    client.call("Health", callID: 0)
    #expect(client.receive()?.code == .invalidRequest)
    var envelope = Envelope(.call, callID: 6)
    envelope.method = "Health"
    client.sendRaw([envelope.encoded()])
    #expect(client.receive()?.code == .malformedFrame)
    client.sendRaw([envelope.encoded(), [], [1, 2]])
    #expect(client.receive()?.code == .invalidAttachment)
    fixture.service.release()
    let first = try #require(client.receive())
    #expect(first.envelope.callID == 5 && first.envelope.status == nil)
  }

  @Test("calls in flight and streams are limited per connection")
  func limits() throws {
    let fixture = try Fixture(FakeService(holdsSubmits: true)) {
      $0.limits.callsInFlightPerConnection = 4
      $0.limits.streamsPerConnection = 2
    }
    let client = fixture.client()
    let id = fixture.service.add()
    client.call("WatchJob", Bodies.watch(id))
    client.call("WatchJob", Bodies.watch(id))
    client.call("WatchJob", Bodies.watch(id))
    #expect(client.receive()?.code == .tooManyStreams)
    client.call("Submit", Bodies.submit())
    client.call("Submit", Bodies.submit())
    #expect(client.ask("Health")?.code == .tooManyCallsInFlight)
    #expect(fixture.client().isServed)
    fixture.service.release()
    #expect(client.receive()?.isOK == true)
    #expect(client.receive()?.isOK == true)
    #expect(client.isServed)
  }

  @Test("a time-out ends the call, CANCEL ends a call once, PING is answered")
  func endings() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    client.call("WatchJob", Bodies.watch(id), timeout: 30)
    let timedOut = try #require(client.receive())
    #expect(timedOut.code == .deadlineExceeded)
    #expect(timedOut.envelope.status?.code == GRPCStatus.deadlineExceeded.rawValue)
    let watch = client.call("WatchJob", Bodies.watch(id))
    client.send(.cancel, watch)
    client.send(.cancel, watch)
    client.send(.cancel, 999)
    #expect(client.receive()?.code == .callCanceled)
    client.send(.ping, 42)
    let pong = try #require(client.receive())
    #expect(pong.envelope.kind == .pong && pong.envelope.callID == 42)
    #expect(pong.envelope.serverInstanceID == fixture.server.instanceID)
    #expect(fixture.service.observerCount == 0)
  }
}
