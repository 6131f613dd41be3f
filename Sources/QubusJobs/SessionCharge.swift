package import QubusCore

/// What a session used since its last charge: held and spent at once, because steps are over when
/// they are counted.
package struct SessionCharge: Sendable, Hashable {
  package var session: Identifier
  package var principal: Principal
  package var device: String
  package var hold: CostHold
  package var shots: UInt64
  package var deviceMicroseconds: Microseconds

  package init(
    session: Identifier, principal: Principal, device: String, hold: CostHold, shots: UInt64,
    deviceMicroseconds: Microseconds
  ) {
    self.session = session
    self.principal = principal
    self.device = device
    self.hold = hold
    self.shots = shots
    self.deviceMicroseconds = deviceMicroseconds
  }
}
