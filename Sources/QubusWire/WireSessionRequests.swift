package import QubusCore
package import QubusJobs

// The requests about sessions, as Swift values. Field for field `proto/session.proto`.

package struct OpenSessionRequest: Sendable, Hashable {
  package var spec: SessionSpec
  /// The body as sent; it is what the store keeps.
  package var request: [UInt8]
}

package struct ResumeSessionRequest: Sendable, Hashable {
  package var session: Identifier
  package var secret: [UInt8]
  package var lastSequence: UInt64
}

package struct ListSessionsRequest: Sendable, Hashable {
  package var includesEnded: Bool
  package var limit: Int
  package var before: Identifier?
}

package struct CancelOptimizeRequest: Sendable, Hashable {
  package var session: Identifier
  package var optimization: Identifier
}

package enum OptimizeRequest: Sendable, Hashable {
  case start(OptimizeStart)
  /// Go on watching one that runs, or has ended.
  case watch(session: Identifier, optimization: Identifier, after: UInt64)
}

package struct OptimizeStart: Sendable, Hashable {
  package var session: Identifier
  package var method: String
  package var options: [String: Double]
  package var observable: Int
  package var initial: [Double]
  /// Empty: none.
  package var lower: [Double] = []
  package var upper: [Double] = []
  package var maxIterations: UInt64?
  package var maxEvaluations: UInt64?
  package var maxShots: UInt64?
  package var maxSeconds: Double?
  package var maxDeviceSeconds: Double?
  /// Micro-units.
  package var maxCost: Int64?
  /// Of each evaluation; 0: the session's.
  package var shots: UInt64
  package var targetError: Double
  package var seed: UInt64?
}
