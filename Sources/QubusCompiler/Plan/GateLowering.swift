internal import QubusCircuit
internal import QubusCore

/// Turns bound gates into a draft: uncontrolled swaps and flips become bookkeeping, diagonals
/// become conditional phases, and what is known of qubits still in |0⟩ is used.
struct GateLowering {
  private let list: BoundGateList
  private(set) var draft: PlanDraft
  private var wireOf: [UInt8]
  /// Wires whose |0⟩ and |1⟩ are exchanged with respect to the circuit.
  private var flipped: UInt64 = 0
  /// Wires that are certainly |0⟩ (in the exchanged sense).
  private var zero: UInt64

  init(
    _ list: BoundGateList, qubitCount: Int, startsFromZero: Bool,
    cancellation: CancellationFlag?
  ) {
    self.list = list
    draft = PlanDraft(wireCount: qubitCount, cancellation: cancellation)
    draft.gates.reserveCapacity(list.gates.count + qubitCount)
    draft.terms.reserveCapacity(list.gates.count + qubitCount)
    wireOf = draft.finalWires
    zero = startsFromZero ? ~0 : 0
  }

  static func lower(
    _ list: BoundGateList, qubitCount: Int, startsFromZero: Bool,
    cancellation: CancellationFlag?
  ) throws(QubusError) -> PlanDraft {
    var lowering = GateLowering(
      list, qubitCount: qubitCount, startsFromZero: startsFromZero, cancellation: cancellation)
    for (index, gate) in list.gates.enumerated() {
      try lowering.draft.poll(index)
      lowering.lower(Int32(index), gate)
    }
    for wire in 0..<qubitCount where lowering.flipped >> UInt64(wire) & 1 == 1 {
      lowering.materializeFlip(UInt8(wire))
    }
    lowering.draft.finalWires = lowering.wireOf
    return lowering.draft
  }

  private mutating func lower(_ source: Int32, _ gate: BoundGate) {
    guard let (mask, value) = controls(gate) else { return }
    let wire0 = wireOf.isEmpty ? 0 : wireOf[Int(gate.target0)]
    let wire1 = wireOf.isEmpty ? 0 : wireOf[Int(gate.target1)]
    switch gate.kind {
    case .identity: return
    case .phase:
      var term = GateTerm(action: .factor, source: source)
      appendFactor(&term, gate, mask, value)
    case .diagonal: lowerDiagonal(source, gate, mask, value, [wire0])
    case .diagonal2: lowerDiagonal(source, gate, mask, value, [wire0, wire1])
    case .flip:
      if mask == 0 {
        flipped ^= bit(wire0)
      } else {
        append(.flip, mask, value, GateTerm(action: .flip, target0: wire0))
      }
    case .swap: lowerSwap(gate, mask, value, wire0, wire1)
    case .dense:
      let bits: UInt8 = flipped & bit(wire0) == 0 ? 0 : 1
      let term = GateTerm(
        action: .matrix1, flippedBits: bits, target0: wire0, source: source)
      if gate.isConstant {
        lowerConstant(constantMatrix(gate, bits), mask, value, wire0)
        return
      }
      // A cross gate with parameters is rx or a power of it; y has none.
      append(
        Self.kind(gate.pattern), mask, value, term, isExchange: gate.pattern == .cross)
    case .dense2 where gate.isConstant && mask == 0 && exchangesTargets(gate):
      lowerSwappedDiagonal(gate, wire0, wire1)
    case .dense2:
      let term = GateTerm(
        action: .matrix2, flippedBits: flippedBits(wire0, wire1), target0: wire0, target1: wire1,
        source: source)
      append(Self.kind(gate.pattern), mask, value, term)
    }
  }

  private static func kind(_ pattern: BoundGate.Pattern) -> PlanGate.Kind {
    switch pattern {
    case .real: .real
    case .cross: .cross
    case .general: .dense
    }
  }

  // MARK: Wires

  private func bit(_ wire: UInt8) -> UInt64 { 1 << UInt64(wire) }

