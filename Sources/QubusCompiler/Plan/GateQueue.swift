/// Gates that wait, in an order that any commutation has to respect.
struct GateQueue {
  let masks: [WireMasks]
  /// Passed over by earlier calls, in order; everything from `next` on was not looked at yet.
  private var passed: [Int32] = []
  private var order: [Int32]
  private var next = 0
  private let wires: UInt64
  /// Bounds the work of one look ahead where some wire is never blocked.
  private static let windowLimit = 1024

  /// - Parameter masks: by gate. Parameter order: gates to run, earliest first.
  init(masks: [WireMasks], order: [Int32], wires: UInt64) {
    self.masks = masks
    self.order = order
    self.wires = wires
  }

  var isEmpty: Bool { passed.isEmpty && next == order.count }

  /// Returns gates that were taken, as the earliest.
  mutating func putBack(_ gates: [Int32]) { passed.insert(contentsOf: gates, at: 0) }

  /// Removes and returns the gates that `isAllowed` and that commute with all gates left behind.
  mutating func take(_ isAllowed: (Int32) -> Bool) -> [Int32] {
    var taken: [Int32] = []
    var left: [Int32] = []
    var blocked = WireMasks()
    var index = 0
    while index < passed.count {
      let gate = passed[index]
      index += 1
      visit(gate, isAllowed, &blocked, &taken, &left)
      if blocked.blocksAll(wires) { break }
    }
    left.append(contentsOf: passed[index...])
    if index == passed.count {
      while next < order.count, left.count < Self.windowLimit, !blocked.blocksAll(wires) {
        visit(order[next], isAllowed, &blocked, &taken, &left)
        next += 1
      }
    }
    passed = left
    return taken
  }

  @inline(__always)
  private func visit(
    _ gate: Int32, _ isAllowed: (Int32) -> Bool, _ blocked: inout WireMasks,
    _ taken: inout [Int32], _ left: inout [Int32]
  ) {
    let mask = masks[Int(gate)]
    if isAllowed(gate), blocked.commutes(with: mask) {
      taken.append(gate)
    } else {
      left.append(gate)
      blocked.insert(mask)
    }
  }

  /// The total weight that `take` would remove if exactly the gates moving `local` wires only were
  /// allowed.
  func weight(local: UInt64, _ weights: [Float]) -> Float {
    var total: Float = 0
    var blocked = WireMasks()
    for index in 0..<min(passed.count + (order.count - next), 2 * Self.windowLimit) {
      let gate = Int(index < passed.count ? passed[index] : order[next + index - passed.count])
      let mask = masks[gate]
      if mask.moved & ~local == 0, blocked.commutes(with: mask) {
        total += weights[gate]
      } else {
        blocked.insert(mask)
        if blocked.blocksAll(wires) { break }
      }
    }
    return total
  }

  /// The wires that a first-come choice makes local: gates in order claim what they move until
  /// `capacity` is reached.
  func firstCome(_ start: UInt64, among allowed: UInt64, capacity: Int) -> UInt64 {
    var local = start
    var blocked = WireMasks()
    for index in 0..<min(passed.count + (order.count - next), 2 * Self.windowLimit) {
      let gate = Int(index < passed.count ? passed[index] : order[next + index - passed.count])
      let mask = masks[gate]
      let wanted = local | mask.moved
      if mask.moved & ~allowed == 0, blocked.commutes(with: mask),
        wanted.nonzeroBitCount <= capacity
      {
        local = wanted
      } else {
        blocked.insert(mask)
        if blocked.blocksAll(wires) { break }
      }
    }
    return local
  }
}
