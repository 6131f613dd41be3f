internal import QubusCore

extension FairQueue {
  /// Where a waiting job stands if nothing comes or goes: its place in its principal's tree is
  /// exact; of every flow beside it, as much is ahead as its weight earns meanwhile.
  func position(of place: UInt32) -> (inLane: Int, overall: Int, microsecondsAhead: Double) {
    let job = jobs[place]
    var node = home(job)
    let (before, workBefore) = jobs.ahead(of: place, in: tree[node].jobs)
    var (ahead, work) = (before, Double(workBefore))
    var inLane = ahead
    while tree[node].parent != JobSlab.none {
      let parent = tree[node].parent
      if parent == Self.device { inLane = ahead }
      let others = tree[parent].count - tree[node].count
      let ratio = othersShare(of: node)
      ahead += min(others, Int((Double(ahead) * ratio).rounded()))
      work += min(Double(tree[parent].work - tree[node].work), work * ratio)
      node = parent
    }
    return (inLane + 1, ahead + 1, work)
  }

  /// What the others that wait beside a node get while it gets 1.
  private func othersShare(of node: UInt32) -> Double {
    let own = history.weight(of: tree[node])
    return max(0, tree[tree[node].parent].waitingWeight - own) / own
  }
}
