internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// What one thread works with on the rows of a session's steps. Rows leave nothing behind but
/// memory and what they bound.
///
/// `@unchecked Sendable`: a lane is never used by two threads at once; `StepEvaluatorTests`
/// compares teams.
final class StepLane: @unchecked Sendable {
  let shared: StepProgram
  private let threadCount: Int
  private var row: InputRow
  private let evolution: ResidentEvolution?
  private let energies: [PreparedPauliSum]
  private var sweep: AdjointSweep?
  /// One number for each reduction chunk.
  private let sums: UnsafeMutablePointer<Double>
  // Made at first use.
  private var sampling: (values: ObservableSampling, shifted: ObservableSampling)?
  private var shifts: ShiftedCircuits?
  private var rows: (binder: RowBinder, workspace: RowWorkspace)?

  /// Where one row's numbers go; nil for what was not asked for.
  struct Target {
    var values: UnsafeMutablePointer<Double>?
    var errors: UnsafeMutablePointer<Double>?
    var gradients: UnsafeMutablePointer<Double>?
    var amplitudes: UnsafeMutablePointer<Double>?
  }

  /// What a row says beside its numbers.
  struct Figures {
    var shots: UInt64 = 0
    var normDrift = 0.0
    var counts: Counts?
  }

  /// - Parameter other: shares its plan.
  init(
    _ shared: StepProgram, like other: StepLane? = nil, threadCount: Int,
    _ cancellation: CancellationFlag
  ) throws(QubusError) {
    self.shared = shared
    self.threadCount = threadCount
    row = InputRow(shared.program.circuit.inputs)
    if let other {
      evolution = try other.evolution?.twin(threadCount: threadCount)
      energies = other.energies
    } else if let gates = shared.gates {
      let evolution = try ResidentEvolution(
        gates, qubitCount: shared.qubitCount, shared.precision, threadCount: threadCount,
        cancellation)
      self.evolution = evolution
      energies = shared.observables.map {
        PreparedPauliSum($0, positions: evolution.plan.finalPositions)
      }
    } else {
      evolution = nil
      energies = []
    }
    let bits = BlockedState.bitCount(qubitCount: shared.qubitCount, shared.precision)
    sums = .allocate(capacity: evolution == nil ? 1 : max(1, 1 << max(0, bits - 12)))
    if shared.outputs.contains(.gradients) { try prepareSweep() }
  }

  deinit { sums.deallocate() }

  var plan: Plan? { evolution?.plan }
  var memoryBytes: Int {
    (evolution?.memoryBytes ?? 0) + (sweep?.memoryBytes ?? 0)
      + energies.count * 256 + shared.observables.reduce(0) { $0 + 64 * $1.terms.count }
  }

  private func prepareSweep() throws(QubusError) {
    guard let evolution, let gates = shared.gates else { return }
    sweep = try AdjointSweep(
      gates, shared.program.circuit.inputs, wanted: shared.wanted, evolution.plan,
      shared.observables, threadCount: threadCount)
  }

  // MARK: Rows

  /// - Parameter numbers: one for each input.
  func run(
    _ index: Int, _ numbers: UnsafePointer<Double>, _ order: StepOrder, _ target: Target,
    _ context: KernelContext
  ) throws(QubusError) -> Figures {
    try row.set(numbers)
    var figures = Figures()
    if order.outputs.contains(.counts) {
      try count(index, order, &figures, context)
      // The caller takes care of all else.
    }
    if order.outputs.isDisjoint(with: .ofOneState) { return figures }
    if order.isSampled, !order.outputs.isDisjoint(with: [.values, .gradients]) {
      try sample(index, order, target, &figures, context)
      return figures
    }
    guard let evolution else {
      try runUnbound(index, order, target, &figures, context)
      return figures
    }
    try evolution.run(row, context)
    try note(evolution.state, &figures, context)
    if let amplitudes = target.amplitudes { evolution.state.write(to: amplitudes) }
    if let gradients = target.gradients {
      try differentiate(evolution, gradients, target.values, context)
    } else if let values = target.values {
      for observable in energies.indices {
        values[observable] = try energies[observable].value(evolution.state, sums, context)
      }
    }
    return figures
  }

