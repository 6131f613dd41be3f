internal import HeapModule
internal import QubusCore

/// Waiting jobs of one device in lanes and, within a lane, in a fair queue of tenants, projects and
/// principals. It owns the order and the accounts of who got what; who runs where is not its
/// business. O(log n) each, never a scan.
struct FairQueue: Sendable {
  private struct LeafKey: Hashable, Sendable {
    var lane: Lane
    var path: AccountPath
  }
  private struct NodeKey: Hashable, Sendable {
    var parent: UInt32
    var account: Int
  }
  private struct OverdueEntry: Comparable, Sendable {
    var time: Microseconds
    var place: UInt32

    static func < (a: OverdueEntry, b: OverdueEntry) -> Bool {
      a.time != b.time ? a.time < b.time : a.place < b.place
    }
  }
  private(set) var policy: FairPolicy
  /// Of the device; a job is charged for the larger of its parts of both.
  let cores: Int
  let memoryBytes: UInt64
  var jobs = JobSlab()
  var tree = ShareTree()
  var history: UsageHistory
  /// Latest time seen.
  private(set) var now: Microseconds = .min
  private let lanes: [UInt32]
  private var accounts: [AccountPath: Int] = [:]
  private var nodes: [NodeKey: UInt32] = [:]
  private var leaves: [LeafKey: UInt32] = [:]
  private var paths: [UInt32: AccountPath] = [:]
  private var overdueTimes = Heap<OverdueEntry>()
  private var countByLane = [Int](repeating: 0, count: Lane.allCases.count)

  static let device: UInt32 = 0

  /// - Throws: `invalid_configuration` for a policy that cannot be.
  init(policy: FairPolicy, cores: Int, memoryBytes: UInt64) throws(QubusError) {
    precondition(cores > 0, "a device has cores")
    try policy.validate()
    self.policy = policy
    self.cores = cores
    self.memoryBytes = memoryBytes
    history = UsageHistory(halfLife: policy.usageHalfLife, largestFactor: policy.usageFactor)
    _ = tree.addNode(parent: nil)
    var lanes: [UInt32] = []
    for lane in Lane.allCases {
      let share = policy.laneShares[lane] ?? 1
      lanes.append(tree.addNode(parent: Self.device, fixedWeight: share))
    }
    self.lanes = lanes
    _ = history.addAccount(parent: nil, weight: 1)
  }

  var count: Int { jobs.count }
  /// Waiting jobs that were submitted to a lane, overdue ones included.
  func count(in lane: Lane) -> Int { countByLane[lane.index] }
  func node(of lane: Lane) -> UInt32 { lanes[lane.index] }
  func path(of leaf: UInt32) -> AccountPath { paths[leaf] ?? AccountPath(tenant: "") }
  /// Time at which a waiting job goes to the overdue lane, or earlier.
  var nextOverdue: Microseconds? { overdueTimes.min?.time }

  // MARK: - Accounts

  /// The node of a principal in a lane.
  mutating func leaf(of principal: AccountPath, in lane: Lane) -> UInt32 {
    let lane: Lane = lane == .overdue ? .batch : lane
    let path = AccountPath(
      tenant: principal.tenant, project: principal.project ?? "",
      principal: principal.principal ?? "")
    let key = LeafKey(lane: lane, path: path)
    if let leaf = leaves[key] { return leaf }
    var node = node(of: lane)
    for part in path.levels {
      let account = enter(part)
      let key = NodeKey(parent: node, account: account)
      if let known = nodes[key] {
        node = known
      } else {
        node = tree.addNode(parent: node, account: account)
        nodes[key] = node
      }
    }
    leaves[key] = node
    paths[node] = path
    return node
  }

  /// Account 0 is the sum of all tenants.
  private mutating func enter(_ path: AccountPath) -> Int {
    if let known = accounts[path] { return known }
    let parent = path.parent.map { enter($0) } ?? 0
    let account = history.addAccount(parent: parent, weight: policy.weights[path] ?? 1)
    accounts[path] = account
    return account
  }

