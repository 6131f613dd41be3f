internal import QubusCore

/// A waiting job as the queue keeps it: numbers only, with its place in a search tree, 152 bytes.
struct QueuedJob: Sendable {
  var id: Identifier
  var submittedAt: Microseconds
  /// Order in its tree, earliest first; jobs of one time go by id.
  var dueAt: Microseconds
  /// When it goes to the overdue lane.
  var overdueAt: Microseconds
  var expected: Microseconds
  var long: Microseconds
  var attained: Microseconds
  var memoryBytes: UInt64
  /// Kept for the owner; `.max` for none.
  var expiresAt: Microseconds = .max
  var runLimit: Microseconds = .max
  var cores: UInt32
  /// The node of its principal in its own lane.
  var leaf: UInt32
  var lane: Lane
  /// Slices it has had, for their length.
  var slices: UInt8 = 0
  var isPreemptible = false
  var isOverdue = false
  /// It was submitted for all cores, however many there are.
  var takesAll = false

  var left = JobSlab.none
  var right = JobSlab.none
  /// Of the tree below, this one included: jobs, core-seconds, smallest demands.
  var size: UInt32 = 1
  var leastCores: UInt32
  var leastLong: Microseconds
  var work: Double

  /// Core-seconds that are left, as far as is known.
  var ownWork: Double { Double(max(0, expected - attained)) * 1e-6 * Double(cores) }

  /// Jobs in a tree are balanced by a hash of their ids, which the service draws.
  var priority: UInt64 {
    var z = id.low &+ id.high &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  func isBefore(_ other: QueuedJob) -> Bool {
    dueAt != other.dueAt ? dueAt < other.dueAt : id < other.id
  }
}

/// What is free now, and what stays free beside the head's reservation.
struct Room: Sendable {
  var cores: Int
  var memoryBytes: UInt64
  /// Jobs that end within this time delay nobody.
  var window: Microseconds = .max
  /// Longer ones must leave the head what it will need.
  var spareCores = Int.max
  var spareMemoryBytes = UInt64.max

  func takes(_ job: QueuedJob) -> Bool {
    guard Int(job.cores) <= cores, job.memoryBytes <= memoryBytes else { return false }
    return job.long <= window
      || Int(job.cores) <= spareCores && job.memoryBytes <= spareMemoryBytes
  }

  /// False when nothing below this one can fit.
  func mayTakeSome(below job: QueuedJob) -> Bool {
    Int(job.leastCores) <= cores
      && (job.leastLong <= window || Int(job.leastCores) <= spareCores)
  }
}
