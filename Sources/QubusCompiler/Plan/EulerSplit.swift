internal import QubusCircuit
internal import QubusCore

/// Splits dense one-qubit gates into a real rotation between two phases where enough of them lie
/// side by side: a layer's phases share one linear pass, and a rotation costs a quarter.
struct EulerSplit {
  static func run(
    _ draft: inout PlanDraft, _ figures: CostTable.Figures
  ) throws(QubusError) {
    var levels = [Int32](repeating: 0, count: draft.wireCount)
    var levelOf = [Int32](repeating: 0, count: draft.gates.count)
    var counts: [Int32] = [0]
    for (index, gate) in draft.gates.enumerated() {
      try draft.poll(index)
      // Phases merge across layers and do not separate them.
      if gate.isDiagonal { continue }
      var level: Int32 = 0
      forEachWire(gate.wires) { level = max(level, levels[$0] + 1) }
      forEachWire(gate.wires) { levels[$0] = level }
      levelOf[index] = level
      if Int(level) >= counts.count { counts.append(0) }
      if isDense(gate) { counts[Int(level)] += 1 }
    }
    let gain =
      figures.cost(.dense, targets: 1, controls: 0) - figures.cost(.real, targets: 1, controls: 0)
    let pass = 2 * figures.cost(.linear, targets: 0, controls: 0)
    let worthwhile = Int32((pass / gain).rounded(.up)) + 1
    guard counts.contains(where: { $0 >= worthwhile }) else { return }
    let gates = draft.gates
    draft.gates.removeAll(keepingCapacity: true)
    for (index, gate) in gates.enumerated() {
      try draft.poll(index)
      if isDense(gate), counts[Int(levelOf[index])] >= worthwhile {
        split(gate, &draft)
      } else {
        draft.gates.append(gate)
      }
    }
  }

  private static func isDense(_ gate: PlanGate) -> Bool {
    gate.kind == .dense && gate.targetCount == 1 && gate.controlMask == 0
  }

  private static func split(_ gate: PlanGate, _ draft: inout PlanDraft) {
    let source = Int32(draft.products.count)
    draft.products.append((gate.target0, gate.firstTerm))
    let mask = UInt64(1) << UInt64(gate.target0)
    func phase(_ part: EulerAngles.Part) -> PlanGate {
      var phase = PlanGate(kind: .phase, controlMask: mask, controlValue: mask)
      let term = GateTerm(
        action: .eulerPhase, component: DiagonalComponent(part.rawValue), source: source,
        controlMask: mask, controlValue: mask)
      draft.append(term, &phase.firstTerm, &phase.lastTerm)
      return phase
    }
    let first = phase(.first)
    let last = phase(.last)
    var rotation = PlanGate(kind: .real)
    rotation.targetCount = 1
    rotation.target0 = gate.target0
    draft.append(
      GateTerm(action: .eulerRotation, target0: gate.target0, source: source),
      &rotation.firstTerm, &rotation.lastTerm)
    draft.appendGlobal(
      GateTerm(
        action: .eulerPhase, component: DiagonalComponent(EulerAngles.Part.whole.rawValue),
        source: source))
    draft.gates.append(contentsOf: [first, rotation, last])
  }

  private static func forEachWire(_ mask: UInt64, _ body: (Int) -> Void) {
    var rest = mask
    while rest != 0 {
      body(rest.trailingZeroBitCount)
      rest &= rest - 1
    }
  }
}

/// A 2 × 2 unitary as g · diag(1, last) · [[cos, -sin], [sin, cos]] · diag(1, first).
struct EulerAngles {
  /// Raw values lie where `DiagonalComponent` keeps its monomial.
  enum Part: UInt8 { case whole = 0, first, last }

  let cosine: Double
  let sine: Double
  private let whole: Complex
  private let first: Complex
  private let last: Complex

  /// - Parameter m: row-major; cosine and sine come out ≥ 0.
  init(_ m: (Complex, Complex, Complex, Complex)) {
    cosine = m.0.squaredMagnitude.squareRoot()
    sine = m.2.squaredMagnitude.squareRoot()
    // Phases of entries that are nearly 0 say nothing; they are taken from the others.
    let tiny = 1e-150
    if cosine >= sine {
      whole = m.0.direction
      let both = m.3.direction * whole.conjugate
      last = sine > tiny ? m.2.direction * whole.conjugate : both
      first = both * last.conjugate
    } else {
      whole = cosine > tiny ? m.0.direction : .one
      last = m.2.direction * whole.conjugate
      first = -m.1.direction * whole.conjugate
    }
  }

  func phase(_ part: DiagonalComponent) -> Complex {
    switch part.monomial {
    case 0: whole
    case 1: first
    default: last
    }
  }
}

extension Complex {
  /// The number divided by its magnitude, which is not 0.
  fileprivate var direction: Complex { (1 / squaredMagnitude.squareRoot()) * self }
}
