internal import QubusCircuit
internal import QubusCore

/// Merges phases with the same condition, cancels flips and folds neighbouring constants, as far
/// as commutation lets them meet.
struct GateCancellation {
  private var draft: PlanDraft
  private var out: [PlanGate] = []
  private var isDead: [Bool] = []
  /// By wire: the last gate, and the last that is not diagonal on the wire; -1 before any.
  private var lastAny: [Int32]
  private var lastMoving: [Int32]
  /// What `lastAny` and `lastMoving` of a gate's first target (or a phase's lowest wire) were.
  private var before: [(any: Int32, moving: Int32)] = []
  private var singlePhases: [Int32]
  private var pairPhases: [Int32]
  private var phases: [Condition: Int32] = [:]

  private struct Condition: Hashable {
    let mask: UInt64
    let value: UInt64
  }

  private init(_ draft: PlanDraft) {
    self.draft = draft
    let count = draft.wireCount
    lastAny = [Int32](repeating: -1, count: count)
    lastMoving = lastAny
    singlePhases = lastAny
    pairPhases = [Int32](repeating: -1, count: count * count)
    out.reserveCapacity(draft.gates.count)
    before.reserveCapacity(draft.gates.count)
    isDead.reserveCapacity(draft.gates.count)
  }

  /// Gates that vanish let their neighbours meet, so small circuits are gone through again.
  static func run(_ draft: inout PlanDraft) throws(QubusError) {
    for _ in 0..<16 {
      let count = draft.gates.count
      try runOnce(&draft)
      if draft.gates.count == count || count > 100_000 { return }
    }
  }

  private static func runOnce(_ draft: inout PlanDraft) throws(QubusError) {
    var pass = GateCancellation(draft)
    let gates = draft.gates
    for (index, gate) in gates.enumerated() {
      try draft.poll(index)
      if gate.kind == .phase { pass.addPhase(gate) } else { pass.addMoving(gate) }
    }
    draft = pass.draft
    draft.gates.removeAll(keepingCapacity: true)
    for (index, gate) in pass.out.enumerated() where !pass.isDead[index] {
      try draft.poll(index)
      if gate.isConstantPhase, gate.scalar == .one { continue }
      draft.gates.append(gate)
    }
  }

  // MARK: Phases

  private mutating func addPhase(_ gate: PlanGate) {
    if let place = earlierPhase(gate) {
      out[place].scalar = (out[place].scalar * gate.scalar).snapped
      var merged = out[place]
      draft.move(gate, to: &merged.firstTerm, &merged.lastTerm)
      out[place] = merged
      if merged.isConstantPhase, merged.scalar == .one { forget(place) }
      return
    }
    let index = Int32(out.count)
    remember(gate, index)
    push(gate)
  }

  /// A phase with the same condition that this one can reach.
  private func earlierPhase(_ gate: PlanGate) -> Int? {
    let mask = gate.controlMask
    let place: Int32
    switch mask.nonzeroBitCount {
    case 1 where gate.controlValue == mask: place = singlePhases[mask.trailingZeroBitCount]
    case 2 where gate.controlValue == mask: place = pairPhases[pairIndex(mask)]
    default: place = phases[Condition(mask: mask, value: gate.controlValue)] ?? -1
    }
    guard place >= 0, !isDead[Int(place)] else { return nil }
    var rest = mask
    while rest != 0 {
      if lastMoving[rest.trailingZeroBitCount] > place { return nil }
      rest &= rest - 1
    }
    return Int(place)
  }

  private mutating func remember(_ gate: PlanGate, _ index: Int32) {
    let mask = gate.controlMask
    switch mask.nonzeroBitCount {
    case 1 where gate.controlValue == mask: singlePhases[mask.trailingZeroBitCount] = index
    case 2 where gate.controlValue == mask: pairPhases[pairIndex(mask)] = index
    default: phases[Condition(mask: mask, value: gate.controlValue)] = index
    }
  }

  /// Drops a phase that became 1; what it stood between can meet if nothing came since.
  private mutating func forget(_ place: Int) {
    isDead[place] = true
    let mask = out[place].controlMask
    let wire = mask.trailingZeroBitCount
    if mask.nonzeroBitCount == 1, lastAny[wire] == place { lastAny[wire] = before[place].any }
  }

