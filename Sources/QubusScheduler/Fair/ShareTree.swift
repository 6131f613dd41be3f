internal import QubusCore

/// Start-time fair queueing over a tree of flows: whoever has the smallest start tag is next, and
/// pays for what it gets by a larger one.
/// - Source: Goyal, Vin & Cheng 1996, "Start-time fair queueing", §2 and §3 (hierarchical).
struct ShareTree: Sendable {
  private(set) var nodes: [ShareNode] = []

  /// - Parameter parent: nil for the root, which is node 0.
  mutating func addNode(parent: UInt32?, account: Int? = nil, fixedWeight: Double = 1) -> UInt32 {
    nodes.append(
      ShareNode(parent: parent ?? JobSlab.none, account: account, fixedWeight: fixedWeight))
    return UInt32(nodes.count - 1)
  }

  subscript(_ node: UInt32) -> ShareNode {
    _read { yield nodes[Int(node)] }
    _modify { yield &nodes[Int(node)] }
  }

  /// The next of `node`'s children.
  func first(below node: UInt32) -> UInt32? { self[node].waiting.first }

  // MARK: - Waiting or not

  /// Counts jobs in or out of a node and all above it.
  mutating func count(_ jobs: Int, work: Int64, at node: UInt32) {
    var at = node
    while at != JobSlab.none {
      self[at].count += jobs
      self[at].work += work
      at = self[at].parent
    }
  }

  /// Something waits at this node from now on: it and those above take their turn again, not before
  /// where the others are by now, so that nobody saves up what it does not use.
  mutating func wake(_ node: UInt32, _ history: UsageHistory) {
    var at = node
    while self[at].parent != JobSlab.none, !self[at].isWaiting {
      let parent = self[at].parent
      self[at].tag = max(self[at].tag, self[parent].virtualTime)
      self[parent].waitingWeight += history.weight(of: self[at])
      self[at].place = UInt32(self[parent].waiting.count)
      self[parent].waiting.append(at)
      rise(at)
      at = parent
    }
  }

  /// Nothing waits at this node any more.
  mutating func sleep(_ node: UInt32, _ history: UsageHistory) {
    var at = node
    while self[at].parent != JobSlab.none, self[at].isWaiting, self[at].waiting.isEmpty,
      self[at].jobs == JobSlab.none
    {
      let parent = self[at].parent
      let place = Int(self[at].place)
      self[at].place = JobSlab.none
      let last = self[parent].waiting.removeLast()
      if last != at {
        self[parent].waiting[place] = last
        self[last].place = UInt32(place)
        rise(last)
        sink(last)
      }
      let left = self[parent].waitingWeight - history.weight(of: self[at])
      self[parent].waitingWeight = self[parent].waiting.isEmpty ? 0 : max(0, left)
      at = parent
    }
  }

  // MARK: - Service

  /// `node` is served: its parent's virtual time goes on.
  mutating func serve(_ node: UInt32) {
    let parent = self[node].parent
    guard parent != JobSlab.none else { return }
    self[parent].virtualTime = max(self[parent].virtualTime, self[node].tag)
  }

  /// Moves the tag of a node, up for service and down for what was charged too much.
  mutating func move(_ node: UInt32, by amount: Double) {
    self[node].tag += amount
    guard self[node].isWaiting else { return }
    if amount > 0 { sink(node) } else { rise(node) }
  }

  // MARK: - Heap

  private func isBefore(_ a: UInt32, _ b: UInt32) -> Bool {
    let (first, second) = (self[a].tag, self[b].tag)
    return first != second ? first < second : a < b
  }

  private mutating func rise(_ node: UInt32) {
    let parent = self[node].parent
    var place = Int(self[node].place)
    while place > 0 {
      let above = self[parent].waiting[(place - 1) / 2]
      guard isBefore(node, above) else { break }
      self[parent].waiting[place] = above
      self[above].place = UInt32(place)
      place = (place - 1) / 2
    }
    self[parent].waiting[place] = node
    self[node].place = UInt32(place)
  }

  private mutating func sink(_ node: UInt32) {
    let parent = self[node].parent
    let count = self[parent].waiting.count
    var place = Int(self[node].place)
    while 2 * place + 1 < count {
      var child = 2 * place + 1
      if child + 1 < count,
        isBefore(self[parent].waiting[child + 1], self[parent].waiting[child])
      {
        child += 1
      }
      let below = self[parent].waiting[child]
      guard isBefore(below, node) else { break }
      self[parent].waiting[place] = below
      self[below].place = UInt32(place)
      place = child
    }
    self[parent].waiting[place] = node
    self[node].place = UInt32(place)
  }

  // MARK: - In order

  /// Carries a walk over the children of `node` on, smallest tag first: `place` of its heap was
  /// visited; those below it come into the frontier, which has the next one last.
  func visited(_ place: Int, below node: UInt32, _ frontier: inout [Int]) {
    let count = self[node].waiting.count
    for child in 2 * place + 1...2 * place + 2 where child < count {
      var index = frontier.count
      while index > 0,
        isBefore(self[node].waiting[frontier[index - 1]], self[node].waiting[child])
      {
        index -= 1
      }
      frontier.insert(child, at: index)
    }
  }
}
