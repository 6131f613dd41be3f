internal import CQubusProto
internal import QubusEngine
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about archives.
extension Responses {
  static func archive(_ report: ArchiveReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__archive_job_response__init)
    message.pointee.job = builder.job(report.job)
    (message.pointee.n_programs, message.pointee.programs) = builder.binaries(report.programs)
    message.pointee.manifest = builder.manifest(report.manifest)
    message.pointee.provenance = builder.provenance(report.provenance)
    message.pointee.archived_by = builder.text(report.archivedBy.text)
    message.pointee.archived_at = report.archivedAt
    return MessageBuilder.pack(message)
  }

  static func restore(_ report: RestoreReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__restore_job_response__init)
    message.pointee.job = builder.job(report.job)
    message.pointee.chunks_missing = UInt64(clamping: report.chunksMissing)
    message.pointee.was_there = report.wasThere ? 1 : 0
    return MessageBuilder.pack(message)
  }

  /// Of ListExportPolicies, and of SetExportPolicy, whose one field has the number of their list.
  static func exportPolicies(_ policies: [ExportPolicy], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_export_policies_response__init)
    (message.pointee.n_policies, message.pointee.policies) = builder.list(policies) {
      builder.exportPolicy($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func exportPolicy(
    _ policy: ExportPolicy
  ) -> UnsafeMutablePointer<Qubus__V1__ExportPolicy> {
    let message = make(qubus__v1__export_policy__init)
    message.pointee.tenant = text(policy.key.tenant)
    message.pointee.project = text(policy.key.project)
    (message.pointee.n_destinations, message.pointee.destinations) = texts(policy.destinations)
    return message
  }
}
