internal import QubusCircuit

/// Chooses operations for a set of phases that all commute: one linear pass, linear passes under
/// one control (all phases that share a qubit), diagonal blocks, or phases by themselves.
struct PhaseGrouping {
  private let figures: CostTable.Figures
  /// Phases on one wire, by wire; -1 where there is none.
  private var singles = [Int32](repeating: -1, count: 64)
  private var singleCount = 0
  private struct Edge {
    let phase: Int32
    let wires: UInt64
    let cost: Double
  }
  private var edges: [Edge] = []
  private var others: [Int32] = []

  enum Choice {
    case alone(Int32)
    /// Factors by wire under one control or none; the control's own phase is the constant.
    case linear(control: Int?, constant: Int32?, factors: [(wire: Int, phase: Int32)])
    /// All phases lie within the wires.
    case block(wires: UInt64, phases: [Int32])
  }
  private(set) var choices: [Choice] = []

  init(_ phases: [Int32], _ draft: PlanDraft, _ figures: CostTable.Figures) {
    self.figures = figures
    for index in phases {
      let gate = draft.gates[Int(index)]
      let mask = gate.controlMask
      switch mask.nonzeroBitCount {
      case 1 where gate.controlValue == mask: addSingle(mask.trailingZeroBitCount, index)
      case 2 where gate.controlValue == mask:
        let isNegation = gate.isConstantPhase && gate.scalar == -.one
        edges.append(
          Edge(
            phase: index, wires: mask,
            cost: figures.cost(isNegation ? .negate : .phase, targets: 0, controls: 2)))
      default: others.append(index)
      }
    }
    choosePivots()
    chooseBlocks()
    for edge in edges { choices.append(.alone(edge.phase)) }
    chooseSingles()
    for phase in others { choices.append(.alone(phase)) }
  }

  private mutating func addSingle(_ wire: Int, _ phase: Int32) {
    if singles[wire] >= 0 {
      // Two on one wire cannot share a slot; the pass before merged all that it could see.
      others.append(phase)
    } else {
      singles[wire] = phase
      singleCount += 1
    }
  }

  private mutating func takeSingle(_ wire: Int) -> Int32? {
    guard singles[wire] >= 0 else { return nil }
    defer { singles[wire] = -1 }
    singleCount -= 1
    return singles[wire]
  }

  /// Wires with so many phases that one pass under their control is cheaper.
  private mutating func choosePivots() {
    let pass = figures.cost(.linear, targets: 0, controls: 1)
    while edges.count > 1, edges.reduce(0, { $0 + $1.cost }) > pass {
      var sums = [Double](repeating: 0, count: 64)
      for edge in edges {
        sums[edge.wires.trailingZeroBitCount] += edge.cost
        sums[63 - edge.wires.leadingZeroBitCount] += edge.cost
      }
      var pivot = 0
      for wire in 1..<64 where sums[wire] > sums[pivot] { pivot = wire }
      guard sums[pivot] > pass else { return }
      let bit = UInt64(1) << UInt64(pivot)
      var factors: [(wire: Int, phase: Int32)] = []
      var rest: [Edge] = []
      var covered: UInt64 = 0
      for edge in edges {
        let other = edge.wires & ~bit
        if edge.wires & bit != 0, covered & other == 0 {
          covered |= other
          factors.append((other.trailingZeroBitCount, edge.phase))
        } else {
          rest.append(edge)
        }
      }
      edges = rest
      choices.append(.linear(control: pivot, constant: takeSingle(pivot), factors: factors))
    }
  }

  /// Groups of up to five wires with so many phases between them that one diagonal is cheaper.
  private mutating func chooseBlocks() {
    let pass = figures.cost(.diagonal, targets: 5, controls: 0)
    var start = 0
    while start < edges.count, edges.reduce(0, { $0 + $1.cost }) > pass {
      var wires = edges[start].wires
      while wires.nonzeroBitCount < 5 {
        var gains = [Double](repeating: 0, count: 64)
        for edge in edges where (edge.wires & wires).nonzeroBitCount == 1 {
          gains[(edge.wires & ~wires).trailingZeroBitCount] += edge.cost
        }
        var best = 0
        for wire in 1..<64 where gains[wire] > gains[best] { best = wire }
        if gains[best] == 0 { break }
        wires |= 1 << UInt64(best)
      }
      let inside = edges.filter { $0.wires & ~wires == 0 }
      guard inside.reduce(0, { $0 + $1.cost }) > pass else {
        start += 1
        continue
      }
      edges.removeAll { $0.wires & ~wires == 0 }
      appendBlock(wires, inside.map(\.phase))
    }
  }

  private mutating func appendBlock(_ wires: UInt64, _ phases: [Int32]) {
    var phases = phases
    var rest = wires
    while rest != 0 {
      if let single = takeSingle(rest.trailingZeroBitCount) { phases.append(single) }
      rest &= rest - 1
    }
    choices.append(.block(wires: wires, phases: phases))
  }

  private mutating func chooseSingles() {
    guard singleCount > 0 else { return }
    let alone = Double(singleCount) * figures.cost(.phase, targets: 0, controls: 1)
    let block = Double((singleCount + 4) / 5) * figures.cost(.diagonal, targets: 5, controls: 0)
    let linear = figures.cost(.linear, targets: 0, controls: 0)
    let wires = (0..<64).filter { singles[$0] >= 0 }
    if linear <= min(alone, block) {
      choices.append(
        .linear(control: nil, constant: nil, factors: wires.map { ($0, singles[$0]) }))
    } else if alone <= block {
      for wire in wires { choices.append(.alone(singles[wire])) }
    } else {
      for first in stride(from: 0, to: wires.count, by: 5) {
        let group = wires[first..<min(first + 5, wires.count)]
        choices.append(
          .block(
            wires: group.reduce(0) { $0 | 1 << UInt64($1) }, phases: group.map { singles[$0] }))
      }
    }
  }
}
