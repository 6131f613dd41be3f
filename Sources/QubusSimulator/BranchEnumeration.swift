internal import QubusCircuit
package import QubusCompiler
internal import QubusCore

/// Exact probabilities of a program that measures on its way: both outcomes of every measurement
/// are followed, depth first, each with its weight.
package struct BranchEnumeration {
  private struct Branch {
    var machine: ClassicalMachine
    var state: BlockedState
    var weight: Double
    /// The outcome that the branch starts with, not applied yet.
    var pending: (step: ShotRunner.Outcome, outcome: Bool, probability: Double)?
  }

  /// Ends of branches that are followed before the program is refused.
  static let branchLimit = 1 << 16
  /// States that may wait at once: 64 MiB of them, at least 8.
  package static func waitingLimit(qubitCount: Int, _ precision: Precision) -> Int {
    let fitting = 0x1p26 / BlockedState.byteCount(qubitCount: qubitCount, precision)
    return Int(min(max(fitting, 8), 4096))
  }
  /// Branches of less weight are dropped: they change no probability by more than its rounding.
  static let negligibleWeight = 1e-16

  private let runner: ShotRunner
  private let context: KernelContext
  private var branches: [Branch] = []
  private(set) var drift = 0.0

  init(_ runner: ShotRunner, _ context: KernelContext) {
    self.runner = runner
    self.context = context
  }

  /// - Returns: 2^bits probabilities.
  /// - Throws: `invalid_outputs` beyond the limits.
  mutating func run() throws(QubusError) -> [Double] {
    let bitCount = runner.bound.program.circuit.bitCount
    var result = [Double](repeating: 0, count: 1 << bitCount)
    let workspace = try runner.makeWorkspace()
    try workspace.load(runner.prefix, context)
    var ends = 0
    var machine = runner.start
    var weight = 1.0
    while true {
      try context.check()
      // A loop until success goes on for ever on a path that is ever less likely.
      if weight > Self.negligibleWeight {
        if let step = try runner.advance(&machine, workspace, context) {
          try fork(step, &machine, workspace, &weight)
          continue
        }
        var key = 0
        for (bit, isSet) in machine.state.bits.enumerated() where isSet { key |= 1 << bit }
        result[key] += weight
      }
      ends += 1
      guard ends <= Self.branchLimit else {
        throw .field(
          .invalidOutputs, "outputs.probabilities",
          "the program's measurements branch too often for exact probabilities",
          limit: "\(Self.branchLimit) branches")
      }
      guard let next = branches.popLast() else { return result }
      try workspace.load(next.state, context)
      workspace.recycle(next.state)
      machine = next.machine
      weight = next.weight
      if let (step, outcome, probability) = next.pending {
        try runner.apply(step, outcome, probability: probability, &machine, workspace)
      }
    }
  }

  /// Goes on with the likelier outcome and leaves the other for later, unless it is negligible.
  private mutating func fork(
    _ step: ShotRunner.Outcome, _ machine: inout ClassicalMachine, _ workspace: ShotWorkspace,
    _ weight: inout Double
  ) throws(QubusError) {
    let (zero, one) = try workspace.state.probabilities(qubit: step.qubit, context)
    drift = max(drift, abs(1 - (zero + one)))
    let likely = one > zero
    let (more, less) = likely ? (one, zero) : (zero, one)
    let rest = weight * less / (zero + one)
    if rest > Self.negligibleWeight {
      try wait(step, !likely, probability: less, weight: rest, machine, workspace)
    }
    weight *= more / (zero + one)
    try runner.apply(step, likely, probability: more, &machine, workspace)
  }

  private mutating func wait(
    _ step: ShotRunner.Outcome, _ outcome: Bool, probability: Double, weight: Double,
    _ machine: ClassicalMachine, _ workspace: ShotWorkspace
  ) throws(QubusError) {
    let state = workspace.state
    let limit = Self.waitingLimit(qubitCount: state.qubitCount, state.precision)
    guard branches.count < limit else {
      throw .field(
        .invalidOutputs, "outputs.probabilities",
        "the program's measurements branch too deeply for exact probabilities",
        limit: "\(limit) open branches")
    }
    branches.append(
      Branch(
        machine: machine, state: try workspace.copyState(context), weight: weight,
        pending: (step, outcome, probability)))
  }
}
