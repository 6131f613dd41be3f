package import QubusCore

/// Everything needed to replay a result bit for bit. Field for field the wire's `Provenance`.
package struct Provenance: Sendable, Hashable {
  package var schemaVersion: UInt32 = 1
  package var jobID: Identifier
  package var device = ""
  /// `ideal` for noiseless simulators.
  package var calibrationID = ""
  package var calibrationAgeSeconds: Double?
  package var engine = ""
  package var engineVersion: UInt32 = 0
  package var compilerVersion = ""
  package var protocolVersion: UInt32 = 0
  package var serverVersion = ""
  package var clientVersion = ""
  package var instructionSet = ""
  package var compileOptions: [String: String] = [:]
  package var programHashes: [[UInt8]] = []
  package var circuitHashes: [[UInt8]] = []
  package var parameters: [ParameterArray] = []
  package var shots: [UInt64] = []
  package var seed: UInt64 = 0
  package var mitigation: [String: String] = [:]
  package var fallbackUsed = false
  package var phases = PhaseLedger()
  package var executionHash: [UInt8] = []
  package var attempt: UInt32 = 1
  package var fingerprint = ""
  package var fingerprintVersion: UInt32 = 1
  package var numericPrecision = "double"
  package var replayOf = ""

  package init(jobID: Identifier) { self.jobID = jobID }
}
