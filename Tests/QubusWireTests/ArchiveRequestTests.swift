import CQubusProto
import QubusCore
import QubusTenancy
import Testing

@testable import QubusWire

@Suite("Requests about archives")
struct ArchiveRequestTests {
  private let decoder = RequestDecoder(limits: Limits())
  private static let id = "018f3f5e-7c1a-7000-8000-0123456789ab"

  private func refusal(_ body: () throws -> Void) -> QubusError? {
    do {
      try body()
      return nil
    } catch { return error as? QubusError }
  }

  @Test("an archive has a destination that is a name, or none")
  func archive() throws {
    func request(_ destination: String) throws -> ArchiveJobRequest {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__archive_job_request__init)
      message.pointee.job_id = builder.text(Self.id)
      message.pointee.destination = builder.text(destination)
      message.pointee.reason = builder.text("why")
      return try decoder.archiveJob(MessageBuilder.pack(message))
    }
    let named = try request("vault")
    #expect(named.jobID.description == Self.id)
    #expect(named.destination == "vault" && named.reason == "why")
    #expect(try request("").destination.isEmpty)
    #expect(refusal { _ = try request("a b") }?.code == .invalidName)
    #expect(refusal { _ = try decoder.archiveJob([]) }?.code == .missingField)
  }

  @Test("a chunk that comes back names its result by 32 bytes")
  func restore() throws {
    func request(_ hash: [UInt8]) throws -> RestoreJobRequest {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__restore_job_request__init)
      message.pointee.job_id = builder.text(Self.id)
      message.pointee.execution_hash = builder.data(hash)
      message.pointee.item = 3
      message.pointee.chunk = 4
      message.pointee.data = builder.data([5, 6])
      return try decoder.restoreJob(MessageBuilder.pack(message))
    }
    let hash = [UInt8](repeating: 9, count: 32)
    let good = try request(hash)
    #expect(good.executionHash == hash && good.data == [5, 6])
    #expect(good.item == 3 && good.chunk == 4)
    #expect(refusal { _ = try request([1]) }?.violations.map(\.field) == ["execution_hash"])
  }

  @Test("an export policy has its project and its destinations; removed, the project alone")
  func policy() throws {
    func order(
      _ project: String, _ destinations: [String], isRemoved: Bool = false
    ) throws -> TenancyOrder {
      let builder = MessageBuilder()
      let message = builder.make(qubus__v1__set_export_policy_request__init)
      let policy = builder.make(qubus__v1__export_policy__init)
      policy.pointee.tenant = builder.text("lab")
      policy.pointee.project = builder.text(project)
      (policy.pointee.n_destinations, policy.pointee.destinations) = builder.texts(destinations)
      message.pointee.policy = policy
      message.pointee.is_removed = isRemoved ? 1 : 0
      return try decoder.tenancyChange(.setExportPolicy, MessageBuilder.pack(message)).order
    }
    let key = ExportPolicy.Key(tenant: "lab", project: "qc")
    #expect(
      try order("qc", ["vault", "desk"])
        == .setExportPolicy(ExportPolicy(key: key, destinations: ["vault", "desk"])))
    #expect(try order("qc", [], isRemoved: true) == .removeExportPolicy(key))
    let none = refusal { _ = try order("qc", []) }
    #expect(none?.violations.map(\.field) == ["policy.destinations"])
    #expect(refusal { _ = try order("", ["vault"]) }?.code == .missingField)
    #expect(
      refusal { _ = try decoder.tenancyChange(.setExportPolicy, []) }?.code == .missingField)
  }
}
