import CQubusProto
import QubusCore
import QubusEngine
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: why a job waits")
struct ExplainTests {
  @Test("every constraint is told; a delay that is not known is left out")
  func constraints() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    let answer = try #require(client.ask("ExplainJob", Bodies.job(id.description)))
    #expect(answer.isOK)
    try decoded(answer.body, qubus_descriptor_explain_job_response()) {
      (m: Qubus__V1__ExplainJobResponse) in
      #expect(String(cString: m.job.pointee.job_id) == id.description)
      let found = (0..<m.n_constraints).compactMap { m.constraints[$0]?.pointee }
      #expect(found.map { String(cString: $0.kind) } == ["SHARE_TURN", "TOO_LARGE"])
      #expect(found.map { String(cString: $0.detail) } == ["others first", "no room"])
      #expect(found.map { String(cString: $0.remedy) } == ["patience", "room"])
      #expect(found.map(\.since) == [5, 6])
      let known = QUBUS__V1__WAIT_CONSTRAINT__DELAY_CHOICE_DELAY_MICROSECONDS
      #expect(found.map { $0.delay_choice_case == known } == [true, false])
      #expect(found.first?.delay_microseconds == 9)
    }
  }

  @Test("the rules of the queue are told to whoever asks; what is not set is left out")
  func policy() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let answer = try #require(client.ask("GetQueuePolicy", []))
    #expect(answer.isOK)
    try decoded(answer.body, qubus_descriptor_get_queue_policy_response()) {
      (m: Qubus__V1__GetQueuePolicyResponse) in
      let lanes = (0..<m.n_lanes).compactMap { m.lanes[$0]?.pointee }
      #expect(lanes.map { String(cString: $0.lane) } == ["batch", "overdue"])
      #expect(lanes.map { String(cString: $0.takes) } == ["large ones", "late ones"])
      #expect(lanes.map(\.share) == [0.5, 0.25])
      let isSet = QUBUS__V1__LANE_POLICY__OVERDUE_CHOICE_OVERDUE_AFTER_SECONDS
      #expect(lanes.map { $0.overdue_choice_case == isSet } == [true, false])
      #expect(lanes.first?.overdue_after_seconds == 2.5)
      #expect(lanes.map(\.jobs_queued) == [3, 0] && lanes.map(\.jobs_queued_limit) == [4, 4])
      #expect(m.n_standings == 1)
      let own = m.standings[0]!.pointee
      #expect(own.weight == 2 && own.factor == 0.5 && own.used_seconds == 9)
      #expect(m.usage_half_life_seconds == 604_800 && m.largest_usage_factor == 4)
      #expect(m.stretch == 1000 && m.shortest_seconds == 10)
      #expect(
        m.overdue_stretch_choice_case
          == QUBUS__V1__GET_QUEUE_POLICY_RESPONSE__OVERDUE_STRETCH_CHOICE__NOT_SET)
      #expect(
        m.run_limit_choice_case
          == QUBUS__V1__GET_QUEUE_POLICY_RESPONSE__RUN_LIMIT_CHOICE__NOT_SET)
      #expect(m.compute_slots == 2 && m.express_slots == 1 && m.memory_bytes == 100)
      #expect(m.jobs_queued_limit == 7 && m.all_cores_seconds == 0.05)
    }
    #expect(client.ask("GetQueuePolicy", [0xFF])?.code == .malformedFrame)
  }

  @Test("quotes of starts are told as sums, of all lanes first; a forecast that is due is made")
  func etaReport() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let answer = try #require(client.ask("GetEtaReport", []))
    #expect(answer.isOK)
    try decoded(answer.body, qubus_descriptor_get_eta_report_response()) {
      (m: Qubus__V1__GetEtaReportResponse) in
      #expect(m.confidence == 0.8 && m.since == 600)
      let scores = (0..<m.n_scores).compactMap { m.scores[$0]?.pointee }
      #expect(scores.map { String(cString: $0.lane) } == ["all", "batch", "long"])
      #expect(scores.map(\.quotes) == [11, 10, 1] && scores.map(\.covered) == [3, 3, 0])
      #expect(scores.map(\.mean_width_seconds) == [5, 5, 0])
      #expect(scores.map(\.mean_error_seconds) == [2, 2, 0])
    }
    #expect(client.ask("GetEtaReport", [0xFF])?.code == .malformedFrame)
    let id = fixture.service.add()
    fixture.service.forecastsDue.withLock { _ = $0.insert(id) }
    #expect(client.ask("GetJob", Bodies.job(id.description))?.isOK == true)
  }

  @Test("pausing and resuming answer with the job or say why not")
  func pause() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__pause_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.reason = builder.text("later")
    let answer = try #require(client.ask("PauseJob", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_pause_job_response()) {
      (m: Qubus__V1__PauseJobResponse) in
      #expect(String(cString: m.job.pointee.reason) == "PAUSED later")
    }
    #expect(client.ask("ResumeJob", Bodies.job(id.description))?.code == .illegalTransition)
    #expect(client.ask("PauseJob", [])?.code == .missingField)
    message.pointee.reason = builder.text(String(repeating: "x", count: 1025))
    #expect(client.ask("PauseJob", MessageBuilder.pack(message))?.code == .invalidRequest)
  }

  @Test("holding and releasing answer with the job or say why not")
  func hold() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let client = fixture.client(fixture.admission.add("root", .operator))
    let id = fixture.service.add()
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__hold_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.reason = builder.text("look")
    let answer = try #require(client.ask("HoldJob", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_hold_job_response()) {
      (m: Qubus__V1__HoldJobResponse) in
      #expect(String(cString: m.job.pointee.reason) == "HELD look")
    }
    #expect(client.ask("ReleaseJob", Bodies.job(id.description))?.code == .illegalTransition)
    #expect(client.ask("ReleaseJob", Bodies.job("nonsense"))?.code == .invalidIdentifier)
    #expect(client.ask("HoldJob", [])?.code == .missingField)
    message.pointee.reason = builder.text(String(repeating: "x", count: 1025))
    #expect(client.ask("HoldJob", MessageBuilder.pack(message))?.code == .invalidRequest)
    // Of all roles operators alone have the right.
    let owner = fixture.client(fixture.admission.add("sam", .submitter))
    for method in ["HoldJob", "ReleaseJob"] {
      #expect(owner.ask(method, Bodies.job(id.description))?.code == .permissionDenied)
    }
  }

  @Test("a job that is not there, or no id, is refused")
  func refusals() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    #expect(client.ask("ExplainJob", Bodies.job("nonsense"))?.code == .invalidIdentifier)
    #expect(client.ask("ExplainJob", [])?.code == .missingField)
    #expect(
      client.ask("ExplainJob", Bodies.job("018f3f5e-7c1a-7000-8000-0123456789ab"))?.code
        == .jobNotFound)
  }
}
