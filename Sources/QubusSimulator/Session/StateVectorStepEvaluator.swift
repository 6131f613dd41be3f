package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// Steps of a session on the state-vector simulator: the plan, the states and the observables stay
/// in memory from step to step.
///
/// A program whose gates are the same for all inputs is bound in place, and a repeated exact step
/// of values or gradients on one thread allocates nothing. Programs whose control flow or classical
/// variables depend on inputs, and counts, run as rows of a job do.
///
/// Sampled values: groups of strings that commute qubit by qubit share their shots
/// (`MeasurementGroups`), shots are shared among groups in proportion to the root of their summed
/// squared coefficients. With a target error, rounds follow a fixed schedule: first 32 shots for
/// each group, then the total doubles, until every observable has its error or the shots are used
/// up. With gradients, every shifted circuit takes an equal share of the row's shots, and the
/// circuit of the values what is left.
package final class StateVectorStepEvaluator: StepEvaluator {
  private let shared: StepProgram
  /// The first one runs single rows, with all threads; the others are made with the first step of
  /// several rows.
  private var lanes: [StepLane]
  private let alone = ComputeTeam(threadCount: 1)
  private let cost: StepCost

  package let parameterCount: Int
  package let observableCount: Int
  package let qubitCount: Int
  package let bitCount: Int

  /// - Parameters:
  ///   - outputs: all that steps will ask for.
  ///   - wantedParameters: inputs to differentiate by; nil for all of type float and angle.
  ///   - threadCount: of the teams that steps will come with, at most.
  /// - Throws: `too_many_qubits`, `insufficient_memory`, `invalid_observable`; `invalid_outputs`
  ///   for what the program cannot give; `unsupported_program_feature` for gradients by inputs
  ///   without derivative; `execution_canceled`.
  package init(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    wantedParameters: [Bool]? = nil, precision: Precision, seed: UInt64,
    limits: Limits = Limits(), threadCount: Int, _ context: KernelContext
  ) throws(QubusError) {
    shared = try StepProgram(
      program, observables, outputs, wanted: wantedParameters, precision: precision, seed: seed,
      limits: limits, threadCount: threadCount, context.cancellation)
    let lane = try StepLane(shared, threadCount: threadCount, context.cancellation)
    lanes = [lane]
    cost = StepCost(shared, lane.plan)
    parameterCount = program.circuit.inputs.count
    observableCount = observables.count
    qubitCount = program.circuit.qubitCount
    bitCount = program.circuit.bitCount
  }

  /// Refuses what no session of this program can give, before anything is planned.
  /// - Throws: `too_many_qubits`, `invalid_outputs`, `invalid_observable`.
  package static func check(
    _ program: CompiledProgram, _ observables: [PauliSum], _ outputs: StepOutputs,
    _ limits: Limits
  ) throws(QubusError) {
    try StepProgram.check(program, observables, outputs, limits)
  }

  /// Bytes that a session will take, from the program's size alone: states, chunks that threads
  /// work on, and what one row's results take.
  package static func estimatedBytes(
    _ program: CompiledProgram, _ outputs: StepOutputs, _ precision: Precision, threadCount: Int
  ) -> Double {
    let qubits = program.circuit.qubitCount
    let state = BlockedState.byteCount(qubitCount: qubits, precision)
    // ψ, λ or a turned copy, and the state that counts are drawn from.
    var states = 1.0
    if !outputs.isDisjoint(with: [.values, .gradients]) { states += 1 }
    if outputs.contains(.counts) {
      states += 1
      if program.analysis.mayRunPerShot {
        states += Double(
          RowSimulation.shotStates(
            qubitCount: qubits, precision, threadCount: threadCount))
      }
    }
    if qubits <= PlanBatch.ownRowQubits { states *= Double(threadCount) }
    if outputs.contains(.stateVector) { states += precision == .single ? 2 : 1 }
    let gates = 1024 * Double(program.analysis.gateCount)
    let chunks = qubits > PlanBatch.ownRowQubits ? Double(threadCount) * 0x1p22 : 0
    return states * state + gates + chunks
  }

  package var memoryBytes: UInt64 { UInt64(lanes.reduce(0) { $0 + $1.memoryBytes }) }

  package func predictedSeconds(_ order: StepOrder) -> Double { cost.seconds(order) }

  package func evaluate(
    _ order: StepOrder, parameters: UnsafeBufferPointer<Double>, into answer: StepAnswer,
    _ context: KernelContext
  ) throws(QubusError) {
    try check(order, parameters.count)
    let isSampled = order.isSampled && order.outputs.contains(.values)
    let values = order.outputs.contains(.values) ? order.rows * observableCount : 0
    answer.prepare(
      values: values, standardErrors: isSampled ? values : 0,
      gradients: order.outputs.contains(.gradients)
        ? order.rows * observableCount * parameterCount : 0,
      amplitudes: order.outputs.contains(.stateVector) ? order.rows * 2 << qubitCount : 0)
    try context.check()
    let isSpread =
      order.rows > 1 && context.team.threadCount > 1 && qubitCount <= PlanBatch.ownRowQubits
    if isSpread {
      try spread(order, parameters, answer, context)
    } else {
      for row in 0..<order.rows {
        if row > 0 { try context.check() }
        let figures = try run(row, order, parameters, answer, lanes[0], context)
        note(figures, answer)
      }
    }
  }

  // MARK: Rows

  /// Rows across the team, each on one thread.
  private func spread(
    _ order: StepOrder, _ parameters: UnsafeBufferPointer<Double>, _ answer: StepAnswer,
    _ context: KernelContext
  ) throws(QubusError) {
    while lanes.count < context.team.threadCount {
      lanes.append(
        try StepLane(shared, like: lanes[0], threadCount: 1, context.cancellation))
    }
    let found = Lock([StepLane.Figures?](repeating: nil, count: order.rows))
    let failures = Lock<[(row: Int, error: QubusError)]>([])
    let single = KernelContext(team: alone, cancellation: context.cancellation)
    nonisolated(unsafe) let (parameters, answer) = (parameters, answer)
    let lanes = lanes
    context.team.run(tasks: order.rows) { row, lane in
      do throws(QubusError) {
        try single.check()
        let figures = try run(row, order, parameters, answer, lanes[lane], single)
        found.withLock { $0[row] = figures }
      } catch {
        failures.withLock { $0.append((row, error)) }
      }
    }
    if let first = failures.withLock({ $0.min { $0.row < $1.row } }) { throw first.error }
    for figures in found.withLock({ $0 }) { if let figures { note(figures, answer) } }
  }

  private func run(
    _ row: Int, _ order: StepOrder, _ parameters: UnsafeBufferPointer<Double>,
    _ answer: StepAnswer, _ lane: StepLane, _ context: KernelContext
  ) throws(QubusError) -> StepLane.Figures {
    var target = StepLane.Target()
    if order.outputs.contains(.values) {
      target.values = answer.values.place(row * observableCount)
      target.errors = answer.standardErrors.place(row * observableCount)
    }
    if order.outputs.contains(.gradients) {
      target.gradients = answer.gradients.place(row * observableCount * parameterCount)
    }
    if order.outputs.contains(.stateVector) {
      target.amplitudes = answer.amplitudes.place(row * 2 << qubitCount)
    }
    return try withUnsafeTemporaryAllocation(of: Double.self, capacity: 1) {
      (none) throws(QubusError) in
      let numbers =
        parameters.baseAddress.map { $0 + row * parameterCount }
        ?? UnsafePointer(none.baseAddress.unsafelyUnwrapped)
      return try lane.run(row, numbers, order, target, context)
    }
  }

  private func note(_ figures: StepLane.Figures, _ answer: StepAnswer) {
    answer.shotsUsed += figures.shots
    answer.normDrift = max(answer.normDrift, figures.normDrift)
    if let counts = figures.counts { answer.counts.append(counts) }
  }

  // MARK: Checks

  private func check(_ order: StepOrder, _ numbers: Int) throws(QubusError) {
    guard order.rows >= 0, numbers == order.rows * parameterCount else {
      throw .field(
        .parameterCountMismatch, "parameters",
        "\(numbers) numbers for \(order.rows) rows of \(parameterCount)",
        limit: "\(parameterCount) in each row")
    }
    guard order.outputs.isSubset(of: shared.outputs) else {
      throw .field(
        .invalidOutputs, "outputs", "the session was not opened for all of these outputs")
    }
    guard order.targetError.isFinite, order.targetError >= 0 else {
      throw .field(
        .invalidShots, "target_error", "is \(order.targetError)",
        limit: "a finite number that is not negative")
    }
    if order.shots == 0, order.targetError > 0 || order.outputs.contains(.counts) {
      throw .field(
        .invalidShots, "shots", "0 shots for counts or a target error", limit: "at least 1")
    }
  }
}

extension UnsafeMutableBufferPointer<Double> {
  /// Nil for an empty buffer.
  fileprivate func place(_ index: Int) -> UnsafeMutablePointer<Double>? {
    count == 0 ? nil : baseAddress.map { $0 + index }
  }
}