  private func differentiate(
    _ evolution: ResidentEvolution, _ gradients: UnsafeMutablePointer<Double>,
    _ values: UnsafeMutablePointer<Double>?, _ context: KernelContext
  ) throws(QubusError) {
    guard let sweep else { preconditionFailure("gradients were not announced") }
    for observable in energies.indices {
      if observable > 0 { try evolution.run(row, context) }
      let value = try sweep.run(
        evolution.state, observable: observable, row,
        to: gradients + observable * shared.wanted.count, context)
      values?[observable] = value
    }
  }

  /// - Throws: `simulator_norm_drift`.
  private func note(
    _ state: BlockedState, _ figures: inout Figures, _ context: KernelContext
  ) throws(QubusError) {
    let drift = abs(1 - (try state.normSquared(sums, context)))
    // Written so that NaN is refused, too.
    guard drift <= RowSimulation.driftLimit(shared.precision) else {
      throw QubusError(
        .simulatorNormDrift,
        "the state's norm² is off by \(drift), the limit is "
          + "\(RowSimulation.driftLimit(shared.precision))")
    }
    figures.normDrift = max(figures.normDrift, drift)
  }

  // MARK: Rows as jobs run them

  private func simulation(
    _ index: Int, _ order: StepOrder, _ context: KernelContext
  ) throws(QubusError) -> RowSimulation {
    let shared = shared
    let made =
      rows
      ?? (
        RowBinder(shared.program, limits: shared.limits), RowWorkspace(shared.precision)
      )
    rows = made
    let bound = try made.0.bind(row.values, cancellation: context.cancellation)
    return RowSimulation(
      bound, seed: philox(index, order).seed, workspace: made.1, context: context)
  }

  private func philox(_ index: Int, _ order: StepOrder) -> Philox {
    Philox(
      seed: shared.seed, sequence: order.sharesRandomNumbers ? 0 : order.sequence,
      row: UInt32(truncatingIfNeeded: index))
  }

  private func count(
    _ index: Int, _ order: StepOrder, _ figures: inout Figures, _ context: KernelContext
  ) throws(QubusError) {
    let simulation = try simulation(index, order, context)
    var counts = Counts(bitCount: shared.program.circuit.bitCount)
    var first: UInt64 = 0
    while first < order.shots {
      let size = min(order.shots - first, 1 << 20)
      counts.merge(
        try simulation.shots(first: first, count: Int(size), memory: false, pub: 0, row: 0)
          .counts)
      first += size
    }
    figures.counts = counts
    figures.shots += order.shots
    figures.normDrift = max(figures.normDrift, simulation.normDrift)
  }

  /// Exact outputs of a program whose gates depend on the inputs' values.
  private func runUnbound(
    _ index: Int, _ order: StepOrder, _ target: Target, _ figures: inout Figures,
    _ context: KernelContext
  ) throws(QubusError) {
    let simulation = try simulation(index, order, context)
    if let amplitudes = target.amplitudes { try simulation.finalState().write(to: amplitudes) }
    if let values = target.values {
      let found = try simulation.expectationValues(shared.observables)
      for observable in found.indices { values[observable] = found[observable] }
    }
    figures.normDrift = max(figures.normDrift, simulation.normDrift)
    guard let gradients = target.gradients else { return }
    for (observable, sum) in shared.observables.enumerated() {
      let adjoint = try AdjointGradient(
        shared.program, sum, inputs: row.values, wanted: shared.wanted,
        precision: shared.precision, context)
      let gradient = try adjoint.evaluate(row.values, context).gradient
      for input in gradient.indices {
        gradients[observable * gradient.count + input] = gradient[input]
      }
    }
  }

  // MARK: Estimates from shots

