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
  /// Predicted run time.
  package var predictedMicroseconds: Microseconds
  /// The job leaves, queued or running, at this time.
  package var expiresAt: Microseconds?
  /// Longest run time of one attempt.
  package var runLimitMicroseconds: Microseconds?
  /// Number of its device; the calendar's windows name the same.
  package var device: UInt16
  /// It stands in the lane of reservations for now, as its device is its own.
  var isReserved = false

  package init(
    id: Identifier, tenant: String = "", project: String = "", principal: String = "",
    lane: Lane, cores: CoreDemand = .one, memoryBytes: UInt64 = 0,
    predictedMicroseconds: Microseconds = 0, expiresAt: Microseconds? = nil,
    runLimitMicroseconds: Microseconds? = nil, device: UInt16 = 0
  ) {
    self.id = id
    self.tenant = tenant
    self.project = project
    self.principal = principal
    self.lane = lane
    self.cores = cores
    self.memoryBytes = memoryBytes
    self.predictedMicroseconds = predictedMicroseconds
    self.expiresAt = expiresAt
    self.runLimitMicroseconds = runLimitMicroseconds
    self.device = device
  }
}

extension SchedulerJob {
  /// Run time that nine of ten runs stay below, as far as is known: twice what is predicted.
  var longMicroseconds: Microseconds {
    let long = predictedMicroseconds.multipliedReportingOverflow(by: 2)
    return long.overflow ? .max : long.partialValue
  }
}