  private func flippedBits(_ wire0: UInt8, _ wire1: UInt8) -> UInt8 {
    UInt8(flipped >> UInt64(wire0) & 1) | UInt8(flipped >> UInt64(wire1) & 1) << 1
  }

  /// The gate's controls on wires without those that are known to hold; nil when it never acts.
  private func controls(_ gate: BoundGate) -> (mask: UInt64, value: UInt64)? {
    var mask: UInt64 = 0
    var value: UInt64 = 0
    var rest = gate.controlMask
    while rest != 0 {
      let qubit = rest.trailingZeroBitCount
      rest &= rest - 1
      let wire = bit(wireOf[qubit])
      mask |= wire
      if gate.controlValue >> UInt64(qubit) & 1 == 1 { value |= wire }
    }
    value ^= flipped & mask
    if value & zero != 0 { return nil }
    return (mask & ~zero, value & ~zero)
  }

  private mutating func append(
    _ kind: PlanGate.Kind, _ mask: UInt64, _ value: UInt64, _ term: GateTerm,
    isExchange: Bool = false
  ) {
    var gate = PlanGate(kind: kind, controlMask: mask, controlValue: value)
    gate.isExchange = isExchange || kind == .flip
    gate.target0 = term.target0
    gate.target1 = term.target1
    switch term.action {
    case .matrix1, .flip: gate.targetCount = 1
    case .matrix2, .swap: gate.targetCount = 2
    case .factor, .eulerPhase, .eulerRotation: gate.targetCount = 0
    }
    var term = term
    term.controlMask = mask
    term.controlValue = value
    draft.append(term, &gate.firstTerm, &gate.lastTerm)
    draft.gates.append(gate)
    zero &= ~gate.targetMask
  }

  private mutating func materializeFlip(_ wire: UInt8) {
    flipped &= ~bit(wire)
    append(.flip, 0, 0, GateTerm(action: .flip, target0: wire))
  }

  private mutating func lowerSwap(
    _ gate: BoundGate, _ mask: UInt64, _ value: UInt64, _ wire0: UInt8, _ wire1: UInt8
  ) {
    if mask == 0 {
      wireOf.swapAt(Int(gate.target0), Int(gate.target1))
      return
    }
    let both = bit(wire0) | bit(wire1)
    if zero & both == both, (flipped & both).nonzeroBitCount != 1 { return }
    if flippedBits(wire0, wire1) == 1 { materializeFlip(wire0) }
    if flippedBits(wire0, wire1) == 2 { materializeFlip(wire1) }
    append(.swap, mask, value, GateTerm(action: .swap, target0: wire0, target1: wire1))
  }

  /// True for a diagonal followed by a swap, as iswap is.
  private func exchangesTargets(_ gate: BoundGate) -> Bool {
    (0..<16).allSatisfy {
      $0 == 0 || $0 == 6 || $0 == 9 || $0 == 15 || list.number(gate, $0) == .zero
    }
  }

  private mutating func lowerSwappedDiagonal(_ gate: BoundGate, _ wire0: UInt8, _ wire1: UInt8) {
    let places = [0, 9, 6, 15]
    let flips = flippedBits(wire0, wire1)
    for monomial in 0..<UInt8(4) {
      let condition =
        (monomial & 1 == 1 ? bit(wire0) : 0) | (monomial & 2 == 2 ? bit(wire1) : 0)
      if condition & zero != 0 { continue }
      let number = DiagonalComponent(monomial).number(flippedBits: flips) {
        list.number(gate, places[$0])
      }
      appendConstantPhase(number, condition, condition)
    }
    wireOf.swapAt(Int(gate.target0), Int(gate.target1))
  }

  // MARK: Diagonals

