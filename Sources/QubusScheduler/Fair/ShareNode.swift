/// One flow at one level of the fair queue: a lane of the device, or a tenant, a project or a
/// principal in a lane.
struct ShareNode: Sendable {
  /// Its parent; none for the device.
  var parent: UInt32
  /// Number in the usage history; nil for the device and lanes, whose weights are fixed.
  var account: Int?
  /// Of a lane; of others the history knows it.
  var fixedWeight: Double
  /// Virtual start time of what it is served next: device-seconds over weight.
  var tag = 0.0
  /// Largest start tag served below it.
  var virtualTime = 0.0
  /// Place in the parent's heap; none while nothing waits below it.
  var place = JobSlab.none
  /// Nodes below it with something waiting, a heap by tag.
  var waiting: [UInt32] = []
  /// Weights of `waiting`, without the history.
  var waitingWeight = 0.0
  /// Tree of the jobs that wait right here: of a principal, or of the overdue lane.
  var jobs = JobSlab.none
  /// Everything that waits below: jobs and their core-microseconds.
  var count = 0
  var work: Int64 = 0

  var isWaiting: Bool { place != JobSlab.none }
}
