/// The outcomes that shots have met so far: what a measurement's probabilities are after given
/// earlier outcomes, and how a shot ends. Shots whose way is known need no state.
struct OutcomeTree: Sendable {
  /// A measurement or reset.
  struct Node: Sendable {
    /// Probabilities of the outcomes, before normalisation.
    var zero: Double
    var one: Double
    var origin: Branch
    /// What follows outcome 0 and 1.
    var next: (zero: Link, one: Link) = (.unknown, .unknown)

    /// The outcome of a shot with this uniform.
    @inline(__always)
    func outcome(_ uniform: Double) -> Bool { uniform * (zero + one) >= zero }
  }

  /// The outcome of a node; the root's origin has node -1.
  struct Branch: Sendable, Hashable {
    var node: Int32
    var outcome: Bool
    static let start = Branch(node: -1, outcome: false)
  }

  enum Link: Sendable {
    case unknown
    case node(Int32)
    /// Number of an end.
    case end(Int32)
  }

  private(set) var nodes: [Node] = []
  /// Final bits of every end.
  private(set) var endWords: [UInt64] = []
  let wordsPerEnd: Int
  private var root: Link = .unknown
  /// Nodes that are kept; shots beyond evolve their states again.
  static let nodeLimit = 1 << 16

  init(bitCount: Int) { wordsPerEnd = max(1, (bitCount + 63) / 64) }

  subscript(branch: Branch) -> Link {
    get {
      if branch.node < 0 { return root }
      let next = nodes[Int(branch.node)].next
      return branch.outcome ? next.one : next.zero
    }
    set {
      if branch.node < 0 {
        root = newValue
      } else if branch.outcome {
        nodes[Int(branch.node)].next.one = newValue
      } else {
        nodes[Int(branch.node)].next.zero = newValue
      }
    }
  }

  /// Adds a node behind a branch.
  mutating func append(zero: Double, one: Double, behind origin: Branch) -> Int32 {
    let index = Int32(nodes.count)
    nodes.append(Node(zero: zero, one: one, origin: origin))
    self[origin] = .node(index)
    return index
  }

  mutating func appendEnd(_ words: [UInt64], behind origin: Branch) {
    self[origin] = .end(Int32(endWords.count / wordsPerEnd))
    endWords.append(contentsOf: words)
  }

  /// The outcomes that lead to a branch, from the first on.
  func path(to branch: Branch) -> [(outcome: Bool, probability: Double)] {
    var path: [(outcome: Bool, probability: Double)] = []
    var branch = branch
    while branch.node >= 0 {
      let node = nodes[Int(branch.node)]
      path.append((branch.outcome, branch.outcome ? node.one : node.zero))
      branch = node.origin
    }
    return path.reversed()
  }

  /// Takes over what was found behind a branch, unless it is known by now or there is no room.
  mutating func graft(_ other: OutcomeTree, behind branch: Branch) {
    guard case .unknown = self[branch], nodes.count + other.nodes.count <= Self.nodeLimit else {
      return
    }
    let (nodeOffset, endOffset) = (Int32(nodes.count), Int32(endWords.count / wordsPerEnd))
    func moved(_ link: Link) -> Link {
      switch link {
      case .unknown: .unknown
      case .node(let node): .node(node + nodeOffset)
      case .end(let end): .end(end + endOffset)
      }
    }
    for var node in other.nodes {
      node.next = (moved(node.next.zero), moved(node.next.one))
      node.origin =
        node.origin.node < 0
        ? branch : Branch(node: node.origin.node + nodeOffset, outcome: node.origin.outcome)
      nodes.append(node)
    }
    endWords.append(contentsOf: other.endWords)
    self[branch] = moved(other.root)
  }
}
