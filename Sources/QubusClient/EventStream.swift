internal import CQubus

/// One event of a job.
public struct JobEvent: Sendable, Hashable {
  /// 1, 2, 3, … within the job.
  public let sequence: UInt64
  /// Microseconds since 1970-01-01 UTC.
  public let timeMicroseconds: Int64
  /// For example `status.changed`, `progress`, `counts.partial`.
  public let type: String
  /// The job's status after the event.
  public let status: JobStatus
  /// Why, for example `INTERRUPTED`; empty when there is nothing to say.
  public let reason: String
  /// Number of the attempt it belongs to.
  public let attempt: UInt32
  /// The whole event as JSON text (message JobEvent).
  public let json: String
}

/// A job's events, in order. Ends after the terminal event.
///
/// ```swift
/// for event in try job.events() { print(try event.get().type) }
/// ```
///
/// An element is a failure when the stream broke for good; it is then the last one.
public final class EventStream: Sequence, IteratorProtocol, Sendable {
  private let handle: Handle

  init(_ handle: Handle) { self.handle = handle }

  /// Waits for the next event; nil after the terminal one.
  /// - Parameter timeout: nil waits for ever.
  /// - Throws: `deadline_exceeded` when none came in time; the stream stays usable.
  public func next(timeout: Duration?) throws(ClientError) -> JobEvent? {
    var event = qubus_event()
    event.struct_size = UInt32(MemoryLayout<qubus_event>.size)
    do {
      try callLibrary {
        qubus_stream_next(handle.pointer, timeout.timeoutMilliseconds, &event, $0)
      }
    } catch  where error.code == QUBUS_E_END_OF_STREAM {
      return nil
    }
    return JobEvent(
      sequence: event.sequence, timeMicroseconds: event.time_microseconds,
      type: string(event.type), status: JobStatus(event.status), reason: string(event.reason),
      attempt: event.attempt, json: string(event.json))
  }

  /// Waits for the next event; nil at the end.
  public func next() -> Swift.Result<JobEvent, ClientError>? {
    if didFail.value { return nil }
    do throws(ClientError) {
      return try next(timeout: nil).map { .success($0) }
    } catch {
      didFail.value = true
      return .failure(error)
    }
  }

  /// Ends the stream at the server; a waiting `next` fails with `call_canceled`.
  public func cancel() { _ = qubus_stream_cancel(handle.pointer) }

  private let didFail = Flag()

  private func string(_ pointer: UnsafePointer<CChar>?) -> String {
    pointer.map { String(cString: $0) } ?? ""
  }
}
