package import QubusCore
package import QubusJobs

// The requests of the methods, as Swift values. Field for field `proto/service.proto`.

package struct HelloRequest: Sendable, Hashable {
  package var minimumProtocolVersion: UInt32
  package var maximumProtocolVersion: UInt32
  package var clientName: String
  package var clientVersion: String
}

package struct SubmitRequest: Sendable, Hashable {
  package var spec: JobSpec
  /// The bytes of the `JobRequest` as sent; they are what the store keeps.
  package var request: [UInt8]

  package init(spec: JobSpec, request: [UInt8]) {
    self.spec = spec
    self.request = request
  }
}

package struct WatchJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var afterSequence: UInt64
}

package struct ResultSelection: Sendable, Hashable {
  package var item: Int
  /// Empty: all.
  package var chunks: [Int]

  package init(item: Int, chunks: [Int]) {
    self.item = item
    self.chunks = chunks
  }
}

package struct GetResultRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var waitMilliseconds: UInt32
  package var selection: [ResultSelection]
  package var manifestOnly: Bool
}

package struct CancelJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var reason: String
}

/// Of PauseJob, ResumeJob, HoldJob and ReleaseJob.
package struct PauseJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var reason: String
}

package struct AnnotateJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  /// An empty value removes.
  package var annotations: [String: String]
}

package struct ReplayJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var waitMilliseconds: UInt32
  /// Set: compare only.
  package var replayJobID: Identifier?
}

/// What is nil stays as it is.
package struct ChangeJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var lane: String?
  package var priority: Int?
  package var device: String?
  package var reason: String
}

package struct CancelBatchRequest: Sendable, Hashable {
  package var batchID: Identifier
  package var reason: String
}

package struct ResubmitJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var idempotencyKey: String
}
