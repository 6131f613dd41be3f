internal import QubusCircuit
internal import QubusCore

extension PlanEmission {
  /// Operations for phases that commute with each other, in whatever order is cheapest.
  mutating func append(
    phases: [Int32], _ figures: CostTable.Figures
  ) throws(QubusError) {
    if phases.count == 1 {
      appendPhase(gate(phases[0]))
      return
    }
    for (step, choice) in PhaseGrouping(phases, draft, figures).choices.enumerated() {
      try draft.poll(step)
      switch choice {
      case .alone(let phase): appendPhase(gate(phase))
      case .linear(let control, let constant, let factors):
        appendLinear(control, constant, factors)
      case .block(let wires, let phases): appendBlock(wires, phases)
      }
    }
  }

  private mutating func appendLinear(
    _ control: Int?, _ constant: Int32?, _ factors: [(wire: Int, phase: Int32)]
  ) {
    if let constant { appendFactors(gate(constant)) }
    if control == nil { appendGlobalFactors() }
    let sorted = factors.map { (position: positions[$0.wire], phase: $0.phase) }
      .sorted { $0.position < $1.position }
    var factorMask: UInt64 = 0
    for (slot, factor) in sorted.enumerated() {
      appendFactors(gate(factor.phase), slot: UInt8(slot + 1))
      factorMask |= 1 << UInt64(factor.position)
    }
    let mask = control.map { UInt64(1) << UInt64(positions[$0]) } ?? 0
    append(
      PlanOperation(
        kind: .linear, controlMask: mask, controlValue: mask, factorMask: factorMask))
  }

  private mutating func appendBlock(_ wires: UInt64, _ phases: [Int32]) {
    let targets = (0..<64).filter { wires >> UInt64($0) & 1 == 1 }
    appendGlobalFactors()
    for phase in phases {
      let gate = gate(phase)
      var mask: UInt8 = 0
      for (index, wire) in targets.enumerated()
      where gate.controlMask >> UInt64(wire) & 1 == 1 {
        mask |= 1 << UInt8(index)
      }
      appendFactors(gate, controlMask: mask)
    }
    append(PlanOperation(kind: .diagonal, targets: targets.map { positions[$0] }))
  }

  /// The number that multiplies the whole state goes into the first operation that has room.
  mutating func appendGlobalFactors() {
    guard hasGlobal else { return }
    hasGlobal = false
    if draft.globalScalar != .one { appendConstantFactor(draft.globalScalar) }
    appendFactors(draft.globalFirst)
  }

  /// An operation for the number of the whole state when none had room for it.
  mutating func appendGlobalPhase() {
    guard hasGlobal else { return }
    appendGlobalFactors()
    append(PlanOperation(kind: .phase))
  }
}
