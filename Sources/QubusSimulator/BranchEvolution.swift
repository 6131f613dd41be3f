internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Evolves the states behind one branch, depth first; the smaller part of the shots goes on and
/// the larger waits, so that at most log2(shots) states wait. Beyond the memory limit a part waits
/// without its state, which is then evolved again from the common prefix.
struct BranchEvolution {
  private typealias Path = [(outcome: Bool, probability: Double)]
  private struct Waiting {
    var shots: Range<Int>
    var branch: OutcomeTree.Branch
    var path: Path
    var kept: (machine: ClassicalMachine, state: BlockedState, step: ShotRunner.Outcome)?
  }

  private let runner: ShotRunner
  private let workspace: ShotWorkspace
  private let context: KernelContext
  private var job: BranchJob
  private var path: Path
  private var machine: ClassicalMachine
  private var waiting: [Waiting] = []
  private var keptCount = 0

  /// States that wait in one thread: 64 MiB of them, none of a state above that.
  static func keptLimit(qubitCount: Int, _ precision: Precision) -> Int {
    Int(min(64, 0x1p26 / BlockedState.byteCount(qubitCount: qubitCount, precision)))
  }

  init(
    _ job: BranchJob, path: [(outcome: Bool, probability: Double)], _ runner: ShotRunner,
    _ workspace: ShotWorkspace, _ context: KernelContext
  ) {
    self.job = job
    self.path = path
    self.runner = runner
    self.workspace = workspace
    self.context = context
    machine = runner.start
  }

  /// Writes the final bits of the job's shots.
  mutating func run(_ output: ShotOutput) throws(QubusError) -> BranchJob {
    try replay()
    var shots = 0..<job.shots.count
    var branch = OutcomeTree.Branch.start
    while true {
      try context.check()
      if let step = try runner.advance(&machine, workspace, context) {
        try fork(step, &shots, &branch, output)
        continue
      }
      let words = finalWords()
      for place in shots {
        let start = Int(job.shots[place]) * words.count
        for (index, word) in words.enumerated() { output.words[start + index] = word }
      }
      job.tree.appendEnd(words, behind: branch)
      guard let next = waiting.popLast() else { return job }
      shots = next.shots
      branch = next.branch
      path = next.path
      try resume(next)
    }
  }

  private mutating func fork(
    _ step: ShotRunner.Outcome, _ shots: inout Range<Int>, _ branch: inout OutcomeTree.Branch,
    _ output: ShotOutput
  ) throws(QubusError) {
    let (zero, one) = try workspace.state.probabilities(qubit: step.qubit, context)
    job.drift = max(job.drift, abs(1 - (zero + one)))
    let node = job.tree.append(zero: zero, one: one, behind: branch)
    let rule = job.tree.nodes[Int(node)]
    let draw = UInt32(path.count)
    let middle = job.shots[shots].partition { shot in
      rule.outcome(output.uniform(shot: Int(shot), draw: draw))
    }
    let zeros = shots.lowerBound..<middle
    let ones = middle..<shots.upperBound
    let goesOnWithOne = zeros.isEmpty || !ones.isEmpty && ones.count <= zeros.count
    let rest = goesOnWithOne ? zeros : ones
    if !rest.isEmpty {
      var other = Waiting(
        shots: rest, branch: OutcomeTree.Branch(node: node, outcome: !goesOnWithOne),
        path: path + [(!goesOnWithOne, goesOnWithOne ? zero : one)])
      let state = workspace.state
      if keptCount < Self.keptLimit(qubitCount: state.qubitCount, state.precision) {
        keptCount += 1
        other.kept = (machine, try workspace.copyState(context), step)
      }
      waiting.append(other)
    }
    shots = goesOnWithOne ? ones : zeros
    branch = OutcomeTree.Branch(node: node, outcome: goesOnWithOne)
    try follow(step, goesOnWithOne, goesOnWithOne ? one : zero)
  }

  /// Goes on with an outcome.
  private mutating func follow(
    _ step: ShotRunner.Outcome, _ outcome: Bool, _ probability: Double
  ) throws(QubusError) {
    path.append((outcome, probability))
    try runner.apply(step, outcome, probability: probability, &machine, workspace)
  }

  private mutating func resume(_ next: Waiting) throws(QubusError) {
    guard let kept = next.kept, let last = path.popLast() else { return try replay() }
    keptCount -= 1
    machine = kept.machine
    try workspace.load(kept.state, context)
    workspace.recycle(kept.state)
    try follow(kept.step, last.outcome, last.probability)
  }

  /// Evolves from the common prefix along `path`.
  private mutating func replay() throws(QubusError) {
    machine = runner.start
    try workspace.load(runner.prefix, context)
    for (outcome, probability) in path {
      try context.check()
      guard let step = try runner.advance(&machine, workspace, context) else {
        throw QubusError(.invariantViolated, "a shot ended before its known outcomes")
      }
      try runner.apply(step, outcome, probability: probability, &machine, workspace)
    }
  }

  private func finalWords() -> [UInt64] {
    let bits = machine.state.bits
    var words = [UInt64](repeating: 0, count: max(1, (bits.count + 63) / 64))
    for (bit, isSet) in bits.enumerated() where isSet {
      words[bit / 64] |= 1 << UInt64(bit % 64)
    }
    return words
  }
}
