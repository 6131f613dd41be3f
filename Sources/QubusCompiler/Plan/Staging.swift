internal import QubusCore

/// Cuts a draft into stages: which gates run while which positions are local.
struct Staging {
  struct Stage {
    var gates: [Int32]
    var localMask: UInt64
    var liveCount: Int
  }

  private(set) var stages: [Stage] = []
  /// The position of each wire.
  private(set) var positions: [UInt8]

  private let precision: Precision
  private let chunk: ChunkSize
  private let startsFromZero: Bool
  private let count: Int
  private let figures: CostTable.Figures
  private(set) var queue: GateQueue
  private let weights: [Float]
  private let searches: Bool
  /// The lowest position that is |0⟩ and everything above it.
  private var live: Int

  /// - Parameter draft: its gates are read in order; wires become positions.
  init(
    _ draft: PlanDraft, precision: Precision, startsFromZero: Bool, figures: CostTable.Figures,
    chunk: ChunkSize
  ) throws(QubusError) {
    self.chunk = chunk
    self.startsFromZero = startsFromZero
    self.precision = precision
    self.figures = figures
    count = draft.wireCount
    positions = startsFromZero ? try Self.firstUse(draft) : draft.identityWires
    var masks: [WireMasks] = []
    var weights: [Float] = []
    masks.reserveCapacity(draft.gates.count)
    weights.reserveCapacity(draft.gates.count)
    for (step, gate) in draft.gates.enumerated() {
      try draft.poll(step)
      masks.append(WireMasks(gate).mapped(positions))
      weights.append(Self.weight(gate, figures))
    }
    self.weights = weights
    live =
      startsFromZero ? min(count, chunk.whole) : count
    queue = GateQueue(
      masks: masks, order: (0..<Int32(draft.gates.count)).map { $0 },
      wires: count == 64 ? ~0 : (1 << UInt64(count)) - 1)
    searches = draft.gates.count <= 50_000
  }

  /// Positions in order of the first gate that moves a wire away from |0⟩.
  private static func firstUse(_ draft: PlanDraft) throws(QubusError) -> [UInt8] {
    var positions = [UInt8](repeating: 0, count: draft.wireCount)
    var seen: UInt64 = 0
    var next: UInt8 = 0
    func place(_ mask: UInt64) {
      var rest = mask & ~seen
      seen |= mask
      while rest != 0 {
        positions[rest.trailingZeroBitCount] = next
        next += 1
        rest &= rest - 1
      }
    }
    for (step, gate) in draft.gates.enumerated() {
      try draft.poll(step)
      // A control that is not live yet would have been removed, so targets decide.
      if !gate.isDiagonal { place(gate.targetMask) }
    }
    place(draft.wireCount == 64 ? ~0 : (1 << UInt64(draft.wireCount)) - 1)
    return positions
  }

  private static func weight(_ gate: PlanGate, _ figures: CostTable.Figures) -> Float {
    let targets = Int(gate.targetCount)
    let controls = gate.controlMask.nonzeroBitCount
    let cost =
      switch gate.kind {
      case .phase: figures.cost(.phase, targets: 0, controls: controls) / 4
      case .flip: figures.cost(.flip, targets: 1, controls: controls)
      case .swap: figures.cost(.swap, targets: 2, controls: controls)
      case .real: figures.cost(.real, targets: targets, controls: controls)
      case .cross: figures.cost(.cross, targets: targets, controls: controls)
      case .dense: figures.cost(.dense, targets: targets, controls: controls)
      }
    return Float(cost)
  }

