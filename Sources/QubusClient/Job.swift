internal import CQubus

/// A job on the server. Dropping the handle changes nothing there.
public final class Job: Sendable {
  /// What a cancel came to.
  public struct Cancellation: Sendable, Hashable {
    /// When the cancel reached the job.
    public enum Outcome: String, Sendable, Hashable {
      /// It never ran.
      case beforeStart = "before_start"
      /// It was running; shots done so far are kept and charged.
      case duringRun = "during_run"
      /// It had already ended.
      case tooLate = "too_late"
    }
    /// When the cancel reached the job.
    public let outcome: Outcome
    /// Shots done and charged, of `duringRun`.
    public let shotsDone: UInt64
  }

  let handle: Handle
  /// The connection the job was made on.
  public let client: Client

  init(_ handle: Handle, client: Client) {
    self.handle = handle
    self.client = client
  }

  /// The job's id: a UUID of version 7, sortable by time.
  public var id: String { String(cString: qubus_job_id(handle.pointer)) }

  /// True when the submit found this job by its idempotency key and made nothing new.
  public var isDuplicate: Bool { qubus_job_is_duplicate(handle.pointer) != 0 }

  /// The status now.
  /// - Throws: `job_not_found`.
  public func status(timeout: Duration = .seconds(30)) throws(ClientError) -> JobStatus {
    var status: Int32 = 0
    try callLibrary { qubus_job_status(handle.pointer, timeout.milliseconds, &status, $0) }
    return JobStatus(status)
  }

  /// The whole job (message Job).
  public func describe(timeout: Duration = .seconds(30)) throws(ClientError) -> JSONValue {
    try json(try text { qubus_job_describe(handle.pointer, timeout.milliseconds, $0, $1) })
  }

  /// The error of a failed job; nil when it has none.
  public func failure(timeout: Duration = .seconds(30)) throws(ClientError) -> ClientError? {
    let job = try describe(timeout: timeout)
    guard let error = job["error"], (error["number"]?.integer ?? 0) != 0 else { return nil }
    return ClientError(job: error)
  }

  /// Waits for a terminal status; survives reconnects and restarts of the daemon.
  /// - Parameter timeout: nil waits for ever.
  /// - Throws: `deadline_exceeded` when the time passed; the job goes on.
  public func wait(timeout: Duration? = nil) throws(ClientError) -> JobStatus {
    var status: Int32 = 0
    try callLibrary { qubus_job_wait(handle.pointer, timeout.timeoutMilliseconds, &status, $0) }
    return JobStatus(status)
  }

  /// Waits for the end and fetches the result.
  /// - Throws: a failed job's own error; `execution_canceled` for a canceled job without a partial
  ///   result; `deadline_exceeded`.
  public func result(timeout: Duration? = nil) throws(ClientError) -> JobResult {
    JobResult(
      try Handle.make(release: { qubus_result_free($0) }) {
        qubus_job_result(handle.pointer, timeout.timeoutMilliseconds, $0, $1)
      })
  }

  /// Fetches the result of a job that has ended, without waiting for an end.
  /// - Parameter timeout: for the transfer.
  /// - Throws: `result_not_ready`, which names the state, and as `result(timeout:)`.
  public func resultIfReady(timeout: Duration = .seconds(600)) throws(ClientError) -> JobResult {
    let fetch = try Handle.make(release: { qubus_call_free($0) }) {
      qubus_job_result_start(handle.pointer, 0, 0, 0, $0, $1)
    }
    try callLibrary { qubus_call_wait(fetch.pointer, timeout.milliseconds, $0) }
    return JobResult(
      try Handle.make(release: { qubus_result_free($0) }) {
        qubus_call_take_result(fetch.pointer, $0, $1)
      })
  }

  /// Cancels the job; idempotent.
  public func cancel(
    reason: String? = nil, timeout: Duration = .seconds(30)
  ) throws(ClientError) -> Cancellation {
    var outcome: Int32 = 0
    var shotsDone: UInt64 = 0
    try callLibrary { error in
      guard let reason else {
        return qubus_job_cancel(
          handle.pointer, nil, timeout.milliseconds, &outcome, &shotsDone, error)
      }
      return reason.withCString {
        qubus_job_cancel(handle.pointer, $0, timeout.milliseconds, &outcome, &shotsDone, error)
      }
    }
    let outcomes: [Int32: Cancellation.Outcome] = [
      QUBUS_CANCEL_BEFORE_START: .beforeStart, QUBUS_CANCEL_DURING_RUN: .duringRun,
      QUBUS_CANCEL_TOO_LATE: .tooLate,
    ]
    guard let outcome = outcomes[outcome] else {
      throw ClientError(
        code: QUBUS_E_PROTOCOL_ERROR, message: "unknown outcome \(outcome) of a cancel")
    }
    return Cancellation(outcome: outcome, shotsDone: shotsDone)
  }

  /// Sets annotations; an empty value removes one. Answers the job (message AnnotateJobResponse).
  @discardableResult
  public func annotate(_ annotations: [String: String]) throws(ClientError) -> JSONValue {
    let arguments = annotations.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    return try client.request(QUBUS_METHOD_ANNOTATE_JOB, subject: id, arguments: arguments)
  }

  /// Runs the finished job again under its stored seed and compares the execution hashes (message
  /// ReplayJobResponse).
  /// - Parameters:
  ///   - replayID: compares with this earlier replay instead of starting one.
  ///   - wait: how long the server waits for the replay's end; after that the outcome is
  ///     unspecified.
  public func replay(
    comparingWith replayID: String? = nil, wait: Duration = .zero
  ) throws(ClientError) -> JSONValue {
    var arguments = [(name: "wait_milliseconds", value: String(wait.milliseconds))]
    if let replayID { arguments.append((name: "replay_job_id", value: replayID)) }
    return try client.request(
      QUBUS_METHOD_REPLAY_JOB, subject: id, arguments: arguments, timeout: wait + .seconds(30))
  }

  /// The job's events after a sequence number (0: from the start), without gap or double, also over
  /// reconnects and restarts of the daemon.
  public func events(after sequence: UInt64 = 0) throws(ClientError) -> EventStream {
    EventStream(
      try Handle.make(release: { qubus_stream_free($0) }) {
        qubus_stream_open(handle.pointer, sequence, 0, $0, $1)
      })
  }
}
