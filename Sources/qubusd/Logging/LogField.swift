/// Everything that a log line may hold besides its time, level, logger and message: ids, sizes,
/// names and hashes. A field that is not here is left out and counted, so that program text,
/// results, keys and tokens cannot get into a log by a careless line.
enum LogField: String, CaseIterable, Sendable {
  // Who, what, where
  case traceID = "trace_id"
  case jobID = "job_id"
  case sessionID = "session_id"
  case optimizationID = "optimization_id"
  case principal
  case tenant
  case project
  case uid
  case method
  /// Kind and id of what a method was about.
  case subject
  case status
  case lane
  case device
  case endpoints
  case dataDirectory = "data_dir"
  case see
  case signal
  case version
  /// Name and number of an error; its message only where it speaks of the service
  /// (`QubusError.logText`).
  case error
  /// What is wrong with the audit, and its first record that does not follow.
  case explanation
  case record
  // How much
  case count
  case sessions
  case jobsAbandoned = "jobs_abandoned"
  case suppressed
  case inUse = "in_use"
  case limit
  case threads
  case memoryBytes = "memory_bytes"
  case residentBytes = "resident_bytes"
  case capBytes = "cap_bytes"
  /// Micro-units of a budget.
  case cap
  case used
  // At rest
  case encryption
  case masterKey = "master_key"

  /// Characters kept of a value; a path is the longest that there is.
  static let characterLimit = 4096
}
