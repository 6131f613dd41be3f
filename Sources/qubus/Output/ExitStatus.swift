internal import QubusClient

/// What the process ends with; numbers of sysexits(3) where one fits. Documented in docs/cli.md.
enum ExitStatus: Int32 {
  case success = 0
  /// Wrong use of the command line.
  case usage = 64
  /// The request or the program is wrong: class validation.
  case dataError = 65
  /// A file cannot be read.
  case noInput = 66
  /// No daemon, or it cannot serve: class backend, and failed connections.
  case unavailable = 69
  /// The job failed, was canceled or expired; or the daemon has a fault: classes execution,
  /// internal.
  case failed = 70
  /// The state of the job or key forbids it: class conflict.
  case conflict = 73
  /// Results or answers were damaged: class post-processing, the other client errors.
  case inputOutput = 74
  /// Later it may work: class quota, and time-outs.
  case temporary = 75
  /// Not allowed, or not there for this user: class auth.
  case noPermission = 77
  /// Ended by Ctrl-C.
  case interrupted = 130

  init(_ error: ClientError) {
    switch error.name {
    case "connection_failed", "connection_lost": self = .unavailable
    case "deadline_exceeded": self = .temporary
    case "invalid_argument": self = .usage
    case "archive_damaged": self = .inputOutput
    case "archive_conflict": self = .conflict
    default: self.init(errorClass: error.errorClass)
    }
  }

  init(errorClass: String) {
    switch errorClass {
    case "validation": self = .dataError
    case "auth": self = .noPermission
    case "quota": self = .temporary
    case "conflict": self = .conflict
    case "backend": self = .unavailable
    case "execution", "internal": self = .failed
    case "post-processing", "client": self = .inputOutput
    // A class of a newer catalogue: not a success, and nothing better is known.
    default: self = .failed
    }
  }

  /// The status for a job that ended so.
  init(_ status: JobStatus) {
    switch status {
    case .succeeded: self = .success
    case .failed, .canceled, .expired, .accepted, .queued, .reserved, .running,
      .processingResults, .unknown:
      self = .failed
    }
  }
}

/// A failure that arose in the command line itself.
struct UsageFailure: Error {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }
}

/// Ends the process with a status, everything having been said.
struct SilentExit: Error {
  let status: ExitStatus
}