  /// With what the past makes of it.
  func currentWeight(_ node: UInt32) -> Double {
    guard let account = tree[node].account else { return tree[node].fixedWeight }
    return history.weight(account) * history.factor(of: account)
  }

  /// - Throws: `invalid_configuration` for a weight that is not above 0.
  mutating func setWeight(_ weight: Double, of path: AccountPath) throws(QubusError) {
    try FairPolicy.checkWeight(weight, of: path)
    let account = enter(path)
    let change = weight - history.weight(account)
    for lane in lanes {
      var node: UInt32? = lane
      for part in path.levels {
        node = node.flatMap { nodes[NodeKey(parent: $0, account: enter(part))] }
      }
      if let node, tree[node].isWaiting { tree[tree[node].parent].waitingWeight += change }
    }
    policy.weights[path] = weight
    history.setWeight(weight, of: account)
  }

  /// Device-seconds that an account used, worth what they are by now; 0 for one that is not known.
  func used(by path: AccountPath) -> Double { accounts[path].map { history.used(by: $0) } ?? 0 }

  /// One that is not known yet used nothing: the past speaks for it as far as it can, once anybody
  /// used anything.
  func standing(of path: AccountPath) -> AccountStanding {
    let factor =
      accounts[path].map { history.factor(of: $0) } ?? history.factorOfUnused(in: parent(of: path))
    return AccountStanding(
      account: path, weight: policy.weights[path] ?? 1, factor: factor, used: used(by: path))
  }

  /// Nil where nobody is known.
  private func parent(of path: AccountPath) -> Int? {
    path.parent.map { accounts[$0] } ?? 0
  }

  /// The same of all principals.
  var use: [AccountPath: Double] {
    var use: [AccountPath: Double] = [:]
    for (path, account) in accounts where path.principal != nil {
      use[path] = history.used(by: account)
    }
    return use
  }

  /// Enters what principals used in an earlier life of the service, already worth less by its age.
  mutating func restore(_ use: [AccountPath: Double]) {
    for path in use.keys.sorted(by: { $0.description < $1.description }) {
      for part in path.levels { history.add(use[path] ?? 0, to: enter(part)) }
    }
  }

  // MARK: - Jobs

  /// The order of a job in its principal's tree: its priority, then its submit, and `stretch` times
  /// what is expected of it, but `longestDue` at most. One that ran past its estimate is expected
  /// to run as long again.
  func due(_ job: QueuedJob) -> Microseconds {
    if job.isOverdue { return job.overdueAt }
    let first = policy.firstSlice[job.lane] ?? policy.defaultFirstSlice
    let known = job.expected > 0 ? job.expected : first
    let left = known > job.attained ? known - job.attained : job.attained
    let patience = min(policy.stretch * Double(left), Double(policy.longestDue))
    let later = Double(job.submittedAt) + patience
    let time = later < 0x1p57 ? Microseconds(later) : 1 << 57
    // Times of one priority lie below those of the next lower one.
    return time - Microseconds(job.priority) << 58
  }

  /// When a job is overdue; `.max`: never. One with a deadline is at the latest when it must start
  /// to keep it, as far as nine of ten such runs go.
  /// - Parameter left: of the run time that those do not exceed.
  func overdueTime(
    _ lane: Lane, expected: Microseconds, submittedAt: Microseconds,
    deadline: Microseconds? = nil, left: Microseconds = 0
  ) -> Microseconds {
    let time = submittedAt.addingReportingOverflow(policy.patience(expected, in: lane) ?? .max)
    let byLane = time.overflow ? .max : time.partialValue
    guard let deadline else { return byLane }
    return min(byLane, max(submittedAt, deadline - max(0, left)))
  }