  private mutating func lowerDiagonal(
    _ source: Int32, _ gate: BoundGate, _ mask: UInt64, _ value: UInt64, _ wires: [UInt8]
  ) {
    var term = GateTerm(action: .factor, source: source)
    var live: UInt64 = 0
    for (index, wire) in wires.enumerated() {
      if flipped & bit(wire) != 0 { term.flippedBits |= 1 << UInt8(index) }
      live |= bit(wire) & ~zero
    }
    for monomial in 0..<UInt8(1 << wires.count) {
      var condition: UInt64 = 0
      for (index, wire) in wires.enumerated() where monomial >> UInt8(index) & 1 == 1 {
        condition |= bit(wire)
      }
      if condition & zero != 0 { continue }
      term.component = DiagonalComponent(monomial)
      appendFactor(&term, gate, mask | condition, value | condition)
    }
  }

  /// Multiplies by the term's number where the controls hold. Up to two controls, negative ones
  /// are rewritten by positive ones (1 - a = a⁻¹ in the exponent), so that phases meet and merge.
  private mutating func appendFactor(
    _ term: inout GateTerm, _ gate: BoundGate, _ mask: UInt64, _ value: UInt64
  ) {
    let negative = mask & ~value
    guard negative == 0 || mask.nonzeroBitCount > 2 else {
      let lowest = negative & (~negative + 1)
      appendFactor(&term, gate, mask & ~lowest, value)
      term.component = term.component.inverse
      appendFactor(&term, gate, mask, value | lowest)
      term.component = term.component.inverse
      return
    }
    var placed = term
    placed.controlMask = mask
    placed.controlValue = value
    if gate.isConstant {
      let number = placed.component.number(flippedBits: placed.flippedBits) {
        list.number(gate, $0)
      }
      appendConstantPhase(number, mask, value)
    } else if mask == 0 {
      draft.appendGlobal(placed)
    } else {
      append(.phase, mask, value, placed)
    }
  }

  private mutating func appendConstantPhase(_ number: Complex, _ mask: UInt64, _ value: UInt64) {
    let number = number.snapped
    if number == .one { return }
    if mask == 0 {
      draft.globalScalar = (draft.globalScalar * number).snapped
      return
    }
    let negative = mask & ~value
    if negative != 0, mask.nonzeroBitCount <= 2 {
      let lowest = negative & (~negative + 1)
      appendConstantPhase(number, mask & ~lowest, value)
      appendConstantPhase(number.conjugate, mask, value | lowest)
      return
    }
    var gate = PlanGate(kind: .phase, controlMask: mask, controlValue: value)
    gate.scalar = number
    draft.gates.append(gate)
  }

  // MARK: Constants

  private func constantMatrix(_ gate: BoundGate, _ flippedBits: UInt8) -> ConstantMatrix {
    let flip = Int(flippedBits) * 3
    return ConstantMatrix(
      list.number(gate, flip), list.number(gate, 1 ^ flip), list.number(gate, 2 ^ flip),
      list.number(gate, 3 ^ flip))
  }

  /// A constant 2 × 2 matrix: often less than dense, up to a phase of the whole state.
  private mutating func lowerConstant(
    _ matrix: ConstantMatrix, _ mask: UInt64, _ value: UInt64, _ wire: UInt8
  ) {
    let target = bit(wire)
    switch matrix.form {
    case .diagonal:
      appendConstantPhase(matrix.a, mask, value)
      if zero & target != 0 { return }
      appendConstantPhase(matrix.d * matrix.a.conjugate, mask | target, value | target)
    case .antidiagonal where mask == 0 || matrix.b == matrix.c:
      // [[0, b], [c, 0]] = X diag(c, b).
      appendConstantPhase(matrix.c, mask, value)
      if zero & target == 0 {
        appendConstantPhase(matrix.b * matrix.c.conjugate, mask | target, value | target)
      }
      if mask == 0 {
        flipped ^= target
      } else {
        append(.flip, mask, value, GateTerm(action: .flip, target0: wire))
      }
    case .antidiagonal, .real, .cross, .dense:
      let reduced = mask == 0 ? matrix.withoutPhase : matrix
      if mask == 0 { appendConstantPhase(matrix.phase, 0, 0) }
      let source = draft.constant(reduced)
      append(
        reduced.gateKind, mask, value,
        GateTerm(action: .matrix1, target0: wire, source: source),
        isExchange: reduced.isExchange)
    }
  }
}
