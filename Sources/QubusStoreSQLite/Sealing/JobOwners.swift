internal import QubusCore
internal import QubusJobs

/// Tenants of the jobs that were accepted and have not ended: their changes are sealed before the
/// writer sees them, and may follow an accept that is not yet in the database.
final class JobOwners: Sendable {
  private let tenants = Lock<[Identifier: String]>([:])

  subscript(job: Identifier) -> String? { tenants.withLock { $0[job] } }

  func note(_ record: JobRecord) {
    tenants.withLock { $0[record.id] = record.principal.tenant }
  }

  /// When the job is in the database for good, or never will be.
  func forget(_ job: Identifier) { tenants.withLock { _ = $0.removeValue(forKey: job) } }
}