  /// Lets a job wait whose `leaf` is set; everything else of its place is made here.
  @discardableResult
  mutating func add(_ new: QueuedJob) -> UInt32 {
    var job = new
    job.isOverdue = job.overdueAt <= now
    let place = jobs.add(job)
    countByLane[job.lane.index] += 1
    hang(place)
    if !job.isOverdue, job.overdueAt != .max {
      overdueTimes.insert(OverdueEntry(time: job.overdueAt, place: place))
      tidyOverdueTimes()
    }
    return place
  }

  /// Takes a waiting job out.
  mutating func take(_ place: UInt32) -> QueuedJob {
    unhang(place)
    let job = jobs[place]
    countByLane[job.lane.index] -= 1
    // Whatever still points here finds nothing to do.
    jobs[place].isOverdue = true
    jobs.drop(place)
    return job
  }

  /// Places of an account's waiting jobs, in no order.
  /// - Complexity: these, the principals that ever waited, and the overdue jobs of all.
  func waiting(of account: AccountPath) -> [UInt32] {
    var found: [UInt32] = []
    for (key, leaf) in leaves where account.contains(key.path) {
      jobs.walk(tree[leaf].jobs) { found.append($0) }
    }
    jobs.walk(tree[node(of: .overdue)].jobs) { place in
      if account.contains(path(of: jobs[place].leaf)) { found.append(place) }
    }
    return found
  }

  func home(_ job: QueuedJob) -> UInt32 { job.isOverdue ? node(of: .overdue) : job.leaf }

  private mutating func hang(_ place: UInt32) {
    let node = home(jobs[place])
    let wasEmpty = tree[node].jobs == JobSlab.none
    tree[node].jobs = jobs.insert(place, dueAt: due(jobs[place]), into: tree[node].jobs)
    tree.count(1, work: jobs[place].work, at: node)
    if wasEmpty { tree.wake(node, history) }
  }

  private mutating func unhang(_ place: UInt32) {
    let node = home(jobs[place])
    tree[node].jobs = jobs.remove(place, from: tree[node].jobs)
    tree.count(-1, work: -jobs[place].work, at: node)
    if tree[node].jobs == JobSlab.none { tree.sleep(node, history) }
  }

  /// Jobs that one call moves to the overdue lane; every job comes by several calls, so that no
  /// more wait for it than were restored at once.
  private static let movesPerCall = 4

  /// Time goes on; an earlier time than one seen before changes nothing.
  mutating func advance(to time: Microseconds) {
    guard time >= now else { return }
    if time > now {
      now = time
      history.advance(to: time)
    }
    var moves = 0
    while moves < Self.movesPerCall, let entry = overdueTimes.min, entry.time <= time {
      moves += 1
      overdueTimes.removeMin()
      let place = entry.place
      guard Int(place) < jobs.slots.count, !jobs[place].isOverdue,
        jobs[place].overdueAt == entry.time
      else { continue }
      unhang(place)
      jobs[place].isOverdue = true
      hang(place)
    }
  }

  /// Entries of jobs that left go once they are the majority: amortised O(1).
  private mutating func tidyOverdueTimes() {
    guard overdueTimes.count > 1024, overdueTimes.count > 2 * jobs.count else { return }
    let jobs = self.jobs
    overdueTimes = Heap(
      overdueTimes.unordered.filter { entry in
        Int(entry.place) < jobs.slots.count && !jobs[entry.place].isOverdue
          && jobs[entry.place].overdueAt == entry.time
      })
  }
}

extension AccountPath {
  /// The tenant, its project, the principal: as far as they are named.
  package var levels: [AccountPath] {
    var all = [AccountPath(tenant: tenant)]
    if let project { all.append(AccountPath(tenant: tenant, project: project)) }
    if project != nil, principal != nil { all.append(self) }
    return all
  }

  var parent: AccountPath? {
    if principal != nil { return AccountPath(tenant: tenant, project: project) }
    return project != nil ? AccountPath(tenant: tenant) : nil
  }
}

extension Lane {
  var index: Int {
    switch self {
    case .reserved: 0
    case .overdue: 1
    case .interactive: 2
    case .batch: 3
    case .long: 4
    }
  }
}
