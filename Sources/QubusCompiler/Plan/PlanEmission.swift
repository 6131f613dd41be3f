internal import QubusCircuit
internal import QubusCore

/// Writes operations and the recipe of their numbers.
struct PlanEmission {
  let draft: PlanDraft
  let positions: [UInt8]
  /// True until the number that multiplies the whole state has found an operation.
  var hasGlobal: Bool
  private(set) var operations: [PlanOperation] = []
  private(set) var recipe = PlanRecipe()
  private(set) var offset = 0

  init(_ draft: PlanDraft, positions: [UInt8]) throws(QubusError) {
    self.draft = draft
    self.positions = positions
    hasGlobal = draft.globalFirst >= 0 || draft.globalScalar != .one
    recipe.constants = draft.constants
    operations.reserveCapacity(draft.gates.count)
    for (step, product) in draft.products.enumerated() {
      try draft.poll(step)
      recipe.productTerms.append(
        contentsOf: Self.productTerms(draft, product.firstTerm, product.wire))
      recipe.productStarts.append(Int32(recipe.productTerms.count))
    }
  }

  /// Ends the operation whose terms were appended last.
  mutating func append(_ operation: PlanOperation) {
    var operation = operation
    operation.offset = offset
    offset += operation.coefficientCount
    operations.append(operation)
    recipe.starts.append(Int32(recipe.terms.count))
  }

  func mapped(_ mask: UInt64) -> UInt64 { WireMasks.map(mask, positions) }

  func gate(_ index: Int32) -> PlanGate { draft.gates[Int(index)] }

  /// One operation for a gate that is not diagonal.
  mutating func append(_ gate: PlanGate) {
    var targets: [UInt8] = []
    if gate.targetCount > 0 { targets.append(positions[Int(gate.target0)]) }
    if gate.targetCount > 1 { targets.append(positions[Int(gate.target1)]) }
    let kind: OperationKind
    switch gate.kind {
    case .phase:
      appendPhase(gate)
      return
    case .flip: kind = .flip
    case .swap: kind = .swap
    case .real: kind = .real
    case .cross: kind = .cross
    case .dense: kind = .dense
    }
    if kind != .flip, kind != .swap {
      appendTerms(gate)
      if kind == .dense, gate.controlMask == 0 { appendGlobalFactors() }
    }
    append(
      PlanOperation(
        kind: kind, targets: targets, controlMask: mapped(gate.controlMask),
        controlValue: mapped(gate.controlValue)))
  }

  /// A conditional phase as an operation of its own.
  mutating func appendPhase(_ gate: PlanGate) {
    let isNegation = gate.isConstantPhase && gate.scalar == -.one
    if !isNegation { appendFactors(gate) }
    append(
      PlanOperation(
        kind: isNegation ? .negate : .phase, controlMask: mapped(gate.controlMask),
        controlValue: mapped(gate.controlValue)))
  }

  /// The numbers of a phase, as factors of the entries or the slot given.
  mutating func appendFactors(
    _ gate: PlanGate, slot: UInt8 = 0, controlMask: UInt8 = 0
  ) {
    if gate.scalar != .one {
      appendConstantFactor(gate.scalar, slot: slot, controlMask: controlMask)
    }
    appendFactors(gate.firstTerm, slot: slot, controlMask: controlMask)
  }

  mutating func appendConstantFactor(
    _ number: Complex, slot: UInt8 = 0, controlMask: UInt8 = 0
  ) {
    let source = ~Int32(recipe.constants.count)
    recipe.constants.append(number)
    recipe.terms.append(
      RecipeTerm(
        action: .factor, component: DiagonalComponent(0), flippedBits: 0,
        controlMask: controlMask, controlValue: controlMask, slot: slot, source: source))
  }

  mutating func appendFactors(_ first: Int32, slot: UInt8 = 0, controlMask: UInt8 = 0) {
    var next = first
    while next >= 0 {
      let term = draft.terms[Int(next)]
      recipe.terms.append(
        RecipeTerm(
          action: term.action, component: term.component, flippedBits: term.flippedBits,
          controlMask: controlMask, controlValue: controlMask, slot: slot, source: term.source))
      next = term.next
    }
  }

  /// The terms of a block, their wires as bits of the block's index.
  private mutating func appendTerms(_ gate: PlanGate) {
    let second = gate.targetCount > 1 ? gate.target1 : gate.target0
    var next = gate.firstTerm
    while next >= 0 {
      let term = draft.terms[Int(next)]
      recipe.terms.append(
        RecipeTerm(term, gate.target0, second, outer: gate.controlMask))
      next = term.next
    }
  }

  private static func productTerms(
    _ draft: PlanDraft, _ first: Int32, _ wire: UInt8
  ) -> [RecipeTerm] {
    var terms: [RecipeTerm] = []
    var next = first
    while next >= 0 {
      terms.append(RecipeTerm(draft.terms[Int(next)], wire, wire, outer: 0))
      next = draft.terms[Int(next)].next
    }
    return terms
  }
}

extension RecipeTerm {
  /// - Parameter wire0: the block's first wire. Parameter wire1: its second, or the first again.
  /// - Parameter outer: controls of the whole block.
  init(_ term: GateTerm, _ wire0: UInt8, _ wire1: UInt8, outer: UInt64) {
    self.init(
      action: term.action, component: term.component, flippedBits: term.flippedBits,
      source: term.source)
    let mask = term.controlMask & ~outer
    bit0 = term.target0 == wire0 ? 0 : 1
    bit1 = term.target1 == wire0 ? 0 : 1
    controlMask = UInt8(mask >> UInt64(wire0) & 1)
    controlValue = UInt8((term.controlValue & mask) >> UInt64(wire0) & 1)
    if wire1 != wire0 {
      controlMask |= UInt8(mask >> UInt64(wire1) & 1) << 1
      controlValue |= UInt8((term.controlValue & mask) >> UInt64(wire1) & 1) << 1
    }
  }
}
