import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: what becomes of jobs")
struct ControlTests {
  @Test("a change answers with the job as it is then")
  func change() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add()
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__change_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.lane = builder.text("long")
    message.pointee.priority_choice_case =
      QUBUS__V1__CHANGE_JOB_REQUEST__PRIORITY_CHOICE_PRIORITY
    message.pointee.priority = -3
    message.pointee.reason = builder.text("later")
    let answer = try #require(client.ask("ChangeJob", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_change_job_response()) {
      (m: Qubus__V1__ChangeJobResponse) in
      let job = m.job.pointee
      #expect(String(cString: job.lane) == "long" && job.priority == -3)
      #expect(String(cString: job.device) == "as it was" && String(cString: job.reason) == "later")
    }
    #expect(client.ask("ChangeJob", Bodies.job("nonsense"))?.code == .invalidIdentifier)
    #expect(client.ask("ChangeJob", [])?.code == .missingField)
  }

  @Test("jobs of one message are a batch, which is canceled by its id; the next one is another")
  func batches() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    func submit(_ names: [String]) throws -> (batch: String, jobs: [String]) {
      let answer = try #require(client.ask("SubmitBatch", Bodies.batch(names)))
      var found: (batch: String, jobs: [String]) = ("", [])
      try decoded(answer.body, qubus_descriptor_submit_batch_response()) {
        (m: Qubus__V1__SubmitBatchResponse) in
        found.batch = String(cString: m.batch_id)
        for index in 0..<m.n_items {
          if let job = m.items[index]?.pointee.job {
            found.jobs.append(String(cString: job.pointee.batch_id))
          }
        }
      }
      return found
    }
    let first = try submit(["a", "invalid", "b"])
    let second = try submit(["c"])
    #expect(first.jobs == [first.batch, first.batch] && second.jobs == [second.batch])
    #expect(first.batch != second.batch)
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_batch_request__init)
    message.pointee.batch_id = builder.text(first.batch)
    message.pointee.reason = builder.text("why")
    let answer = try #require(client.ask("CancelBatch", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_cancel_batch_response()) {
      (m: Qubus__V1__CancelBatchResponse) in
      #expect(m.before_start == 2 && m.during_run == 3 && m.too_late == 3)
    }
    message.pointee.batch_id = builder.text("018f3f5e-7c1a-7000-8000-0123456789ab")
    #expect(client.ask("CancelBatch", MessageBuilder.pack(message))?.code == .jobNotFound)
    #expect(client.ask("CancelBatch", [])?.code == .missingField)
  }

  @Test("a resubmit answers with the new job, which names the former one")
  func resubmit() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.service.add(status: .failed)
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__resubmit_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.idempotency_key = builder.text("known")
    let answer = try #require(client.ask("ResubmitJob", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_resubmit_job_response()) {
      (m: Qubus__V1__ResubmitJobResponse) in
      #expect(m.is_duplicate != 0)
      #expect(String(cString: m.job.pointee.resubmit_of) == id.description)
      #expect(String(cString: m.job.pointee.job_id) != id.description)
    }
    #expect(client.ask("ResubmitJob", [])?.code == .missingField)
    #expect(
      client.ask("ResubmitJob", Bodies.job("018f3f5e-7c1a-7000-8000-0123456789ab"))?.code
        == .jobNotFound)
  }

  @Test("a device that is drained is told as offline, with who, why and since when")
  func drained() throws {
    let drain = DeviceDrain(
      device: "sim", by: Principal(tenant: "t", project: "p", name: "root"), reason: "a leak",
      since: 7)
    try decoded(Responses.drain(of: "sim", drain), qubus_descriptor_drain_device_response()) {
      (m: Qubus__V1__DrainDeviceResponse) in
      #expect(String(cString: m.device) == "sim" && m.is_drained != 0 && m.drained_since == 7)
      #expect(String(cString: m.drained_by) == "t/p/root")
      #expect(String(cString: m.drain_reason) == "a leak")
    }
    try decoded(Responses.drain(of: "sim", nil), qubus_descriptor_drain_device_response()) {
      (m: Qubus__V1__DrainDeviceResponse) in
      #expect(m.is_drained == 0 && String(cString: m.drained_by).isEmpty)
      #expect(m.drain_choice_case == QUBUS__V1__DRAIN_DEVICE_RESPONSE__DRAIN_CHOICE__NOT_SET)
    }
    var report = DeviceReport(
      name: "sim", summary: "", qubitCount: 1, isSimulator: true, isIdeal: true, jobsQueued: 0,
      jobsRunning: 0, memoryLimitBytes: 0, instructionSet: "",
      supportsMidCircuitMeasurement: false, nativeGates: [], outputs: [])
    for (state, isDrained) in [
      (QUBUS__V1__DEVICE_STATE__DEVICE_STATE_ONLINE, false),
      (QUBUS__V1__DEVICE_STATE__DEVICE_STATE_OFFLINE, true),
    ] {
      report.drain = isDrained ? drain : nil
      try decoded(Responses.device(report), qubus_descriptor_get_device_response()) {
        (m: Qubus__V1__GetDeviceResponse) in
        let device = m.device.pointee
        #expect(device.state == state)
        #expect(String(cString: device.drain_reason) == (isDrained ? "a leak" : ""))
        #expect(device.drained_since == (isDrained ? 7 : 0))
      }
    }
  }
}
