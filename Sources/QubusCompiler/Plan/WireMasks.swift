/// How a gate acts on each wire (or position), for telling whether two gates commute: on a wire
/// both may be diagonal, or both functions of X, else order matters.
struct WireMasks: Sendable {
  var diagonal: UInt64 = 0
  var exchanged: UInt64 = 0
  var other: UInt64 = 0

  init() {}

  init(_ gate: PlanGate) {
    diagonal = gate.diagonalWires
    exchanged = gate.exchangedWires
    other = gate.wires & ~diagonal & ~exchanged
  }

  var all: UInt64 { diagonal | exchanged | other }
  /// Wires that must be local.
  var moved: UInt64 { exchanged | other }

  /// True when a gate may pass all gates that these masks were gathered from.
  @inline(__always)
  func commutes(with gate: WireMasks) -> Bool {
    (gate.diagonal & (exchanged | other)) | (gate.exchanged & (diagonal | other))
      | (gate.other & (diagonal | exchanged | other)) == 0
  }

  @inline(__always)
  mutating func insert(_ gate: WireMasks) {
    diagonal |= gate.diagonal
    exchanged |= gate.exchanged
    other |= gate.other
  }

  /// True when nothing on these wires can pass.
  @inline(__always)
  func blocksAll(_ wires: UInt64) -> Bool { wires & ~(other | (diagonal & exchanged)) == 0 }
}
