/// Where a job is in its lifecycle.
public enum JobStatus: Sendable, Hashable {
  /// Durable, not yet compiled.
  case accepted
  /// Waits for a device.
  case queued
  /// Promised a device.
  case reserved
  /// On a device.
  case running
  /// Its results are being stored.
  case processingResults
  /// Ended with a result.
  case succeeded
  /// Ended with an error.
  case failed
  /// Ended on request.
  case canceled
  /// Ended because its time to live passed.
  case expired
  /// A status that this client does not know.
  case unknown(Int32)

  private static let known: [JobStatus] = [
    .accepted, .queued, .reserved, .running, .processingResults, .succeeded, .failed, .canceled,
    .expired,
  ]

  init(_ number: Int32) {
    let index = Int(number) - 1
    self = Self.known.indices.contains(index) ? Self.known[index] : .unknown(number)
  }

  /// The status of this name; nil when there is none.
  public init?(name: String) {
    guard let status = Self.known.first(where: { $0.name == name }) else { return nil }
    self = status
  }

  /// Every status this client knows, in order of the lifecycle.
  public static var allKnown: [JobStatus] { known }

  /// The lifecycle's word, the same everywhere.
  public var name: String {
    switch self {
    case .accepted: "accepted"
    case .queued: "queued"
    case .reserved: "reserved"
    case .running: "running"
    case .processingResults: "processing_results"
    case .succeeded: "succeeded"
    case .failed: "failed"
    case .canceled: "canceled"
    case .expired: "expired"
    case .unknown: "unknown"
    }
  }

  /// True when nothing more will happen to the job.
  public var isTerminal: Bool {
    switch self {
    case .succeeded, .failed, .canceled, .expired: true
    case .accepted, .queued, .reserved, .running, .processingResults, .unknown: false
    }
  }
}
