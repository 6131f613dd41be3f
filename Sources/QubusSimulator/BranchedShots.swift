internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Shots of a program that measures on its way. Shots share their states as long as their outcomes
/// are the same: each node of the outcome tree is evolved once, and every shot takes its branches
/// by its own uniforms, as if it ran by itself. Used by one thread at a time.
final class BranchedShots {
  private let runner: ShotRunner
  private let context: KernelContext
  private var tree: OutcomeTree
  private(set) var drift = 0.0

  init(_ runner: ShotRunner, _ context: KernelContext) {
    self.runner = runner
    self.context = context
    tree = OutcomeTree(bitCount: runner.bound.program.circuit.bitCount)
  }

  /// Final bits of the shots `first ..< first + count`, in order.
  func run(_ first: UInt64, _ count: Int, _ source: ShotSource) throws(QubusError) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: count * tree.wordsPerEnd)
    let jobs = try words.withUnsafeMutableBufferPointer { (words) throws(QubusError) in
      let output = ShotOutput(words: words, first: first, source: source)
      let open = try walk(count, output)
      return try evolve(groups(open), output)
    }
    for job in jobs {
      drift = max(drift, job.drift)
      tree.graft(job.tree, behind: job.branch)
    }
    return words
  }

  // MARK: Shots on known ways

  /// Follows every shot through the tree.
  /// - Returns: for shots that leave it the branch where they do.
  private func walk(
    _ count: Int, _ output: ShotOutput
  ) throws(QubusError) -> [OutcomeTree.Branch?] {
    var open = [OutcomeTree.Branch?](repeating: nil, count: count)
    let tree = tree
    try open.withUnsafeMutableBufferPointer { (open) throws(QubusError) in
      nonisolated(unsafe) let open = open
      try context.forRuns(count, grain: 4096) { shots in
        for shot in shots { open[shot] = Self.follow(tree, shot, output) }
      }
    }
    return open
  }

  private static func follow(
    _ tree: OutcomeTree, _ shot: Int, _ output: ShotOutput
  ) -> OutcomeTree.Branch? {
    var branch = OutcomeTree.Branch.start
    var draw: UInt32 = 0
    while true {
      switch tree[branch] {
      case .unknown: return branch
      case .node(let node):
        let outcome = tree.nodes[Int(node)].outcome(output.uniform(shot: shot, draw: draw))
        branch = OutcomeTree.Branch(node: node, outcome: outcome)
        draw += 1
      case .end(let end):
        let start = Int(end) * tree.wordsPerEnd
        for word in 0..<tree.wordsPerEnd {
          output.words[shot * tree.wordsPerEnd + word] = tree.endWords[start + word]
        }
        return nil
      }
    }
  }

  // MARK: Shots on new ways

  private func groups(_ open: [OutcomeTree.Branch?]) -> [BranchJob] {
    var groupOf: [OutcomeTree.Branch: Int] = [:]
    var groups: [(branch: OutcomeTree.Branch, shots: [Int32])] = []
    for (shot, branch) in open.enumerated() {
      guard let branch else { continue }
      let group = groupOf[branch] ?? groups.count
      if group == groups.count {
        groupOf[branch] = group
        groups.append((branch, []))
      }
      groups[group].shots.append(Int32(shot))
    }
    // Few groups are cut, so that every thread has one; a cut repeats some work on several threads.
    let threads = sharesState ? 1 : context.team.threadCount
    let cuts = groups.count >= 2 * threads ? 1 : threads
    return groups.flatMap { group in
      (0..<min(cuts, group.shots.count)).map { cut in
        let pieces = min(cuts, group.shots.count)
        let start = cut * group.shots.count / pieces
        let end = (cut + 1) * group.shots.count / pieces
        return BranchJob(
          branch: group.branch, shots: Array(group.shots[start..<end]),
          tree: OutcomeTree(bitCount: runner.bound.program.circuit.bitCount))
      }
    }
  }

  /// Above this size all threads work on one state.
  private var sharesState: Bool { runner.prefix.qubitCount > RowSimulation.ownStateQubits }

  private func evolve(
    _ jobs: [BranchJob], _ output: ShotOutput
  ) throws(QubusError) -> [BranchJob] {
    if jobs.isEmpty { return [] }
    let results = Lock([Result<[BranchJob], QubusError>?](repeating: nil, count: jobs.count))
    let tasks = sharesState ? 1 : min(jobs.count, 64)
    let (runner, tree, context) = (runner, tree, context)
    let work = { @Sendable (task: Int) in
      let range = task * jobs.count / tasks..<(task + 1) * jobs.count / tasks
      let result: Result<[BranchJob], QubusError>
      do throws(QubusError) {
        result = .success(
          try runner.withWorkspace { (workspace) throws(QubusError) in
            var done: [BranchJob] = []
            for index in range {
              var evolution = BranchEvolution(
                jobs[index], path: tree.path(to: jobs[index].branch), runner, workspace, context)
              done.append(try evolution.run(output))
            }
            return done
          })
      } catch {
        result = .failure(error)
      }
      results.withLock { $0[task] = result }
    }
    if tasks == 1 { work(0) } else { context.team.run(tasks: tasks, work) }
    var done: [BranchJob] = []
    for result in results.withLock({ $0[..<tasks] }) {
      guard let part = try result?.get() else {
        throw QubusError(.invariantViolated, "a task brought no result")
      }
      done += part
    }
    return done
  }
}

/// Where shots' final bits go and where their uniforms come from.
///
/// `@unchecked Sendable`: every shot is written by one thread, into its own words.
struct ShotOutput: @unchecked Sendable {
  let words: UnsafeMutableBufferPointer<UInt64>
  let first: UInt64
  let source: ShotSource

  func uniform(shot: Int, draw: UInt32) -> Double {
    source.philox.uniform(
      draw: draw, shot: first + UInt64(shot), purpose: .midCircuit, pub: source.pub,
      row: source.row)
  }
}

/// Shots that leave the known outcomes at one branch, and what was found behind it.
struct BranchJob: Sendable {
  let branch: OutcomeTree.Branch
  var shots: [Int32]
  var tree: OutcomeTree
  var drift = 0.0
}
