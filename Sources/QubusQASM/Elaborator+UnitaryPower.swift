internal import QubusCore

extension Elaborator {
  /// Expands a fractional power of a one-qubit gate of several steps with constant angles.
  /// - Returns: false when the call is no such gate.
  func expandUnitaryPower(_ call: GateCall, _ span: Span) throws(QubusError) -> Bool {
    false
  }
}
