package import QubusCore

/// What a preempted job goes on from, so that its result is the one it would have had alone. The
/// scheduler carries it and never looks inside.
package struct Checkpoint: Sendable, Hashable {
  package var shotsDone: UInt64
  /// Position of the counter-based random stream.
  package var streamPosition: UInt64
  /// Where the owner keeps the histogram of the shots done.
  package var histogram: UInt64
  package var calibrationEpoch: UInt64

  package init(
    shotsDone: UInt64, streamPosition: UInt64 = 0, histogram: UInt64 = 0,
    calibrationEpoch: UInt64 = 0
  ) {
    self.shotsDone = shotsDone
    self.streamPosition = streamPosition
    self.histogram = histogram
    self.calibrationEpoch = calibrationEpoch
  }
}

/// A rigid job: it takes all its cores and memory at once, for as long as it runs.
package struct FairJob: Sendable, Hashable {
  package var id: Identifier
  package var account: AccountPath
  package var lane: Lane
  /// Cores of a simulator, processors of a cluster, 1 on a quantum processor.
  package var cores: Int
  package var memoryBytes: UInt64
  package var submittedAt: Microseconds
  /// Median of the predicted run time; 0 when nothing is known.
  package var expectedMicroseconds: Microseconds
  /// Run time that nine of ten such jobs do not exceed; decides what may run before the head.
  package var longMicroseconds: Microseconds
  /// When it should have ended; it goes to the overdue lane in time for it.
  package var deadline: Microseconds?
  /// Whether it can be stopped at a border of chunks and go on later.
  package var isPreemptible: Bool
  /// Time that it has run, and where it goes on from.
  package var attainedMicroseconds: Microseconds
  package var checkpoint: Checkpoint?

  package init(
    id: Identifier, account: AccountPath, lane: Lane = .batch, cores: Int = 1,
    memoryBytes: UInt64 = 0, submittedAt: Microseconds, expectedMicroseconds: Microseconds = 0,
    longMicroseconds: Microseconds? = nil, deadline: Microseconds? = nil,
    isPreemptible: Bool = false, attainedMicroseconds: Microseconds = 0,
    checkpoint: Checkpoint? = nil
  ) {
    self.id = id
    self.account = account
    self.lane = lane
    self.cores = cores
    self.memoryBytes = memoryBytes
    self.submittedAt = submittedAt
    self.expectedMicroseconds = expectedMicroseconds
    self.longMicroseconds = max(longMicroseconds ?? expectedMicroseconds, 0)
    self.deadline = deadline
    self.isPreemptible = isPreemptible
    self.attainedMicroseconds = attainedMicroseconds
    self.checkpoint = checkpoint
  }
}
