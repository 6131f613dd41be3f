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

  static func exportPolicy(_ policy: ExportPolicy) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_export_policy_response__init)
    let part = builder.make(qubus__v1__export_policy__init)
    part.pointee.tenant = builder.text(policy.key.tenant)
    part.pointee.project = builder.text(policy.key.project)
    (part.pointee.n_destinations, part.pointee.destinations) = builder.texts(policy.destinations)
    message.pointee.policy = part
    return MessageBuilder.pack(message)
  }
}
