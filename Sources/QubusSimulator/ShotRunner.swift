internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Runs the part of a program behind the common prefix, for one shot or one branch at a time.
final class ShotRunner: Sendable {
  let bound: BoundProgram
  let start: ClassicalMachine
  let prefix: StateVector
  /// Gates whose numbers are the same in every shot, by instruction.
  private let gates: [BoundGate?]
  private let coefficients: [Double]
  private let workspaces = Lock<[ShotWorkspace]>([])

  init(_ bound: BoundProgram, start: ClassicalMachine, prefix: StateVector) throws(QubusError) {
    self.bound = bound
    self.start = start
    self.prefix = prefix
    var list = BoundGateList()
    var gates: [BoundGate?] = []
    gates.reserveCapacity(bound.program.code.instructions.count)
    for instruction in bound.program.code.instructions {
      if case .gate(let application) = instruction, application.isFixedForRow {
        // An unreachable gate may hold a number that is refused only when it is reached.
        gates.append(try? list.bind(application, start.state))
      } else {
        gates.append(nil)
      }
    }
    self.gates = gates
    coefficients = list.coefficients
  }

  /// A measurement or reset that a shot has come to.
  enum Outcome {
    case measure(qubit: Int, into: BitTarget?)
    case reset(qubit: Int)
  }

  /// Runs gates and classical instructions up to the next outcome; nil at the end.
  func advance(
    _ machine: inout ClassicalMachine, _ workspace: ShotWorkspace, _ context: KernelContext
  ) throws(QubusError) -> Outcome? {
    while true {
      let step = try machine.advance(
        bound.program, limits: bound.limits, cancellation: context.cancellation)
      switch step {
      case .gate(let instruction, let application):
        workspace.gateCount += 1
        if workspace.gateCount & 0xFF == 0 { try context.check() }
        if let gate = gates[instruction] {
          try workspace.state.apply(gate, coefficients, context)
        } else {
          workspace.scratch.removeAll()
          let gate = try workspace.scratch.bind(application, machine.state)
          try workspace.state.apply(gate, workspace.scratch.coefficients, context)
        }
      case .measure(let qubit, let target): return .measure(qubit: qubit, into: target)
      case .reset(let qubit): return .reset(qubit: qubit)
      case .needsOutcome:
        throw QubusError(.invariantViolated, "a shot waits for an outcome that is never drawn")
      case .finished: return nil
      }
    }
  }

  /// Projects the state on an outcome and records it.
  /// - Parameter probability: of this outcome, before normalisation.
  func apply(
    _ step: Outcome, _ outcome: Bool, probability: Double, _ machine: inout ClassicalMachine,
    _ state: StateVector, _ context: KernelContext
  ) throws(QubusError) {
    let scale = 1 / probability.squareRoot()
    switch step {
    case .measure(let qubit, let target):
      try state.collapse(qubit: qubit, outcome: outcome, scale: scale, context)
      if let target { try machine.store(outcome, into: target) }
    case .reset(let qubit):
      try state.collapseToZero(qubit: qubit, outcome: outcome, scale: scale, context)
    }
  }

  /// Runs one shot; its draws are numbered in program order.
  /// - Returns: the final classical bits.
  func run(
    shot: UInt64, _ source: ShotSource, _ workspace: ShotWorkspace, _ context: KernelContext
  ) throws(QubusError) -> [Bool] {
    try workspace.state.copy(prefix, context)
    var machine = start
    var draw: UInt32 = 0
    while let step = try advance(&machine, workspace, context) {
      let (zero, one) = try workspace.state.probabilities(qubit: step.qubit, context)
      workspace.drift = max(workspace.drift, abs(1 - (zero + one)))
      let uniform = source.philox.uniform(
        draw: draw, shot: shot, purpose: .midCircuit, pub: source.pub, row: source.row)
      draw += 1
      let outcome = uniform * (zero + one) >= zero
      try apply(
        step, outcome, probability: outcome ? one : zero, &machine, workspace.state, context)
    }
    return machine.state.bits
  }

  /// Lends a workspace to `body`; at most one for each thread is ever made.
  func withWorkspace<T>(
    _ body: (ShotWorkspace) throws(QubusError) -> T
  ) throws(QubusError) -> T {
    let idle = workspaces.withLock { $0.popLast() }
    let workspace: ShotWorkspace
    if let idle {
      workspace = idle
    } else {
      workspace = try ShotWorkspace(qubitCount: prefix.qubitCount)
    }
    defer { workspaces.withLock { $0.append(workspace) } }
    return try body(workspace)
  }
}

extension ShotRunner.Outcome {
  var qubit: Int {
    switch self {
    case .measure(let qubit, _), .reset(let qubit): qubit
    }
  }
}

/// Where a row's random numbers come from.
struct ShotSource: Sendable {
  let philox: Philox
  let pub: UInt16
  let row: UInt32
}

/// What one thread needs to run shots; lent to one thread at a time.
///
/// `@unchecked Sendable`: handed over under the runner's lock; checked by `ParityTests`.
final class ShotWorkspace: @unchecked Sendable {
  let state: StateVector
  var scratch = BoundGateList()
  var gateCount = 0
  /// Largest |1 - norm²| seen at a measurement.
  var drift = 0.0

  init(qubitCount: Int) throws(QubusError) { state = try StateVector(qubitCount: qubitCount) }
}

extension GateApplication {
  fileprivate var isFixedForRow: Bool {
    parameters.allSatisfy(\.isFixedForRow) && exponent?.isFixedForRow ?? true
  }
}
