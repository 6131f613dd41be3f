package import QubusCore

/// Raw values are those of the wire's `SessionState`.
package enum SessionState: UInt8, Sendable, Hashable {
  case open = 1
  /// By its client.
  case closed = 2
  /// By one of its limits, which the reason names.
  case ended = 3
}

/// What a session has used; charged once, whatever is repeated or computed again.
package struct SessionUsage: Sendable, Hashable {
  /// Steps answered.
  package var steps: UInt64 = 0
  /// Sequence of the step answered last.
  package var lastSequence: UInt64 = 0
  package var deviceNanoseconds: UInt64 = 0
  package var shotsUsed: UInt64 = 0

  package init() {}
}

/// A session as the store keeps it: a row with the ownership of jobs. `request` is the opener's
/// protobuf, verbatim, from which it is rebuilt. Written when it opens and ends; its usage is
/// journaled in between, at least every second, and may be behind after a crash.
package struct SessionRecord: Sendable, Hashable {
  package var id: Identifier
  package var principal: Principal
  package var clientVersion: String
  package var traceID: String
  /// SHA-256 of the resume secret.
  package var secretHash: [UInt8]
  package var idempotencyKey: String
  /// SHA-256 of the request, against another open under the same key.
  package var requestHash: [UInt8]
  package var request: [UInt8]
  package var seed: UInt64
  package var device: String
  package var name: String
  package var tags: [String]
  package var state = SessionState.open
  package var reason = ""
  package var openedAt: Microseconds
  package var lastUsedAt: Microseconds
  package var closedAt: Microseconds?
  /// Limits in force.
  package var idleSeconds: Double
  package var wallSeconds: Double
  package var maxSteps: UInt64
  package var maxDeviceSeconds: Double
  package var memoryLimitBytes: UInt64
  package var usage = SessionUsage()

  package init(
    id: Identifier, principal: Principal, request: [UInt8], seed: UInt64, openedAt: Microseconds
  ) {
    self.id = id
    self.principal = principal
    self.request = request
    self.seed = seed
    self.openedAt = openedAt
    lastUsedAt = openedAt
    clientVersion = ""
    traceID = ""
    secretHash = []
    idempotencyKey = ""
    requestHash = []
    device = ""
    name = ""
    tags = []
    idleSeconds = 0
    wallSeconds = 0
    maxSteps = 0
    maxDeviceSeconds = 0
    memoryLimitBytes = 0
  }
}

/// An optimization within a session and its newest checkpoints.
package struct OptimizationRecord: Sendable, Hashable {
  package var id: Identifier
  package var session: Identifier
  package var principal: Principal
  /// The `OptimizeRequest` and its attachments, as the engine's codec writes them.
  package var request: [UInt8]
  package var startedAt: Microseconds
  /// Empty while it runs; else how it ended.
  package var ending = ""
  package var endedAt: Microseconds?

  package init(
    id: Identifier, session: Identifier, principal: Principal, request: [UInt8],
    startedAt: Microseconds
  ) {
    self.id = id
    self.session = session
    self.principal = principal
    self.request = request
    self.startedAt = startedAt
  }
}

/// The state of an optimization after an iteration, from which every later one can be replayed.
package struct OptimizationCheckpoint: Sendable, Hashable {
  package var optimization: Identifier
  package var iteration: UInt64
  package var time: Microseconds
  package var state: [UInt8]

  package init(
    optimization: Identifier, iteration: UInt64, time: Microseconds, state: [UInt8]
  ) {
    self.optimization = optimization
    self.iteration = iteration
    self.time = time
    self.state = state
  }
}

extension OptimizationCheckpoint {
  /// Checkpoints that one optimization keeps.
  package static let kept = 64

  /// The one to let go when there are too many: that whose going leaves the smallest gap. First and
  /// newest stay.
  /// - Parameter iterations: of all that are there, ascending.
  package static func spare(of iterations: [UInt64]) -> UInt64? {
    guard iterations.count > kept else { return nil }
    let inner = 1..<iterations.count - 1
    let smallest = inner.min { a, b in
      let (gapA, gapB) = (
        iterations[a + 1] - iterations[a - 1], iterations[b + 1] - iterations[b - 1]
      )
      return gapA != gapB ? gapA < gapB : a < b
    }
    return smallest.map { iterations[$0] }
  }
}

extension QubusError {
  package static func sessionNotFound(_ id: Identifier) -> QubusError {
    QubusError(.sessionNotFound, "there is no session \(id)")
  }

  package static func optimizationNotFound(_ id: Identifier) -> QubusError {
    QubusError(.optimizationNotFound, "there is no optimization \(id)")
  }
}
