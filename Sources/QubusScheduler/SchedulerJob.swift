package import QubusCore

/// A queue class with its own order and its own bound.
package enum Lane: String, Sendable, Hashable, CaseIterable, Codable {
  /// Jobs of holders of a reservation, in its window.
  case reserved
  /// Where jobs of any lane go that waited as long as their lane lets them: earliest due first.
  case overdue
  /// Small jobs that somebody waits for.
  case interactive
  case batch
  /// Large jobs in the background.
  case long
}

/// How many compute slots a job takes while it runs.
package enum CoreDemand: UInt8, Sendable, Hashable {
  case one
  case all
}

/// All that the scheduler knows of a job: numbers, never circuits.
package struct SchedulerJob: Sendable, Hashable {
  package var id: Identifier
  package var tenant: String
  package var project: String
  package var principal: String
  package var lane: Lane
  package var cores: CoreDemand
  package var memoryBytes: UInt64
  /// Median of the predicted run time.
  package var predictedMicroseconds: Microseconds
  /// Run time that nine of ten such jobs do not exceed; never below the median.
  package var longMicroseconds: Microseconds
  /// When it should have ended; it goes to the overdue lane in time for that.
  package var deadline: Microseconds?
  /// The job leaves, queued or running, at this time.
  package var expiresAt: Microseconds?
  /// Longest run time of one attempt.
  package var runLimitMicroseconds: Microseconds?
  /// Number of the device that it is to run on.
  package var device: UInt16
  /// Of two waiting jobs of one principal and lane the higher one goes first, as long as none is
  /// overdue; between principals it does not count.
  package var priority: Int8

  package static let priorities = -10...10
  /// It stands in the lane of reservations for now, as its device is its own.
  var isReserved = false

  package init(
    id: Identifier, tenant: String = "", project: String = "", principal: String = "",
    lane: Lane, cores: CoreDemand = .one, memoryBytes: UInt64 = 0,
    predictedMicroseconds: Microseconds = 0, longMicroseconds: Microseconds? = nil,
    deadline: Microseconds? = nil, expiresAt: Microseconds? = nil,
    runLimitMicroseconds: Microseconds? = nil,
    device: UInt16 = 0, priority: Int8 = 0
  ) {
    self.id = id
    self.tenant = tenant
    self.project = project
    self.principal = principal
    self.lane = lane
    self.cores = cores
    self.memoryBytes = memoryBytes
    self.predictedMicroseconds = predictedMicroseconds
    self.longMicroseconds = max(longMicroseconds ?? predictedMicroseconds, predictedMicroseconds)
    self.deadline = deadline
    self.expiresAt = expiresAt
    self.runLimitMicroseconds = runLimitMicroseconds
    self.device = device
    self.priority = priority
  }
}