  /// - Parameter draft: says when to stop.
  mutating func run(polling draft: PlanDraft) throws(QubusError) {
    while !queue.isEmpty {
      try draft.check()
      let bits = chunk.bits(live: live, precision)
      let all = Self.low(live)
      var local = all
      if bits < live { local = chooseLocal(among: all, capacity: bits) }
      if live < count {
        // Gates run at half the cost as long as the highest live position is not needed yet.
        let gain = Double(queue.weight(local: local, weights)) / 2
        if gain < figures.memoryPass, bits < live || gain == 0 {
          live += 1
          continue
        }
      }
      let masks = queue.masks
      var taken = queue.take { masks[Int($0)].moved & ~local == 0 }
      if live == count, !queue.isEmpty { taken = try deferPhases(taken, draft) }
      if taken.isEmpty {
        precondition(live < count, "a gate fits no chunk")
        live += 1
        continue
      }
      stages.append(
        Stage(
          gates: taken, localMask: local | Self.low(precision.laneBits), liveCount: live))
      if live < count { live += 1 }
    }
  }

  /// Puts phases back that nothing in this stage waits for: later they meet others.
  private mutating func deferPhases(
    _ taken: [Int32], _ draft: PlanDraft
  ) throws(QubusError) -> [Int32] {
    var later = WireMasks()
    var kept: [Int32] = []
    var deferred: [Int32] = []
    for (step, gate) in taken.reversed().enumerated() {
      try draft.poll(step)
      let mask = queue.masks[Int(gate)]
      if mask.moved == 0, later.commutes(with: mask) {
        deferred.append(gate)
      } else {
        later.insert(mask)
        kept.append(gate)
      }
    }
    if kept.isEmpty { return taken }
    queue.putBack(deferred.reversed())
    return kept.reversed()
  }

  static func low(_ bits: Int) -> UInt64 { bits >= 64 ? ~0 : (1 << UInt64(bits)) - 1 }

  // MARK: Local positions

  /// Positions whose gates are worth most: runs of consecutive amplitudes stay long because the
  /// lowest positions always belong.
  private func chooseLocal(among all: UInt64, capacity: Int) -> UInt64 {
    let lowest = max(precision.laneBits, min(6, capacity - 6))
    let base = Self.low(lowest)
    let first = queue.firstCome(base, among: all, capacity: capacity)
    var best = fill(first, among: all, capacity)
    var bestWeight = queue.weight(local: best, weights)
    func consider(_ candidate: UInt64) {
      let weight = queue.weight(local: candidate, weights)
      if weight > bestWeight {
        best = candidate
        bestWeight = weight
      }
    }
    for start in lowest...max(lowest, all.nonzeroBitCount - (capacity - lowest)) {
      let run = Self.low(start + capacity - lowest) & ~Self.low(start)
      consider(fill((base | run) & all, among: all, capacity))
    }
    guard searches else { return best }
    for _ in 0..<3 {
      let before = bestWeight
      let current = best
      var outside = all & ~current
      while outside != 0 {
        let added = outside & (~outside + 1)
        outside &= outside - 1
        var inside = current & ~base
        while inside != 0 {
          let removed = inside & (~inside + 1)
          inside &= inside - 1
          consider(current & ~removed | added)
        }
      }
      if bestWeight == before { break }
    }
    return best
  }

  private func fill(_ mask: UInt64, among all: UInt64, _ capacity: Int) -> UInt64 {
    var mask = mask
    var rest = all & ~mask
    while mask.nonzeroBitCount < capacity, rest != 0 {
      mask |= rest & (~rest + 1)
      rest &= rest - 1
    }
    return mask
  }
}

extension WireMasks {
  func mapped(_ positions: [UInt8]) -> WireMasks {
    var result = WireMasks()
    result.diagonal = Self.map(diagonal, positions)
    result.exchanged = Self.map(exchanged, positions)
    result.other = Self.map(other, positions)
    return result
  }

  static func map(_ mask: UInt64, _ positions: [UInt8]) -> UInt64 {
    var result: UInt64 = 0
    var rest = mask
    while rest != 0 {
      result |= 1 << UInt64(positions[rest.trailingZeroBitCount])
      rest &= rest - 1
    }
    return result
  }
}

extension PlanDraft {
  var identityWires: [UInt8] { (0..<wireCount).map { UInt8($0) } }
}
