internal import QubusCircuit
internal import QubusCore

/// Fuses gates on one or two wires into blocks where that is cheaper.
///
/// Gates are gathered into runs on a pair of wires (or one), each run is cut by dynamic programming
/// (`FusionPath`), and the blocks it chose are written.
struct BlockFusion {
  private var draft: PlanDraft
  private let costs: FusionCosts
  private var out: [PlanGate] = []
  /// The open run on each wire, or -1.
  private var open: [Int32]
  private var runs: [Run] = []

  private struct Run {
    var wires: UInt64
    var gates: [Int32]
  }

  private init(_ draft: PlanDraft, _ figures: CostTable.Figures) {
    self.draft = draft
    costs = FusionCosts(figures)
    open = [Int32](repeating: -1, count: draft.wireCount)
    out.reserveCapacity(draft.gates.count)
  }

  static func run(
    _ draft: inout PlanDraft, _ figures: CostTable.Figures
  ) throws(QubusError) {
    var fusion = BlockFusion(draft, figures)
    for index in draft.gates.indices {
      try draft.poll(index)
      try fusion.visit(Int32(index))
    }
    for wire in fusion.open.indices {
      try draft.check()
      try fusion.close(wire)
    }
    draft = fusion.draft
    draft.gates = fusion.out
  }

  private mutating func visit(_ index: Int32) throws(QubusError) {
    let wires = draft.gates[Int(index)].wires
    switch wires.nonzeroBitCount {
    case 1:
      let wire = wires.trailingZeroBitCount
      if open[wire] < 0 { begin(wires) }
      runs[Int(open[wire])].gates.append(index)
    case 2:
      let (a, b) = (wires.trailingZeroBitCount, 63 - wires.leadingZeroBitCount)
      if open[a] < 0 || open[a] != open[b] { try join(a, b) }
      runs[Int(open[a])].gates.append(index)
    default:
      var rest = wires
      while rest != 0 {
        try close(rest.trailingZeroBitCount)
        rest &= rest - 1
      }
      out.append(draft.gates[Int(index)])
    }
  }

  private mutating func begin(_ wires: UInt64) {
    var rest = wires
    while rest != 0 {
      open[rest.trailingZeroBitCount] = Int32(runs.count)
      rest &= rest - 1
    }
    runs.append(Run(wires: wires, gates: []))
  }

  /// Opens a run on two wires that begins with what is open on each of them alone.
  private mutating func join(_ a: Int, _ b: Int) throws(QubusError) {
    var earlier: [Int32] = []
    for wire in [a, b] {
      guard open[wire] >= 0 else { continue }
      let run = Int(open[wire])
      if runs[run].wires.nonzeroBitCount == 1 {
        earlier.append(contentsOf: runs[run].gates)
        runs[run].gates = []
      } else {
        try close(wire)
      }
    }
    begin(1 << UInt64(a) | 1 << UInt64(b))
    runs[runs.count - 1].gates = earlier
  }

  private mutating func close(_ wire: Int) throws(QubusError) {
    let index = Int(open[wire])
    guard index >= 0 else { return }
    let run = runs[index]
    runs[index].gates = []
    var rest = run.wires
    while rest != 0 {
      open[rest.trailingZeroBitCount] = -1
      rest &= rest - 1
    }
    try write(run)
  }

  // MARK: Blocks

  /// A block that is being written: its gates go into one matrix.
  private struct Block {
    var kind: PlanGate.Kind
    var wires: [UInt8]
    var gates: [Int32] = []
  }

  /// True when no block can be cheaper: no wire has two gates of its own, and all gates together
  /// cost less than any block on both wires.
  private func staysApart(_ run: Run) -> Bool {
    if run.gates.count > 4 { return false }
    var seen: UInt64 = 0
    var cost = 0.0
    for index in run.gates {
      let gate = draft.gates[Int(index)]
      let wires = gate.wires
      if gate.targetCount == 2, gate.controlMask == 0 { return false }
      if wires.nonzeroBitCount == 1 {
        if seen & wires != 0 { return false }
        seen |= wires
      }
      cost += costs.alone(gate)
    }
    return run.wires.nonzeroBitCount == 1 || cost <= min(costs.real2, costs.dense2)
  }

  private mutating func write(_ run: Run) throws(QubusError) {
    if staysApart(run) {
      for gate in run.gates { out.append(draft.gates[Int(gate)]) }
      return
    }
    let first = UInt8(run.wires.trailingZeroBitCount)
    let second = UInt8(63 - run.wires.leadingZeroBitCount)
    var path = FusionPath(costs, isPair: first != second)
    for (step, gate) in run.gates.enumerated() {
      try draft.poll(step)
      path.append(draft.gates[Int(gate)], first: first)
    }
    var blocks: [Block?] = [nil, nil, nil]
    for (place, (step, index)) in zip(path.steps(), run.gates).enumerated() {
      try draft.poll(place)
      let gate = draft.gates[Int(index)]
      // Slots: the two wires by themselves, and the pair.
      let slot = step.block == .pair ? 2 : gate.wires == 1 << UInt64(first) ? 0 : 1
      if !step.continues {
        if slot == 2 || gate.wires.nonzeroBitCount == 2 {
          for other in 0..<3 { finish(&blocks[other]) }
        } else {
          finish(&blocks[slot])
          finish(&blocks[2])
        }
      }
      switch step.block {
      case .none: out.append(gate)
      case .single, .pair:
        if blocks[slot] == nil {
          let wires = step.block == .pair ? [first, second] : [slot == 0 ? first : second]
          blocks[slot] = Block(kind: step.kind, wires: wires)
        }
        blocks[slot]?.gates.append(index)
      }
    }
    for slot in 0..<3 { finish(&blocks[slot]) }
  }

  private mutating func finish(_ block: inout Block?) {
    guard let done = block else { return }
    block = nil
    if done.gates.count == 1 {
      out.append(draft.gates[Int(done.gates[0])])
      return
    }
    var gate = PlanGate(kind: done.kind)
    gate.targetCount = UInt8(done.wires.count)
    gate.target0 = done.wires[0]
    if done.wires.count > 1 { gate.target1 = done.wires[1] }
    gate.isExchange =
      done.wires.count == 1 && done.gates.allSatisfy { draft.gates[Int($0)].isExchange }
    for index in done.gates {
      let part = draft.gates[Int(index)]
      if part.scalar != .one {
        var term = GateTerm(action: .factor, source: draft.constant(part.scalar))
        term.controlMask = part.controlMask
        term.controlValue = part.controlValue
        draft.append(term, &gate.firstTerm, &gate.lastTerm)
      }
      draft.move(part, to: &gate.firstTerm, &gate.lastTerm)
    }
    out.append(gate)
  }
}
