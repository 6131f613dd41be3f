package import QubusCore

/// The lifecycle's states; raw values are those of the wire's `JobStatus`.
package enum JobStatus: UInt8, Sendable, Hashable, CaseIterable {
  case accepted = 1
  case queued = 2
  case reserved = 3
  case running = 4
  case processingResults = 5
  case succeeded = 6
  case failed = 7
  case canceled = 8
  case expired = 9

  /// The word used everywhere.
  package var word: String {
    switch self {
    case .processingResults: "processing_results"
    case .accepted, .queued, .reserved, .running, .succeeded, .failed, .canceled, .expired:
      String(describing: self)
    }
  }

  package var isTerminal: Bool {
    switch self {
    case .succeeded, .failed, .canceled, .expired: true
    case .accepted, .queued, .reserved, .running, .processingResults: false
    }
  }

  /// The states that may follow; everything else is illegal.
  package var successors: [JobStatus] {
    switch self {
    case .accepted: [.queued, .failed, .canceled, .expired]
    case .queued: [.reserved, .failed, .canceled, .expired]
    case .reserved: [.running, .queued, .failed, .canceled, .expired]
    case .running: [.processingResults, .queued, .failed, .canceled, .expired]
    case .processingResults: [.succeeded, .queued, .failed, .canceled]
    case .succeeded, .failed, .canceled, .expired: []
    }
  }

  /// The one place where an illegal move fails.
  /// - Throws: `illegal_transition`, or `job_already_finished` from a terminal state.
  package func validateMove(to next: JobStatus) throws(QubusError) {
    guard !isTerminal else {
      throw QubusError(.jobAlreadyFinished, "the job is \(word) and cannot become \(next.word)")
    }
    guard successors.contains(next) else {
      throw QubusError(.illegalTransition, "a job that is \(word) cannot become \(next.word)")
    }
  }
}

/// Why a job is in its state; stored with the state and in the event. Empty is none.
package enum JobReason {
  package static let interrupted = "INTERRUPTED"
  package static let paused = "PAUSED"
  /// An operator keeps it from its start.
  package static let held = "HELD"
  /// Waits for other jobs to end.
  package static let dependency = "DEPENDENCY"
  /// Ended because one that had to succeed first did not.
  package static let dependencyFailed = "DEPENDENCY_FAILED"
  package static let preempted = "PREEMPTED"
  package static let canceledByClient = "CANCELED_BY_CLIENT"
  package static let timeToLive = "TTL"
  package static let deadline = "DEADLINE"
  package static let capacity = "CAPACITY"
  /// Waits while others of its tenant, project or principal run.
  package static let quota = "QUOTA"
  /// Waits while nothing starts on its device; told, not stored.
  package static let deviceOffline = "DEVICE_OFFLINE"
  /// The device is somebody else's, or will be before it would end. Of a notice: it is its owner's.
  package static let reserved = "RESERVED"
  package static let maintenance = "MAINTENANCE"
  package static let calibration = "CALIBRATION"
  /// Waits for somebody's word, or ended because nobody gave it.
  package static let approval = "APPROVAL"
  package static let approvalRefused = "APPROVAL_REFUSED"
  /// Of a notice: something of the job expires, or has expired and gone.
  package static let retention = "RETENTION"
}
