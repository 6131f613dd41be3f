package import QubusCircuit
package import QubusCompiler
package import QubusCore
package import QubusSimulator

/// `sim.statevector`: the ideal simulator on complex128 or complex64 amplitudes.
package struct StateVectorDevice: Device {
  package let name = "sim.statevector"
  package let summary = "Ideal state-vector simulator, complex128 or complex64"
  package var instructionSet: String { KernelTable.best.name }
  private let limits: Limits
  private let plans = PlanCache()

  package init(limits: Limits = Limits()) { self.limits = limits }

  package var compileOptions: [String: String] {
    [
      "front_end": "openqasm", "planner": "\(Planner.version)",
      "cost_table": "\(KernelTable.best.costs.version)",
    ]
  }
  package var ownRowQubits: Int { RowSimulation.ownStateQubits }

  /// - Throws: `invalid_configuration` when `QUBUS_ISA`, which is for tests, asks for an
  ///   instruction set that there is not.
  package static func checkEnvironment() throws(QubusError) { try KernelTable.checkChoice() }

  package var target: Target { Target(qubitCount: limits.qubits) }

  package func estimate(
    _ program: CompiledProgram, precision: Precision, outputs: ExactOutputs, wantsShots: Bool,
    memoryLimitBytes: UInt64
  ) throws(QubusError) -> ResourceEstimate {
    try StateVectorEstimate(
      program, precision: precision, outputs, wantsShots: wantsShots, limits
    )
    .checked(memoryLimitBytes: memoryLimitBytes)
  }

  package func describe(
    _ program: CompiledProgram, inputs: [Value], precision: Precision, outputs: ExactOutputs
  ) throws(QubusError) -> ExecutionPlan? {
    let bound = try BoundProgram(
      program, inputs: inputs, limits: limits, cancellation: CancellationFlag())
    let isWhole = outputs.stateVector || !outputs.observables.isEmpty
    let plan = try RowSimulation.plan(bound, precision: precision, wholeState: isWhole)
    return ExecutionPlan(
      plan, instructionSet: instructionSet, gateCount: bound.gates.gates.count)
  }

  package func stepEstimate(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, threadCount: Int, memoryLimitBytes: UInt64
  ) throws(QubusError) -> UInt64 {
    try StateVectorStepEvaluator.check(program, observables, outputs, limits)
    let bytes = StateVectorStepEvaluator.estimatedBytes(
      program, outputs, precision, threadCount: threadCount)
    try StateVectorEstimate.check(
      bytes, "\(program.circuit.qubitCount) qubits", memoryLimitBytes: memoryLimitBytes)
    return UInt64(bytes)
  }

  package func stepEvaluator(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, seed: UInt64, threadCount: Int, _ context: KernelContext
  ) throws(QubusError) -> any StepEvaluator {
    try StateVectorStepEvaluator(
      program, observables: observables, outputs: outputs, precision: precision, seed: seed,
      limits: limits, threadCount: threadCount, context)
  }

  package func session(
    _ program: CompiledProgram, precision: Precision, seed: UInt64, team: ComputeTeam,
    cancellation: CancellationFlag, progress: EvolutionProgress?
  ) -> any DeviceSession {
    let context = KernelContext(team: team, cancellation: cancellation, progress: progress)
    return StateVectorSession(
      RowBinder(program, limits: limits), RowWorkspace(precision, plans: plans), seed, context,
      limits)
  }
}

/// Rows of one program on the state-vector simulator.
private final class StateVectorSession: DeviceSession {
  private let binder: RowBinder
  private let workspace: RowWorkspace
  private let seed: UInt64
  private let context: KernelContext
  private let limits: Limits

  init(
    _ binder: RowBinder, _ workspace: RowWorkspace, _ seed: UInt64, _ context: KernelContext,
    _ limits: Limits
  ) {
    self.binder = binder
    self.workspace = workspace
    self.seed = seed
    self.context = context
    self.limits = limits
  }

  func open(inputs: [Value]) throws(QubusError) -> any DeviceExecution {
    let bound = try binder.bind(inputs, cancellation: context.cancellation)
    return StateVectorExecution(
      RowSimulation(bound, seed: seed, workspace: workspace, context: context), limits)
  }
}

/// One bound row on the state-vector simulator.
private final class StateVectorExecution: DeviceExecution {
  private let simulation: RowSimulation
  private let limits: Limits
  private let clock = SystemClock()

  init(_ simulation: RowSimulation, _ limits: Limits) {
    self.simulation = simulation
    self.limits = limits
  }

  func run(_ request: ChunkRequest) throws(QubusError) -> ChunkResult {
    let start = clock.monotonic()
    var result = ChunkResult(request: request, deviceMicroseconds: 0)
    switch request.work {
    case .shots(let first, let count, let memory):
      // A chunk's outcomes are held in memory at once, so its size has a limit, too.
      guard count <= StateVectorEstimate.largestChunk else {
        throw .field(
          .invalidShots, "shots.count", "\(count) shots in one chunk",
          limit: "\(StateVectorEstimate.largestChunk)")
      }
      let outcomes = try simulation.shots(
        first: first, count: Int(count), memory: memory, pub: request.pub, row: request.row)
      result.counts = outcomes.counts
      result.memory = outcomes.memory
    case .exact(let outputs): try addExact(outputs, to: &result)
    }
    result.normDrift = simulation.normDrift
    result.planHashes = simulation.planHashes
    result.deviceMicroseconds = clock.monotonic() - start
    return result
  }

  private func addExact(
    _ outputs: ExactOutputs, to result: inout ChunkResult
  ) throws(QubusError) {
    try outputs.check(simulation.bound.program, limits)
    if outputs.probabilities { result.probabilities = try simulation.probabilities() }
    if outputs.stateVector { result.stateVector = try simulation.amplitudes() }
    if !outputs.observables.isEmpty {
      result.expectationValues = try simulation.expectationValues(outputs.observables)
    }
  }
}
