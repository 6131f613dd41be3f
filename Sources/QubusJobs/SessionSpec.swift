/// What a session may give; raw values are bits of the wire's masks.
package struct SessionOutputs: OptionSet, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let values = SessionOutputs(rawValue: 1)
  package static let gradients = SessionOutputs(rawValue: 2)
  package static let counts = SessionOutputs(rawValue: 4)
  package static let stateVector = SessionOutputs(rawValue: 8)
}

/// What a client asks for when it opens a session. Unknown is nil, never 0.
package struct SessionSpec: Sendable, Hashable {
  package var program: [UInt8]
  package var observables: [ObservableSpec] = []
  /// That steps may ask for; empty: values and gradients when there are observables, else counts.
  package var outputs: SessionOutputs = []
  /// Of each step; nil is exact.
  package var shots: Int64?
  package var targetError: Double?
  package var sharesRandomNumbers = false
  package var seed: UInt64?
  package var precision = NumericPrecision.double
  /// Empty: the server's default.
  package var device = ""
  package var idleSeconds: Double?
  package var wallSeconds: Double?
  package var maxSteps: UInt64?
  package var maxDeviceSeconds: Double?
  package var memoryBytes: UInt64?
  package var name = ""
  package var tags: [String] = []
  package var idempotencyKey = ""

  package init(program: [UInt8]) { self.program = program }

  /// What steps may ask for.
  package var outputsOrStandard: SessionOutputs {
    outputs.isEmpty ? (observables.isEmpty ? .counts : [.values, .gradients]) : outputs
  }
}
