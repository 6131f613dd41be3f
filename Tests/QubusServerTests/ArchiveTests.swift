import CQubusProto
import QubusCore
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: archives")
struct ArchiveTests {
  private func finished(_ fixture: Fixture) -> Identifier {
    let id = fixture.service.add()
    fixture.service.setResult(id, chunks: [[1, 2, 3]])
    fixture.service.append(id, .succeeded)
    return id
  }

  private func archive(_ id: Identifier) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__archive_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.destination = builder.text("vault")
    return MessageBuilder.pack(message)
  }

  private func restore(_ id: Identifier, _ data: [UInt8], reason: String = "") -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__restore_job_request__init)
    message.pointee.job_id = builder.text(id.description)
    message.pointee.execution_hash = builder.data([UInt8](repeating: 1, count: 32))
    message.pointee.chunk = 2
    message.pointee.data = builder.data(data)
    message.pointee.reason = builder.text(reason)
    return MessageBuilder.pack(message)
  }

  @Test("an archive answers programs, manifest, provenance and who made it")
  func archives() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let id = finished(fixture)
    let client = fixture.client(fixture.admission.add("rita", .reviewer))
    let answer = try #require(client.ask("ArchiveJob", archive(id)))
    #expect(answer.isOK)
    try decoded(answer.body, qubus_descriptor_archive_job_response()) {
      (m: Qubus__V1__ArchiveJobResponse) in
      #expect(m.n_programs == 2 && m.programs[0].len == 5 && m.programs[1].len == 0)
      #expect(m.manifest.pointee.n_items == 1 && m.archived_at == 7)
      #expect(String(cString: m.provenance.pointee.job_id) == id.description)
      #expect(String(cString: m.archived_by).hasSuffix("/rita"))
    }
    let viewer = fixture.client(fixture.admission.add("vic", .viewer))
    #expect(viewer.ask("ArchiveJob", archive(id))?.code == .permissionDenied)
  }

  @Test("a restored chunk answers what is missing; other bytes are refused")
  func restores() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let id = finished(fixture)
    let client = fixture.client(fixture.admission.add("sam", .submitter))
    for reason in ["", "again"] {
      let answer = try #require(
        client.ask("RestoreJob", restore(id, [1, 2, 3], reason: reason)))
      try decoded(answer.body, qubus_descriptor_restore_job_response()) {
        (m: Qubus__V1__RestoreJobResponse) in
        #expect(m.chunks_missing == 2 && (m.was_there != 0) == (reason == "again"))
        #expect(String(cString: m.job.pointee.job_id) == id.description)
      }
    }
    #expect(client.ask("RestoreJob", restore(id, [9]))?.code == .archiveDamaged)
    let viewer = fixture.client(fixture.admission.add("vic", .viewer))
    #expect(viewer.ask("RestoreJob", restore(id, [1, 2, 3]))?.code == .permissionDenied)
  }
}
