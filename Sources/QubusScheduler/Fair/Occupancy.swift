internal import QubusCore

/// A job that runs, and what its start was charged.
struct RunningJob: Sendable {
  var job: QueuedJob
  var checkpoint: Checkpoint?
  var charge: Charge
  var startedAt: Microseconds
  /// When others are asked again; nil for one that runs to its end.
  var sliceEndsAt: Microseconds?
  /// It was asked to make room at its next border.
  var isYielding = false
}

/// What of a device is taken, by whom, and until when that is expected.
struct Occupancy: Sendable {
  private struct End: Sendable {
    var time: Microseconds
    var id: Identifier
    var cores: Int
    var memoryBytes: UInt64

    func isBefore(_ time: Microseconds, _ id: Identifier) -> Bool {
      self.time != time ? self.time < time : self.id < id
    }
  }
  let cores: Int
  let memoryBytes: UInt64
  private(set) var freeCores: Int
  private(set) var freeMemoryBytes: UInt64
  private(set) var running: [Identifier: RunningJob] = [:]
  /// Earliest first; never more than there are cores.
  private var ends: [End] = []

  init(cores: Int, memoryBytes: UInt64) {
    self.cores = cores
    self.memoryBytes = memoryBytes
    freeCores = cores
    freeMemoryBytes = memoryBytes
  }

  func takes(_ job: QueuedJob) -> Bool {
    Int(job.cores) <= freeCores && job.memoryBytes <= freeMemoryBytes
  }

  mutating func start(_ new: RunningJob) {
    let job = new.job
    running[job.id] = new
    freeCores -= Int(job.cores)
    freeMemoryBytes -= job.memoryBytes
    let end = End(
      time: Self.expectedEnd(new), id: job.id, cores: Int(job.cores), memoryBytes: job.memoryBytes)
    ends.insert(end, at: place(end.time, end.id))
  }

  mutating func end(_ id: Identifier) -> RunningJob? {
    guard let ended = running.removeValue(forKey: id) else { return nil }
    freeCores += Int(ended.job.cores)
    freeMemoryBytes += ended.job.memoryBytes
    ends.remove(at: place(Self.expectedEnd(ended), id))
    return ended
  }

  mutating func askToYield(_ id: Identifier) { running[id]?.isYielding = true }

  private static func expectedEnd(_ running: RunningJob) -> Microseconds {
    let end = running.startedAt.addingReportingOverflow(running.job.long)
    return min(end.overflow ? .max : end.partialValue, running.sliceEndsAt ?? .max)
  }

  private func place(_ time: Microseconds, _ id: Identifier) -> Int {
    var (low, high) = (0, ends.count)
    while low < high {
      let middle = (low + high) / 2
      if ends[middle].isBefore(time, id) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// When a job that does not fit now will, and what others may take without making that later:
  /// the head's reservation. Runs that are longer than expected are taken to end next.
  /// - Source: Lifka 1995, "The ANL/IBM SP scheduling system" (EASY backfill).
  func room(beside head: QueuedJob, now: Microseconds) -> Room {
    var (cores, memory) = (freeCores, freeMemoryBytes)
    var reservation = Microseconds.max
    for end in ends {
      let fits = Int(head.cores) <= cores && head.memoryBytes <= memory
      if fits && end.time > reservation { break }
      cores += end.cores
      memory += end.memoryBytes
      if !fits { reservation = max(end.time, now + 1) }
    }
    return Room(
      cores: freeCores, memoryBytes: freeMemoryBytes, window: reservation - now,
      spareCores: cores - Int(head.cores), spareMemoryBytes: memory - head.memoryBytes)
  }
}