  private func pairIndex(_ mask: UInt64) -> Int {
    mask.trailingZeroBitCount * draft.wireCount + (63 - mask.leadingZeroBitCount)
  }

  // MARK: Others

  private mutating func addMoving(_ gate: PlanGate) {
    if gate.targetCount == 1 {
      let place = Int(lastAny[Int(gate.target0)])
      if place >= 0, !isDead[place], merges(gate, into: place) { return }
    }
    push(gate)
  }

  private mutating func push(_ gate: PlanGate) {
    let index = Int32(out.count)
    let wire = gate.targetCount > 0 ? Int(gate.target0) : gate.wires.trailingZeroBitCount
    before.append((lastAny[wire], lastMoving[wire]))
    out.append(gate)
    isDead.append(false)
    var rest = gate.wires
    while rest != 0 {
      lastAny[rest.trailingZeroBitCount] = index
      rest &= rest - 1
    }
    rest = gate.targetMask
    while rest != 0 {
      lastMoving[rest.trailingZeroBitCount] = index
      rest &= rest - 1
    }
  }

  private func controlsReach(_ gate: PlanGate, _ place: Int) -> Bool {
    var rest = gate.controlMask
    while rest != 0 {
      if lastMoving[rest.trailingZeroBitCount] > Int32(place) { return false }
      rest &= rest - 1
    }
    return true
  }

  /// Takes a one-target gate into an earlier one on the same target and under the same controls.
  private mutating func merges(_ gate: PlanGate, into place: Int) -> Bool {
    let earlier = out[place]
    guard earlier.targetCount == 1, earlier.target0 == gate.target0,
      earlier.controlMask == gate.controlMask, earlier.controlValue == gate.controlValue,
      controlsReach(gate, place)
    else { return false }
    if gate.kind == .flip, earlier.kind == .flip {
      remove(place)
      return true
    }
    if gate.controlMask == 0, let a = constant(earlier), let b = constant(gate) {
      return fold(a.followed(by: b), into: place)
    }
    guard earlier.kind == gate.kind || earlier.kind == .dense || gate.kind == .dense else {
      return false
    }
    var merged = earlier
    merged.isExchange = earlier.isExchange && gate.isExchange
    merged.kind = earlier.kind == gate.kind ? gate.kind : .dense
    draft.move(gate, to: &merged.firstTerm, &merged.lastTerm)
    out[place] = merged
    return true
  }

  private mutating func remove(_ place: Int) {
    isDead[place] = true
    let target = Int(out[place].target0)
    lastAny[target] = before[place].any
    lastMoving[target] = before[place].moving
  }

  /// The matrix of an uncontrolled gate whose only term is constant.
  private func constant(_ gate: PlanGate) -> ConstantMatrix? {
    if gate.kind == .flip { return ConstantMatrix(.zero, .one, .one, .zero) }
    guard gate.firstTerm >= 0, gate.firstTerm == gate.lastTerm else { return nil }
    let term = draft.terms[Int(gate.firstTerm)]
    guard term.action == .matrix1, term.source < 0, term.controlMask == 0 else { return nil }
    let start = Int(~term.source)
    return ConstantMatrix(
      draft.constants[start], draft.constants[start + 1], draft.constants[start + 2],
      draft.constants[start + 3])
  }

  private mutating func fold(_ product: ConstantMatrix, into place: Int) -> Bool {
    if product.form == .dense, product.phase == .one, out[place].kind != .dense { return false }
    let wire = out[place].target0
    if product.form == .diagonal {
      remove(place)
      draft.globalScalar = (draft.globalScalar * product.a).snapped
      let ratio = (product.d * product.a.conjugate).snapped
      if ratio != .one {
        let mask = UInt64(1) << UInt64(wire)
        var phase = PlanGate(kind: .phase, controlMask: mask, controlValue: mask)
        phase.scalar = ratio
        addPhase(phase)
      }
      return true
    }
    let reduced = product.withoutPhase
    draft.globalScalar = (draft.globalScalar * product.phase).snapped
    var gate = PlanGate(kind: reduced.gateKind)
    gate.targetCount = 1
    gate.target0 = wire
    gate.isExchange = reduced.isExchange
    let source = draft.constant(reduced)
    draft.append(
      GateTerm(action: .matrix1, target0: wire, source: source), &gate.firstTerm, &gate.lastTerm)
    out[place] = gate
    return true
  }
}
