import CQubusProto
import QubusCore
import QubusJobs
import Testing

@testable import QubusWire

@Suite("Requests that change what becomes of jobs")
struct ControlRequestTests {
  private let decoder = RequestDecoder(limits: Limits())
  private let id = Identifier(high: 0x0192_0000_0000_7000, low: 5)

  private func refusal(_ body: () throws -> Void) -> QubusError? {
    do {
      try body()
      return nil
    } catch { return error as? QubusError }
  }

  private func change(
    _ edit: (inout Qubus__V1__ChangeJobRequest, borrowing MessageBuilder) -> Void
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__change_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    edit(&message.pointee, builder)
    return MessageBuilder.pack(message)
  }

  @Test("of a change what is not named is nil; a priority of 0 is one")
  func changes() throws {
    let none = try decoder.changeJob(change { _, _ in })
    #expect(
      none == ChangeJobRequest(jobID: id, lane: nil, priority: nil, device: nil, reason: ""))
    let all = try decoder.changeJob(
      change { message, builder in
        message.lane = builder.text("long")
        message.priority_choice_case = QUBUS__V1__CHANGE_JOB_REQUEST__PRIORITY_CHOICE_PRIORITY
        message.priority = 0
        message.device = builder.text("sim.a")
        message.reason = builder.text("why")
      })
    #expect(
      all == ChangeJobRequest(jobID: id, lane: "long", priority: 0, device: "sim.a", reason: "why"))
    let negative = try decoder.changeJob(
      change { message, _ in
        message.priority_choice_case = QUBUS__V1__CHANGE_JOB_REQUEST__PRIORITY_CHOICE_PRIORITY
        message.priority = -10
      })
    #expect(negative.priority == -10)
    let long = String(repeating: "x", count: 2000)
    for (field, bytes) in [
      ("reason", change { $0.reason = $1.text(long) }),
      ("lane", change { $0.lane = $1.text(long) }),
      ("device", change { $0.device = $1.text(long) }),
      ("job_id", change { $0.job_id = $1.text("nonsense") }),
    ] {
      #expect(
        refusal { _ = try decoder.changeJob(bytes) }?.violations.first?.field == field)
    }
    #expect(refusal { _ = try decoder.changeJob([]) }?.code == .missingField)
  }

  @Test("batches and resubmits are named by ids")
  func ids() throws {
    let builder = MessageBuilder()
    let batch = builder.make(qubus__v1__cancel_batch_request__init)
    batch.pointee.batch_id = builder.text(id.description)
    batch.pointee.reason = builder.text("why")
    #expect(
      try decoder.cancelBatch(MessageBuilder.pack(batch))
        == CancelBatchRequest(batchID: id, reason: "why"))
    batch.pointee.batch_id = builder.text("nonsense")
    #expect(
      refusal { _ = try decoder.cancelBatch(MessageBuilder.pack(batch)) }?.code
        == .invalidIdentifier)
    #expect(refusal { _ = try decoder.cancelBatch([]) }?.violations.first?.field == "batch_id")
    let again = builder.make(qubus__v1__resubmit_job_request__init)
    again.pointee.job_id = builder.text(id.description)
    again.pointee.idempotency_key = builder.text("key")
    #expect(
      try decoder.resubmitJob(MessageBuilder.pack(again))
        == ResubmitJobRequest(jobID: id, idempotencyKey: "key"))
    #expect(refusal { _ = try decoder.resubmitJob([]) }?.code == .missingField)
    let list = builder.make(qubus__v1__list_jobs_request__init)
    #expect(try decoder.listJobs(MessageBuilder.pack(list)).batch == nil)
    list.pointee.batch_id = builder.text(id.description)
    #expect(try decoder.listJobs(MessageBuilder.pack(list)).batch == id)
    list.pointee.batch_id = builder.text("nonsense")
    #expect(
      refusal { _ = try decoder.listJobs(MessageBuilder.pack(list)) }?.violations.first?.field
        == "batch_id")
  }
}
