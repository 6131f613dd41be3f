import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: quotas and approvals")
struct QuotaTests {
  private static let lab = QuotaScope.tenant("lab")

  private func fixture(_ quotas: QuotaKeeper = QuotaKeeper()) throws -> Fixture {
    try Fixture(endpoints: ["curve://127.0.0.1:0"], quotas: quotas)
  }

  private func keeper(_ quota: Quota, _ limit: Int64) -> QuotaKeeper {
    QuotaKeeper([QuotaRecord(scope: Self.lab, quota: quota, limit: limit)])
  }

  @Test("calls beyond the rate are refused with the time to wait; others' are not, nor Hello")
  func rate() throws {
    let quotas = keeper(.requestsPerSecond, 1)
    let fixture = try fixture(quotas)
    let client = fixture.client(fixture.admission.add("vic", .viewer))
    let answers = (0..<6).compactMap { _ in client.ask("ListDevices") }
    let refused = answers.filter { $0.code == .rateLimited }
    #expect(answers.count == 6 && answers[0].isOK && !refused.isEmpty)
    let error = try #require(refused.first?.envelope.status?.error)
    #expect(error.details["limit"] == "1" && error.details["scope"] == "lab")
    #expect(error.retryAfterMilliseconds.map { (1...1000).contains($0) } == true)
    quotas.apply([.setQuota(Self.lab, .requestsPerSecond, limit: 0)])
    #expect(client.ask("ListDevices")?.code == .rateLimited)
    #expect(client.ask("Hello")?.isOK == true)
    // Over ipc comes somebody of another tenant.
    let other = fixture.client()
    for _ in 0..<6 { #expect(other.ask("ListDevices")?.isOK == true) }
    quotas.apply([.setQuota(Self.lab, .requestsPerSecond, limit: nil)])
    for _ in 0..<6 { #expect(client.ask("ListDevices")?.isOK == true) }
  }

  @Test("a stream over its rate waits, its connection goes on, and it resumes without a loss")
  func stream() throws {
    let quotas = keeper(.streamBytesPerSecond, 0)
    let fixture = try fixture(quotas)
    let client = fixture.client(fixture.admission.add("vic", .viewer))
    let id = fixture.service.add()
    fixture.service.append(id, .queued, .reserved, .running, .processingResults, .succeeded)
    let watch = client.call("WatchJob", Bodies.watch(id))
    for _ in 0..<3 {
      let answer = try #require(client.ask("ListDevices"))
      #expect(answer.isOK && answer.envelope.callID != watch)
    }
    quotas.apply([.setQuota(Self.lab, .streamBytesPerSecond, limit: 1_000_000)])
    var sequences: [UInt64] = []
    while true {
      let message = try #require(client.receive())
      #expect(message.envelope.callID == watch)
      if message.envelope.kind == .final { break }
      sequences.append(message.envelope.streamSequence)
    }
    #expect(sequences == [1, 2, 3, 4, 5])
  }

  @Test("approvals are listed page by page, and decided with their words")
  func approvals() throws {
    let fixture = try fixture()
    let client = fixture.client(fixture.admission.add("ada", .approver))
    let ids = (0..<3).map { _ in fixture.service.add() }
    func page(_ token: String) throws -> (ids: [String], next: String, policies: Int) {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__list_approvals_request__init)
      message.pointee.page_size = 2
      message.pointee.page_token = builder.text(token)
      let answer = try #require(client.ask("ListApprovals", MessageBuilder.pack(message)))
      #expect(answer.isOK)
      return try decoded(answer.body, qubus_descriptor_list_approvals_response()) {
        (m: Qubus__V1__ListApprovalsResponse) in
        let found = (0..<m.n_approvals).compactMap { m.approvals[$0] }
        #expect(found.allSatisfy { $0.pointee.n_causes == 1 && $0.pointee.expires_at == 7 })
        return (
          found.map { String(cString: $0.pointee.job.pointee.job_id) },
          String(cString: m.next_page_token), m.n_policies
        )
      }
    }
    let first = try page("")
    #expect(first.ids == ids.prefix(2).map(\.description) && first.policies == 1)
    let second = try page(first.next)
    #expect(second.ids == [ids[2].description] && second.next.isEmpty)
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__approve_job_request__init)
    message.pointee.job_id = builder.text(ids[0].description)
    message.pointee.action = builder.text("refuse")
    message.pointee.reason = builder.text("no")
    let answer = try #require(client.ask("ApproveJob", MessageBuilder.pack(message)))
    try decoded(answer.body, qubus_descriptor_approve_job_response()) {
      (m: Qubus__V1__ApproveJobResponse) in
      #expect(String(cString: m.job.pointee.reason) == "refuse no")
    }
    let viewer = fixture.client(fixture.admission.add("vic", .viewer))
    #expect(viewer.ask("ListApprovals")?.code == .permissionDenied)
    #expect(
      viewer.ask("ApproveJob", MessageBuilder.pack(message))?.code == .permissionDenied)
  }
}
