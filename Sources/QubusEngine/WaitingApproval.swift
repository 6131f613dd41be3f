internal import QubusCore
internal import QubusJobs

/// What is kept in memory of a job that waits for somebody's word; the job itself may be on the
/// disk only.
struct WaitingApproval: Sendable {
  var principal: Principal
  var device: String
  var experimentClass: String
  /// In words.
  var causes: [String]
  var since: Microseconds
  /// When its own time to live or deadline is over.
  var jobExpiresAt: Microseconds?
}
