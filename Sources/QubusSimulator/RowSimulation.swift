package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// Outcomes of a run of shots.
package struct ShotOutcomes: Sendable {
  package var counts: Counts
  /// `(bitCount + 7) / 8` bytes a shot, little-endian bits, in order of shots.
  package var memory: [UInt8]?
}

/// One bound row on the state-vector simulator: the common prefix is evolved once, at the first
/// use, and serves every chunk. Used by one thread at a time.
package final class RowSimulation {
  package let bound: BoundProgram
  /// |1 - norm²|: of the evolved state, and the largest met at a measurement on the way.
  package private(set) var normDrift = 0.0
  /// SHA-256 of the plans that ran, in order.
  package private(set) var planHashes: [[UInt8]] = []

  private let philox: Philox
  private let context: KernelContext
  private let map: OutcomeMap
  private let workspace: RowWorkspace
  private var evolved: (observed: UInt64?, state: BlockedState)?
  private var sampler: StateSampler?
  private var runner: ShotRunner?
  private var branched: BranchedShots?

  /// A norm this far from 1 means that results are wrong, not merely rounded.
  package static func driftLimit(_ precision: Precision) -> Double {
    precision == .single ? 1e-3 : 1e-6
  }
  /// Up to here every thread runs shots of its own; above, all threads share one state.
  package static let ownStateQubits = 14

  /// - Parameter workspace: shared with the rows before, which are done.
  package init(
    _ bound: BoundProgram, seed: UInt64, workspace: RowWorkspace, context: KernelContext
  ) {
    self.bound = bound
    self.workspace = workspace
    philox = Philox(seed: seed)
    self.context = context
    switch bound.form {
    case .terminal(let bits): map = OutcomeMap(bits)
    case .perShot: map = OutcomeMap([])
    }
  }

  /// States beside the prefix that shots with outcomes on their way take on `threadCount` threads.
  package static func shotStates(
    qubitCount: Int, _ precision: Precision, threadCount: Int
  ) -> Int {
    let kept = BranchEvolution.keptLimit(qubitCount: qubitCount, precision)
    return (qubitCount <= ownStateQubits ? threadCount : 1) * (1 + kept)
  }

  private var bitCount: Int { bound.program.circuit.bitCount }

  /// The plan by which the row's gates would run.
  /// - Parameter wholeState: false when only what is measured at the end matters.
  package static func plan(
    _ bound: BoundProgram, precision: Precision, wholeState: Bool
  ) throws(QubusError) -> Plan {
    var observed: UInt64?
    if case .terminal(let bits) = bound.form, !wholeState,
      bound.program.circuit.bitCount > 0
    {
      observed = OutcomeMap(bits).qubits.reduce(0) { $0 | 1 << UInt64($1) }
    }
    return try Planner.plan(
      bound.gates, qubitCount: bound.program.circuit.qubitCount, precision: precision,
      observed: observed)
  }

  // MARK: Shots

  /// Evolves the state that shots are drawn from, which the first shot would do otherwise.
  package func evolveForShots() throws(QubusError) {
    if case .terminal = bound.form { _ = try evolvedState(observed: measuredMask) }
  }

  /// Runs the shots `first ..< first + count`; any split into calls gives the same outcomes.
  /// - Throws: `execution_canceled`, `insufficient_memory`, `simulator_norm_drift` and what the
  ///   program's classical part throws.
  package func shots(
    first: UInt64, count: Int, memory: Bool, pub: UInt16, row: UInt32
  ) throws(QubusError) -> ShotOutcomes {
    let source = ShotSource(philox: philox, pub: pub, row: row)
    switch bound.form {
    case .terminal: return try terminalShots(first, count, memory: memory, source)
    case .perShot(let start):
      let outcomes = try perShotOutcomes(start, first, count, source)
      let counts = try Counts(
        bitCount: bitCount, outcomes: outcomes, context.cancellation)
      return ShotOutcomes(counts: counts, memory: memory ? try bytes(outcomes) : nil)
    }
  }

  private func terminalShots(
    _ first: UInt64, _ count: Int, memory: Bool, _ source: ShotSource
  ) throws(QubusError) -> ShotOutcomes {
    if map.qubits.isEmpty { return try constantShots(count, memory: memory) }
    let sampler = try stateSampler()
    let positions = map.qubits.map { Int(sampler.state.positions[$0]) }
    let outcomes = try sampler.sample(
      first: first, count: count, source, positions: positions, memory: memory, context)
    var counts = Counts(bitCount: bitCount)
    counts.values = outcomes.values
    counts.keys = try map.words(of: outcomes.keys, context.cancellation)
    var bytes: [UInt8]?
    if let keys = outcomes.shotKeys { bytes = try memoryBytes(keys) }
    return ShotOutcomes(counts: counts, memory: bytes)
  }

  /// No measurement fills a bit: every shot gives the same, and no state is needed.
  private func constantShots(
    _ count: Int, memory: Bool
  ) throws(QubusError) -> ShotOutcomes {
    var counts = Counts(bitCount: bitCount)
    guard count > 0 else { return ShotOutcomes(counts: counts, memory: memory ? [] : nil) }
    counts.keys = try map.words(of: [0], context.cancellation)
    counts.values = [UInt64(count)]
    let bytes = memory ? try memoryBytes([UInt64](repeating: 0, count: count)) : nil
    return ShotOutcomes(counts: counts, memory: bytes)
  }

  /// - Parameter keys: a compact key for every shot.
  private func memoryBytes(_ shotKeys: [UInt64]) throws(QubusError) -> [UInt8] {
    try bytes(try map.words(of: shotKeys, context.cancellation))
  }

  /// Cuts outcome words to whole bytes.
  private func bytes(_ words: [UInt64]) throws(QubusError) -> [UInt8] {
    let wordsPerShot = max(1, (bitCount + 63) / 64)
    let bytesPerShot = (bitCount + 7) / 8
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count / wordsPerShot * bytesPerShot)
    for shot in 0..<words.count / wordsPerShot {
      try context.cancellation.poll(shot)
      for byte in 0..<bytesPerShot {
        let word = words[shot * wordsPerShot + byte / 8]
        bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(byte % 8 * 8)))
      }
    }
    return bytes
  }

  private func perShotOutcomes(
    _ start: ClassicalMachine, _ first: UInt64, _ count: Int, _ source: ShotSource
  ) throws(QubusError) -> [UInt64] {
    let shots: BranchedShots
    if let branched {
      shots = branched
    } else {
      shots = BranchedShots(try shotRunner(start), context)
      branched = shots
    }
    let outcomes = try shots.run(first, count, source)
    normDrift = max(normDrift, shots.drift)
    try checkDrift()
    return outcomes
  }

  // MARK: Exact outputs

  /// The final state, measurements at the end ignored.
  /// - Throws: `invalid_outputs` when shots differ before the end.
  package func finalState() throws(QubusError) -> BlockedState {
    guard case .terminal = bound.form else {
      throw .field(
        .invalidOutputs, "outputs",
        "the program measures or resets qubits on its way, so it has no single final state")
    }
    return try evolvedState(observed: nil)
  }

  /// The final state's amplitudes in order of basis states: re, im, re, im, …
  /// - Throws: as `finalState`; `execution_canceled`.
  package func amplitudes() throws(QubusError) -> [Double] {
    try finalState().interleaved(context)
  }

  /// Exact expectation values, in order.
  package func expectationValues(_ observables: [PauliSum]) throws(QubusError) -> [Double] {
    let state = try finalState()
    var values: [Double] = []
    values.reserveCapacity(observables.count)
    for prepared in workspace.prepare(observables, positions: state.positions) {
      values.append(try state.expectation(prepared, context))
    }
    return values
  }

  /// Exact probabilities over the classical bits; over all qubits if the program has no bits.
  /// - Throws: `invalid_outputs` when a program that measures on its way branches too often.
  package func probabilities() throws(QubusError) -> [Double] {
    switch bound.form {
    case .terminal:
      guard bitCount > 0 else {
        let state = try evolvedState(observed: nil)
        return try state.probabilities(qubits: Array(0..<state.qubitCount), context)
      }
      return try outcomeProbabilities(try evolvedState(observed: measuredMask))
    case .perShot(let start):
      guard bitCount > 0 else { throw .withoutBitsOrState }
      var branches = BranchEnumeration(try shotRunner(start), context)
      let result = try branches.run()
      normDrift = max(normDrift, branches.drift)
      try checkDrift()
      return result
    }
  }

  // MARK: Parts made at first use

  /// One bit for each qubit that is measured at the end.
  private var measuredMask: UInt64 { map.qubits.reduce(0) { $0 | 1 << UInt64($1) } }

  /// Probabilities of the measured qubits, spread over the classical bits.
  private func outcomeProbabilities(_ state: BlockedState) throws(QubusError) -> [Double] {
    var result = [Double](repeating: 0, count: 1 << map.bitCount)
    let compact = try state.probabilities(qubits: map.qubits, context)
    // Few enough bits for one word an outcome.
    let outcomes = try map.words(
      of: compact.indices.map { UInt64($0) }, context.cancellation)
    for (outcome, probability) in zip(outcomes, compact) { result[Int(outcome)] = probability }
    return result
  }

  /// The state at the end, or at the first outcome.
  /// - Parameter observed: qubits whose outcomes matter, nil for the whole state. What is observed
  ///   decides the last bits of the result, so a state evolved for something else is not used.
  private func evolvedState(observed: UInt64?) throws(QubusError) -> BlockedState {
    if let evolved, evolved.observed == observed { return evolved.state }
    // One state at a time.
    (evolved, sampler) = (nil, nil)
    let (state, planHash) = try workspace.evolve(bound, observed: observed, context)
    planHashes.append(planHash)
    normDrift = max(normDrift, abs(1 - (try state.normSquared(context))))
    try checkDrift()
    evolved = (observed, state)
    return state
  }

  private func stateSampler() throws(QubusError) -> StateSampler {
    if let sampler { return sampler }
    let made = try StateSampler(try evolvedState(observed: measuredMask), context)
    sampler = made
    return made
  }

  private func shotRunner(_ start: ClassicalMachine) throws(QubusError) -> ShotRunner {
    if let runner { return runner }
    let made = try ShotRunner(
      bound, start: start, prefix: try evolvedState(observed: nil), context.cancellation)
    runner = made
    return made
  }

  private func checkDrift() throws(QubusError) {
    // Written so that NaN is refused, too.
    let limit = Self.driftLimit(workspace.precision)
    guard normDrift <= limit else {
      throw QubusError(
        .simulatorNormDrift,
        "the state's norm² is off by \(normDrift), the limit is \(limit)")
    }
  }
}

extension QubusError {
  /// For probabilities of a program that neither has classical bits nor one final state.
  package static let withoutBitsOrState = QubusError.field(
    .invalidOutputs, "outputs.probabilities",
    "the program declares no classical bits and resets qubits on its way, so it has no single "
      + "final state")
}
