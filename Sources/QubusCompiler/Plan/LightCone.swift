internal import QubusCircuit
internal import QubusCore

/// Drops gates that no outcome of an observed qubit depends on.
///
/// Going backwards, every wire is one of: unseen (nothing done to it here has an effect), seen in
/// its basis only (what is diagonal here has no effect), or fully seen.
struct LightCone {
  private var inBasis: UInt64
  private var fully: UInt64 = 0

  /// - Parameter observed: wires measured in the computational basis at the end.
  private init(observed: UInt64) { inBasis = observed }

  /// - Parameter observed: qubits, one bit each.
  static func trim(_ draft: inout PlanDraft, observed: UInt64) throws(QubusError) {
    var wires: UInt64 = 0
    for (qubit, wire) in draft.finalWires.enumerated() where observed >> UInt64(qubit) & 1 == 1 {
      wires |= 1 << UInt64(wire)
    }
    var cone = LightCone(observed: wires)
    var kept: [PlanGate] = []
    kept.reserveCapacity(draft.gates.count)
    for (step, gate) in draft.gates.reversed().enumerated() {
      try draft.poll(step)
      if cone.keeps(gate) { kept.append(gate) }
    }
    kept.reverse()
    draft.gates = kept
    // Only probabilities are asked for.
    draft.globalScalar = .one
    (draft.globalFirst, draft.globalLast) = (-1, -1)
  }

  private mutating func keeps(_ gate: PlanGate) -> Bool {
    if gate.isDiagonal {
      if gate.wires & fully == 0 { return false }
      inBasis |= gate.wires & ~fully
      return true
    }
    let targets = gate.targetMask
    let controls = gate.controlMask
    if targets & (inBasis | fully) == 0, controls & fully == 0 { return false }
    let permutes = gate.kind == .flip || gate.kind == .swap
    if permutes, gate.wires & fully == 0 {
      // A diagonal before a permutation is a diagonal after it.
      inBasis |= gate.wires
      return true
    }
    fully |= targets
    inBasis = (inBasis | controls) & ~fully
    return true
  }
}
