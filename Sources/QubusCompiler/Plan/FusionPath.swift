internal import QubusCircuit

/// Costs of the blocks that fusion chooses between, in nanoseconds per amplitude.
struct FusionCosts {
  let real1: Double
  let cross1: Double
  let dense1: Double
  let real2: Double
  let dense2: Double
  /// A phase on one wire, as its share of a pass that it shares with others.
  let singlePhase: Double
  let pairPhase: Double
  let negation: Double
  let figures: CostTable.Figures

  init(_ figures: CostTable.Figures) {
    self.figures = figures
    singlePhase = figures.cost(.linear, targets: 0, controls: 0) / 8
    real1 = figures.cost(.real, targets: 1, controls: 0)
    cross1 = figures.cost(.cross, targets: 1, controls: 0)
    // Dense gates in number are split into a real one and two phases.
    dense1 = min(figures.cost(.dense, targets: 1, controls: 0), real1 + 2 * singlePhase)
    real2 = figures.cost(.real, targets: 2, controls: 0)
    dense2 = figures.cost(.dense, targets: 2, controls: 0)
    pairPhase = figures.cost(.phase, targets: 0, controls: 2)
    negation = figures.cost(.negate, targets: 0, controls: 2)
  }

  func alone(_ gate: PlanGate) -> Double {
    let controls = gate.controlMask.nonzeroBitCount
    switch gate.kind {
    case .phase where controls == 1: return singlePhase
    case .phase:
      return gate.isConstantPhase && gate.scalar == -.one ? negation : pairPhase
    case .flip: return figures.cost(.flip, targets: 1, controls: controls)
    case .swap: return figures.cost(.swap, targets: 2, controls: controls)
    case .real: return figures.cost(.real, targets: Int(gate.targetCount), controls: controls)
    case .cross: return figures.cost(.cross, targets: 1, controls: controls)
    case .dense: return figures.cost(.dense, targets: Int(gate.targetCount), controls: controls)
    }
  }
}

/// The cheapest way to cut a run of gates on up to two wires into blocks.
///
/// The state after a gate is which block is open: none, real, cross or dense on each wire alone,
/// or real or dense on the pair. Opening a block costs its price, staying in it nothing.
/// - Complexity: linear in gates; dynamic programming over 18 states.
struct FusionPath {
  enum BlockSize { case none, single, pair }

  struct Step {
    var block: BlockSize
    var kind: PlanGate.Kind
    /// True when the gate joins the block that the gate before it left open.
    var continues: Bool
  }

  private static let realPair = 16
  private static let densePair = 17
  private static let stateCount = 18

  private let costs: FusionCosts
  private let isPair: Bool
  private var totals: [Double]
  private var next: [Double]
  /// By gate and state: the state before.
  private var origins: [UInt8] = []
  /// By gate: 0 or 1 for a gate on one wire alone, 2 for both.
  private var sides: [UInt8] = []

  init(_ costs: FusionCosts, isPair: Bool) {
    self.costs = costs
    self.isPair = isPair
    totals = [Double](repeating: .infinity, count: Self.stateCount)
    next = totals
    totals[0] = 0
  }

  private static func isReal(_ gate: PlanGate) -> Bool {
    switch gate.kind {
    case .real, .flip, .swap: true
    case .phase: gate.isConstantPhase && gate.scalar.im == 0
    case .cross, .dense: false
    }
  }

  /// The class of a gate on one wire: 1 real, 2 cross, 3 dense, 0 a phase.
  private static func singleClass(_ gate: PlanGate) -> Int {
    switch gate.kind {
    case .phase: 0
    case .real, .flip: 1
    case .cross: 2
    case .dense, .swap: 3
    }
  }

  mutating func append(_ gate: PlanGate, first: UInt8) {
    for state in next.indices { next[state] = .infinity }
    origins.append(contentsOf: repeatElement(0, count: Self.stateCount))
    let isSingle = gate.wires.nonzeroBitCount == 1
    let side = isSingle ? (gate.wires == 1 << UInt64(first) ? 0 : 1) : 2
    sides.append(UInt8(side))
    let isReal = Self.isReal(gate)
    let alone = costs.alone(gate)
    for state in 0..<Self.stateCount where totals[state] < .infinity {
      let total = totals[state]
      if state >= Self.realPair, state == Self.densePair || isReal {
        reach(state, total, from: state)
      }
      if isPair {
        if isReal { reach(Self.realPair, total + costs.real2, from: state) }
        reach(Self.densePair, total + costs.dense2, from: state)
      }
      if isSingle {
        reachSingle(gate, state, total, alone, side)
      } else if gate.targetCount < 2 || gate.controlMask != 0 {
        reach(0, total + alone, from: state)
      }
    }
    swap(&totals, &next)
  }

  @inline(__always)
  private mutating func reach(_ state: Int, _ cost: Double, from origin: Int) {
    if cost < next[state] {
      next[state] = cost
      origins[origins.count - Self.stateCount + state] = UInt8(origin)
    }
  }

  private mutating func reachSingle(
    _ gate: PlanGate, _ state: Int, _ total: Double, _ alone: Double, _ side: Int
  ) {
    let outer = state >= Self.realPair ? 0 : state
    let shift = 2 * side
    let current = outer >> shift & 3
    let rest = outer & ~(3 << shift)
    let kind = Self.singleClass(gate)
    if current == 3 || (kind != 0 && current == kind) { reach(outer, total, from: state) }
    reach(rest | 3 << shift, total + costs.dense1, from: state)
    switch kind {
    case 0: reach(rest, total + alone, from: state)
    case 1: reach(rest | 1 << shift, total + costs.real1, from: state)
    case 2: reach(rest | 2 << shift, total + costs.cross1, from: state)
    default: break
    }
  }

  /// The cheapest cut, gate by gate.
  func steps() -> [Step] {
    var state = 0
    for candidate in 1..<Self.stateCount where totals[candidate] < totals[state] {
      state = candidate
    }
    var steps: [Step] = []
    steps.reserveCapacity(sides.count)
    for index in sides.indices.reversed() {
      let origin = Int(origins[index * Self.stateCount + state])
      steps.append(step(state, origin, side: Int(sides[index])))
      state = origin
    }
    return steps.reversed()
  }

  private func step(_ state: Int, _ origin: Int, side: Int) -> Step {
    if state >= Self.realPair {
      return Step(
        block: .pair, kind: state == Self.realPair ? .real : .dense, continues: state == origin)
    }
    guard side < 2 else { return Step(block: .none, kind: .phase, continues: false) }
    let now = state >> (2 * side) & 3
    let before = origin >= Self.realPair ? 0 : origin >> (2 * side) & 3
    if now == 0 { return Step(block: .none, kind: .phase, continues: false) }
    let kind: PlanGate.Kind = now == 1 ? .real : now == 2 ? .cross : .dense
    return Step(block: .single, kind: kind, continues: now == before)
  }
}
