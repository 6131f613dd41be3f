package import QubusCore

/// A Step as its envelope, body and attachment tell it; its numbers stay where they are.
package struct StepMessage: Sendable, Hashable {
  package var callID: UInt64 = 0
  package var timeoutMilliseconds: UInt32 = 0
  package var session = Identifier(high: 0, low: 0)
  package var sequence: UInt64 = 0
  /// Mask of the wire's `StepOutput`; 0: the session's default.
  package var outputs: UInt32 = 0
  /// 0: the session's.
  package var shots: UInt64 = 0
  package var targetError = 0.0
  package var rows = 0
  package var columns = 0
  /// CRC-32C of the numbers, as it was computed.
  package var checksum: UInt32 = 0

  package init() {}

  /// Bits that may be asked for: values, gradients, counts, state vector.
  package static let knownOutputs: UInt32 = 0b1111

  /// What can be said of a step without its session; nil when it may go on. Allocates only for an
  /// error.
  func refusal(_ limits: Limits) -> QubusError? {
    if sequence == 0 {
      return .field(
        .invalidStep, "sequence", "must not be 0: the first step of a session is 1",
        limit: "1 or more")
    }
    if outputs & ~Self.knownOutputs != 0 {
      return .field(
        .invalidStep, "outputs", "mask \(outputs) asks for something unknown",
        limit: "\(Self.knownOutputs): values 1, gradients 2, counts 4, statevector 8")
    }
    if shots > UInt64(limits.shots) {
      return .field(.invalidShots, "shots", "\(shots) is out of range", limit: "\(limits.shots)")
    }
    if !(targetError >= 0 && targetError < .infinity) {
      return .field(
        .invalidStep, "target_error", "\(targetError) is no standard error", limit: "0 or more")
    }
    if rows < 1 || rows > limits.rowsPerStep {
      return .field(
        .invalidStep, "attachments[0].shape", "\(rows) rows", limit: "1 to \(limits.rowsPerStep)")
    }
    return nil
  }
}
