internal import QubusCore

/// A waiting job as the queue keeps it: numbers only.
struct QueuedJob: Sendable {
  var id: Identifier
  var submittedAt: Microseconds
  /// When it goes to the overdue lane.
  var overdueAt: Microseconds
  var expected: Microseconds
  /// Longest that it holds its cores before it ends or can be asked to go, as far as is known.
  var long: Microseconds
  var attained: Microseconds
  var memoryBytes: UInt64
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
  /// Number of the device that it is to run on.
  var device: UInt16 = 0
  var priority: Int8 = 0

  /// Core-microseconds that are left, as far as is known; cut at 1,200 core-hours, so that sums
  /// over a million jobs hold.
  var work: Int64 {
    let left = max(0, expected - attained)
    let work = left.multipliedReportingOverflow(by: Int64(cores))
    return work.overflow ? 1 << 42 : min(work.partialValue, 1 << 42)
  }
}

/// A waiting job's place in a search tree, apart from the rest, so that a walk touches little.
struct JobLink: Sendable {
  /// Order in the tree, earliest first; jobs of one time go by id.
  var dueAt: Microseconds
  /// Trees are balanced by a hash of the id, which the service draws.
  var priority: UInt32
  var left = JobSlab.none
  var right = JobSlab.none
  /// Of the tree below, this one included: jobs, smallest demands, core-microseconds.
  var size: UInt32 = 1
  var leastCores: UInt32
  /// In milliseconds, rounded down: half the room, and good enough to leave a tree out.
  var leastLong: UInt32
  var work: Int64

  init(_ job: QueuedJob, dueAt: Microseconds) {
    self.dueAt = dueAt
    var z = job.id.low &+ job.id.high &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    priority = UInt32(truncatingIfNeeded: z >> 32)
    leastCores = job.cores
    work = job.work
    leastLong = Self.milliseconds(job.long)
  }
}

extension JobLink {
  static func milliseconds(_ time: Microseconds) -> UInt32 {
    UInt32(clamping: time / 1000)
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
  func mayTakeSome(below link: JobLink) -> Bool {
    Int(link.leastCores) <= cores
      && (Microseconds(link.leastLong) * 1000 <= window || Int(link.leastCores) <= spareCores)
  }
}
