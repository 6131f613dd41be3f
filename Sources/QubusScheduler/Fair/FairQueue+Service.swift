internal import QubusCore

/// What a start was charged at each level, so that it can be settled by what was really used.
struct Charge: Sendable {
  var lane: UInt32
  var leaf: UInt32
  /// Device-seconds.
  var amount: Double
  /// The same over the weights of lane, tenant, project and principal at that time.
  var steps: SIMD4<Double>
}

extension FairQueue {
  /// Part of the device that a job takes: of its cores or of its memory, the larger.
  func demand(_ job: QueuedJob) -> Double {
    let ofCores = Double(job.cores) / Double(cores)
    guard memoryBytes > 0 else { return ofCores }
    return min(1, max(ofCores, Double(job.memoryBytes) / Double(memoryBytes)))
  }

  /// The job whose turn it is.
  var head: UInt32? {
    tree.first(below: Self.device).flatMap { head(below: $0) }
  }

  /// The job of one lane whose turn it is there.
  func head(in lane: Lane) -> UInt32? { head(below: node(of: lane)) }

  private func head(below start: UInt32) -> UInt32? {
    var node = start
    while let child = tree.first(below: node) { node = child }
    return jobs.first(in: tree[node].jobs)
  }

  /// The first in fair order that fits, with at most so many looks.
  func first(fitting room: Room, looks: inout Int) -> UInt32? {
    first(below: Self.device, fitting: room, looks: &looks)
  }

  private func first(below node: UInt32, fitting room: Room, looks: inout Int) -> UInt32? {
    if tree[node].jobs != JobSlab.none {
      return jobs.first(in: tree[node].jobs, fitting: room, looks: &looks)
    }
    guard let child = tree.first(below: node) else { return nil }
    if tree[node].waiting.count == 1 { return first(below: child, fitting: room, looks: &looks) }
    // Places of the heap whose parents were visited, largest tag first.
    var frontier = [0]
    while looks > 0, let place = frontier.popLast() {
      let child = tree[node].waiting[place]
      if let found = first(below: child, fitting: room, looks: &looks) { return found }
      tree.visited(place, below: node, &frontier)
    }
    return nil
  }

  /// Takes a job out to be run and charges those it belongs to.
  /// - Parameters:
  ///   - time: what it is expected to run, at least 1 µs; settled later.
  ///   - inTurn: false for one that fills what would stay idle.
  mutating func serve(
    _ place: UInt32, for time: Microseconds, inTurn: Bool = true
  ) -> (QueuedJob, Charge) {
    let job = jobs[place]
    let charge = charge(job, for: time, inTurn: inTurn)
    _ = take(place)
    return (job, charge)
  }

  /// Charges for a job whether or not it waits here. One that fills what would stay idle costs its
  /// principal and nothing else: its lane pays no turn for it, or narrow jobs could put off the
  /// turn of a wide one for ever, and no virtual time goes on.
  mutating func charge(
    _ job: QueuedJob, for time: Microseconds, inTurn: Bool = true
  ) -> Charge {
    let amount = demand(job) * Double(max(1, time)) * 1e-6
    let lane = job.isOverdue ? node(of: .overdue) : laneNode(above: job.leaf)
    var charge = Charge(lane: lane, leaf: job.leaf, amount: amount, steps: .zero)
    if inTurn {
      tree.serve(lane)
      charge.steps[0] = amount / currentWeight(lane)
    }
    var node = job.leaf
    for level in stride(from: 3, through: 1, by: -1) where tree[node].account != nil {
      if inTurn && !job.isOverdue { tree.serve(node) }
      charge.steps[level] = amount / currentWeight(node)
      node = tree[node].parent
    }
    move(charge, by: 1)
    return charge
  }

  /// Sets what a charge should have been.
  /// - Parameter used: device-seconds; a tag never falls below what it was before the charge.
  mutating func settle(_ charge: Charge, used: Double) {
    move(charge, by: max(0, used) / charge.amount - 1)
  }

  private mutating func move(_ charge: Charge, by part: Double) {
    tree.move(charge.lane, by: charge.steps[0] * part)
    var node = charge.leaf
    for level in stride(from: 3, through: 1, by: -1) {
      guard let account = tree[node].account else { break }
      tree.move(node, by: charge.steps[level] * part)
      history.add(charge.amount * part, to: account)
      node = tree[node].parent
    }
  }

  private func laneNode(above leaf: UInt32) -> UInt32 {
    var node = leaf
    while tree[node].account != nil { node = tree[node].parent }
    return node
  }
}
