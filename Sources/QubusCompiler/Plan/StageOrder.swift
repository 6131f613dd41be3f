internal import QubusCore

/// Orders a stage's gates: phases are gathered between the gates that need them, gates on
/// different targets lie side by side, and those on low positions form runs.
struct StageOrder {
  /// Gates that are not diagonal, one after the other; or phases that all commute.
  enum Run {
    case moving([Int32])
    case phases([Int32])
  }

  /// Targets below this stay within what the first-level cache holds.
  private static let lowPositions: UInt64 = (1 << 10) - 1

  /// - Parameter masks: by gate, in positions.
  static func runs(
    _ stage: [Int32], _ draft: PlanDraft, masks: [WireMasks], wireCount: Int
  ) throws(QubusError) -> [Run] {
    var queue = GateQueue(masks: masks, order: stage, wires: Staging.low(wireCount))
    var runs: [Run] = []
    var levels = [Int32](repeating: 0, count: 64)
    while !queue.isEmpty {
      try draft.check()
      let moving = queue.take { draft.gates[Int($0)].kind != .phase }
      if !moving.isEmpty { runs.append(.moving(try sorted(moving, draft, masks, &levels))) }
      let phases = queue.take { draft.gates[Int($0)].kind == .phase }
      if !phases.isEmpty { runs.append(.phases(phases)) }
    }
    return runs
  }

  /// Layer by layer; layers alternate between high positions first and low positions first.
  private static func sorted(
    _ gates: [Int32], _ draft: PlanDraft, _ masks: [WireMasks], _ levels: inout [Int32]
  ) throws(QubusError) -> [Int32] {
    if gates.count == 1 { return gates }
    var keys: [(key: UInt64, gate: Int32)] = []
    keys.reserveCapacity(gates.count)
    for (step, gate) in gates.enumerated() {
      try draft.poll(step)
      let mask = masks[Int(gate)]
      var level: Int32 = 0
      forEachBit(mask.all) { level = max(level, levels[$0] + 1) }
      forEachBit(mask.all) { levels[$0] = level }
      let isHigh = mask.moved & ~lowPositions != 0
      let comesFirst = isHigh == (level & 1 == 0)
      let sides: UInt64 = comesFirst ? 0 : 1
      let size = UInt64(mask.moved.nonzeroBitCount > 1 ? 1 : 0)
      let key =
        UInt64(level) << 32 | sides << 24 | size << 16
        | UInt64(mask.moved.trailingZeroBitCount)
      keys.append((key, gate))
    }
    try draft.sort(&keys)
    return keys.map(\.gate)
  }

  private static func forEachBit(_ mask: UInt64, _ body: (Int) -> Void) {
    var rest = mask
    while rest != 0 {
      body(rest.trailingZeroBitCount)
      rest &= rest - 1
    }
  }
}
