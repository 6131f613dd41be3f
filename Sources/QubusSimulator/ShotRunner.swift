internal import CQubusKernels
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Runs the part of a program behind the common prefix, for one branch at a time.
final class ShotRunner: Sendable {
  let bound: BoundProgram
  let start: ClassicalMachine
  let prefix: BlockedState
  /// Gates whose numbers are the same in every shot, by instruction.
  private let operations: [qk_op?]
  private let fixed: KernelGates
  private let workspaces = Lock<[ShotWorkspace]>([])

  /// - Throws: `execution_canceled`.
  init(
    _ bound: BoundProgram, start: ClassicalMachine, prefix: BlockedState,
    _ cancellation: CancellationFlag
  ) throws(QubusError) {
    self.bound = bound
    self.start = start
    self.prefix = prefix
    var list = BoundGateList()
    var gates = KernelGates(positions: prefix.positions)
    var operations: [qk_op?] = []
    operations.reserveCapacity(bound.program.code.instructions.count)
    for (step, instruction) in bound.program.code.instructions.enumerated() {
      if step > 0 { try cancellation.poll(step) }
      // An unreachable gate may hold a number that is refused only when it is reached.
      if case .gate(let application) = instruction, application.isFixedForRow,
        let gate = try? list.bind(application, start.state)
      {
        operations.append(gates.append(gate, list.coefficients))
      } else {
        operations.append(nil)
      }
    }
    self.operations = operations
    fixed = gates
  }

  /// A measurement or reset that a shot has come to.
  enum Outcome {
    case measure(qubit: Int, into: BitTarget?)
    case reset(qubit: Int)
  }

  /// Runs gates and classical instructions up to the next outcome; nil at the end, where gates
  /// that no outcome follows are dropped.
  func advance(
    _ machine: inout ClassicalMachine, _ workspace: ShotWorkspace, _ context: KernelContext
  ) throws(QubusError) -> Outcome? {
    while true {
      let step = try machine.advance(
        bound.program, limits: bound.limits, cancellation: context.cancellation)
      switch step {
      case .gate(let instruction, let application):
        if workspace.pending.count >= 1024 {
          try context.check()
          try workspace.pending.flush(into: workspace.state, context)
        }
        if let operation = operations[instruction] {
          workspace.pending.append(operation)
        } else {
          workspace.scratch.removeAll()
          let gate = try workspace.scratch.bind(application, machine.state)
          workspace.pending.append(gate, workspace.scratch.coefficients)
        }
      case .measure(let qubit, let target):
        try workspace.pending.flush(into: workspace.state, context)
        return .measure(qubit: qubit, into: target)
      case .reset(let qubit):
        try workspace.pending.flush(into: workspace.state, context)
        return .reset(qubit: qubit)
      case .needsOutcome:
        throw QubusError(.invariantViolated, "a shot waits for an outcome that is never drawn")
      case .finished:
        workspace.pending.removeAll()
        return nil
      }
    }
  }

  /// Projects the state on an outcome and records it.
  /// - Parameter probability: of this outcome, before normalisation.
  func apply(
    _ step: Outcome, _ outcome: Bool, probability: Double, _ machine: inout ClassicalMachine,
    _ workspace: ShotWorkspace
  ) throws(QubusError) {
    let scale = 1 / probability.squareRoot()
    switch step {
    case .measure(let qubit, let target):
      workspace.pending.appendProjection(
        qubit: qubit, outcome: outcome, scale: scale, isReset: false)
      if let target { try machine.store(outcome, into: target) }
    case .reset(let qubit):
      workspace.pending.appendProjection(
        qubit: qubit, outcome: outcome, scale: scale, isReset: true)
    }
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
      workspace = try ShotWorkspace(prefix, fixed)
    }
    defer { workspaces.withLock { $0.append(workspace) } }
    return try body(workspace)
  }

  func makeWorkspace() throws(QubusError) -> ShotWorkspace { try ShotWorkspace(prefix, fixed) }
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
  var row: UInt32
  /// Of the uniforms that choose final outcomes.
  var purpose = Philox.Purpose.terminalSampling
}

/// What one thread needs to run shots; lent to one thread at a time.
///
/// `@unchecked Sendable`: handed over under the runner's lock; checked by `ShotTests`.
final class ShotWorkspace: @unchecked Sendable {
  let state: BlockedState
  /// Gates that `state` does not have yet.
  var pending: PendingGates
  var scratch = BoundGateList()
  /// Largest |1 - norm²| seen at a measurement.
  var drift = 0.0
  private var idleStates: [BlockedState] = []

  init(_ prefix: BlockedState, _ fixed: KernelGates) throws(QubusError) {
    state = try BlockedState(qubitCount: prefix.qubitCount, precision: prefix.precision)
    pending = PendingGates(fixed)
  }

  /// Starts over from a state.
  func load(_ other: BlockedState, _ context: KernelContext) throws(QubusError) {
    pending.removeAll()
    try state.copy(other, context)
  }

  /// A copy of the state; give it back with `recycle`.
  func copyState(_ context: KernelContext) throws(QubusError) -> BlockedState {
    let copy: BlockedState
    if let idle = idleStates.popLast() {
      copy = idle
    } else {
      copy = try BlockedState(qubitCount: state.qubitCount, precision: state.precision)
    }
    try copy.copy(state, context)
    return copy
  }

  func recycle(_ state: BlockedState) { idleStates.append(state) }
}

extension GateApplication {
  fileprivate var isFixedForRow: Bool {
    parameters.allSatisfy(\.isFixedForRow) && exponent?.isFixedForRow ?? true
  }
}