  private func sample(
    _ index: Int, _ order: StepOrder, _ target: Target, _ figures: inout Figures,
    _ context: KernelContext
  ) throws(QubusError) {
    let state = try sampledState(index, order, &figures, context)
    if let amplitudes = target.amplitudes { state.write(to: amplitudes) }
    let sampling = sampling ?? makeSampling()
    self.sampling = sampling
    let rule = target.gradients == nil ? nil : try shiftRule(context)
    let circuits = UInt64((target.values == nil ? 0 : 1) + (rule?.evaluations.count ?? 0))
    if circuits == 0 {
      try sampleGradients(nil, order, 0, target, &figures, context)
      return
    }
    let share = order.shots / circuits
    let least = sampling.values.leastShots
    guard share >= least else {
      throw .field(
        .invalidShots, "shots",
        "\(order.shots) shots for \(circuits) circuits with \(least) groups of Pauli strings each",
        limit: "at least \(circuits * least)")
    }
    let source = ShotSource(philox: philox(index, order), pub: 0, row: 0)
    if let values = target.values, let errors = target.errors {
      let rest = order.shots - share * (circuits - 1)
      figures.shots += try sampling.values.estimate(
        state, .init(shots: rest, targetError: order.targetError), source, values: values,
        errors: errors, context)
    }
    if let rule {
      try sampleGradients(
        rule, order, share, target, &figures, context, sampling.shifted, source)
    }
  }

  private func makeSampling() -> (values: ObservableSampling, shifted: ObservableSampling) {
    let groups = MeasurementGroups(shared.observables)
    let count = shared.observables.count
    return (
      ObservableSampling(groups, observableCount: count),
      ObservableSampling(groups, observableCount: count)
    )
  }

  private func sampledState(
    _ index: Int, _ order: StepOrder, _ figures: inout Figures, _ context: KernelContext
  ) throws(QubusError) -> BlockedState {
    guard let evolution else {
      let simulation = try simulation(index, order, context)
      let state = try simulation.finalState()
      figures.normDrift = max(figures.normDrift, simulation.normDrift)
      return state
    }
    try evolution.run(row, context)
    try note(evolution.state, &figures, context)
    return evolution.state
  }

  /// The rule of a resident program is made once; of others, for the row.
  private func shiftRule(_ context: KernelContext) throws(QubusError) -> ParameterShift {
    if evolution != nil, let shifts { return shifts.rule }
    let rule = try ParameterShift(
      shared.program, inputs: row.values, wanted: shared.wanted,
      cancellation: context.cancellation)
    let state: BlockedState
    if let evolution {
      state = evolution.state
    } else {
      state = try BlockedState(qubitCount: shared.qubitCount, precision: shared.precision)
    }
    shifts = ShiftedCircuits(rule, on: state, threadCount: threadCount)
    return rule
  }

  private func sampleGradients(
    _ rule: ParameterShift?, _ order: StepOrder, _ share: UInt64, _ target: Target,
    _ figures: inout Figures, _ context: KernelContext, _ sampling: ObservableSampling? = nil,
    _ source: ShotSource? = nil
  ) throws(QubusError) {
    guard let gradients = target.gradients else { return }
    let (width, inputs) = (shared.observables.count, shared.wanted.count)
    guard let rule, let shifts, let sampling, let source else {
      gradients.update(repeating: 0, count: width * inputs)
      return
    }
    var values = [[Double]](repeating: [], count: width)
    let found = UnsafeMutablePointer<Double>.allocate(capacity: 2 * width)
    let errors = found + width
    defer { found.deallocate() }
    let stride = UInt32(truncatingIfNeeded: sampling.leastShots)
    for (number, evaluation) in rule.evaluations.enumerated() {
      let state = try shifts.evolve(row.values, evaluation, context)
      var own = source
      own.row = UInt32(number + 1) &* stride
      figures.shots += try sampling.estimate(
        state, .init(shots: share, targetError: 0), own, values: found, errors: errors, context)
      for observable in 0..<width { values[observable].append(found[observable]) }
    }
    for observable in 0..<width {
      let gradient = try rule.gradient(values[observable], row.values)
      for input in 0..<inputs { gradients[observable * inputs + input] = gradient[input] }
    }
  }
}

extension StepOrder {
  /// True when values are estimated from shots.
  var isSampled: Bool { shots > 0 || targetError > 0 }
}
