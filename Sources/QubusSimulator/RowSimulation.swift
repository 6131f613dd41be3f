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

  private let philox: Philox
  private let context: KernelContext
  private let map: OutcomeMap
  private var evolved: StateVector?
  private var sampler: TerminalSampler?
  private var runner: ShotRunner?

  /// A norm this far from 1 means that results are wrong, not merely rounded.
  package static let driftLimit = 1e-6
  /// Up to here every thread runs shots of its own; above, all threads share one state.
  package static let ownStateQubits = 14

  package init(_ bound: BoundProgram, seed: UInt64, context: KernelContext) {
    self.bound = bound
    philox = Philox(seed: seed)
    self.context = context
    switch bound.form {
    case .terminal(let bits): map = OutcomeMap(bits)
    case .perShot: map = OutcomeMap([])
    }
  }

  private var bitCount: Int { bound.program.circuit.bitCount }

  // MARK: Shots

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
      let counts = Counts(bitCount: bitCount, outcomes: outcomes)
      return ShotOutcomes(
        counts: counts, memory: memory ? Self.bytes(outcomes, bitCount: bitCount) : nil)
    }
  }

  private func terminalShots(
    _ first: UInt64, _ count: Int, memory: Bool, _ source: ShotSource
  ) throws(QubusError) -> ShotOutcomes {
    if map.qubits.isEmpty { return constantShots(count, memory: memory) }
    let sampler = try terminalSampler()
    let indices = try sampler.sample(count, context) { range in
      source.philox.uniforms(
        shots: first + UInt64(range.lowerBound)..<first + UInt64(range.upperBound),
        purpose: .terminalSampling, pub: source.pub, row: source.row)
    }
    return ShotOutcomes(
      counts: histogram(indices), memory: memory ? memoryBytes(indices) : nil)
  }

  /// No measurement fills a bit: every shot gives the same, and no state is needed.
  private func constantShots(_ count: Int, memory: Bool) -> ShotOutcomes {
    var counts = Counts(bitCount: bitCount)
    guard count > 0 else { return ShotOutcomes(counts: counts, memory: memory ? [] : nil) }
    map.appendWords(0, to: &counts.keys)
    counts.values = [UInt64(count)]
    let bytes = memory ? memoryBytes([UInt64](repeating: 0, count: count)) : nil
    return ShotOutcomes(counts: counts, memory: bytes)
  }

  private func histogram(_ indices: [UInt64]) -> Counts {
    var counts = Counts(bitCount: bitCount)
    var keys: [UInt64] = []
    var values: [UInt64] = []
    if map.qubits.count <= 12 {
      var table = [UInt64](repeating: 0, count: 1 << map.qubits.count)
      for index in indices { table[Int(map.compactKey(index))] += 1 }
      for (key, value) in table.enumerated() where value > 0 {
        keys.append(UInt64(key))
        values.append(value)
      }
    } else {
      var sorted = indices.map(map.compactKey)
      sortRadix(&sorted, bits: map.qubits.count)
      for key in sorted {
        if keys.last == key {
          values[values.count - 1] += 1
        } else {
          keys.append(key)
          values.append(1)
        }
      }
    }
    counts.values = values
    counts.keys.reserveCapacity(keys.count * map.wordCount)
    for key in keys { map.appendWords(key, to: &counts.keys) }
    return counts
  }

  private func memoryBytes(_ indices: [UInt64]) -> [UInt8] {
    var words: [UInt64] = []
    words.reserveCapacity(indices.count * map.wordCount)
    let keys = 1 << map.qubits.count
    if keys < indices.count {
      // Fewer outcomes than shots: make each once.
      var table: [UInt64] = []
      for key in 0..<keys { map.appendWords(UInt64(key), to: &table) }
      for index in indices {
        let start = Int(map.compactKey(index)) * map.wordCount
        words.append(contentsOf: table[start..<start + map.wordCount])
      }
    } else {
      for index in indices { map.appendWords(map.compactKey(index), to: &words) }
    }
    return Self.bytes(words, bitCount: bitCount)
  }

  /// Cuts outcome words to whole bytes.
  private static func bytes(_ words: [UInt64], bitCount: Int) -> [UInt8] {
    let wordsPerShot = max(1, (bitCount + 63) / 64)
    let bytesPerShot = (bitCount + 7) / 8
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count / wordsPerShot * bytesPerShot)
    for shot in 0..<words.count / wordsPerShot {
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
    let runner = try shotRunner(start)
    let qubits = bound.program.circuit.qubitCount
    // A task is one shot or more; how many there are changes no result.
    let tasks = qubits <= Self.ownStateQubits ? min(count, 64) : 1
    let results = TaskResults(tasks)
    let work = { [context] (task: Int) in
      let range = task * count / tasks..<(task + 1) * count / tasks
      results.set(task, Self.runShots(runner, range, first, source, context))
    }
    if tasks == 1 { work(0) } else { context.team.run(tasks: tasks, work) }
    let (outcomes, drift) = try results.collect()
    normDrift = max(normDrift, drift)
    try checkDrift()
    return outcomes
  }

  private static func runShots(
    _ runner: ShotRunner, _ range: Range<Int>, _ first: UInt64, _ source: ShotSource,
    _ context: KernelContext
  ) -> Result<TaskResults.Part, QubusError> {
    do throws(QubusError) {
      let part = try runner.withWorkspace { (workspace) throws(QubusError) in
        var part = TaskResults.Part()
        workspace.drift = 0
        for shot in range {
          try context.check()
          let bits = try runner.run(shot: first + UInt64(shot), source, workspace, context)
          appendWords(bits, to: &part.words)
        }
        part.drift = workspace.drift
        return part
      }
      return .success(part)
    } catch {
      return .failure(error)
    }
  }

  private static func appendWords(_ bits: [Bool], to words: inout [UInt64]) {
    let start = words.count
    for _ in 0..<max(1, (bits.count + 63) / 64) { words.append(0) }
    for (bit, isSet) in bits.enumerated() where isSet {
      words[start + bit / 64] |= 1 << UInt64(bit % 64)
    }
  }

  // MARK: Exact outputs

  /// The final state, measurements at the end ignored.
  /// - Throws: `invalid_outputs` when shots differ before the end.
  package func finalState() throws(QubusError) -> StateVector {
    guard case .terminal = bound.form else {
      throw .field(
        .invalidOutputs, "outputs",
        "the program measures or resets qubits on its way, so it has no single final state")
    }
    return try evolvedState()
  }

  /// Exact expectation values, in order.
  package func expectationValues(_ observables: [PauliSum]) throws(QubusError) -> [Double] {
    let state = try finalState()
    var values: [Double] = []
    for observable in observables {
      values.append(try state.expectation(observable, context))
    }
    return values
  }

  /// Exact probabilities over the classical bits; over all qubits if the program measures nothing.
  /// - Throws: `invalid_outputs` when a program that measures on its way branches too often.
  package func probabilities() throws(QubusError) -> [Double] {
    switch bound.form {
    case .terminal:
      let state = try evolvedState()
      return try state.probabilities(
        bound.program.analysis.measurementCount == 0 ? nil : map, context)
    case .perShot(let start):
      var branches = BranchEnumeration(try shotRunner(start), context)
      let result = try branches.run()
      normDrift = max(normDrift, branches.drift)
      try checkDrift()
      return result
    }
  }

  // MARK: Parts made at first use

  private func evolvedState() throws(QubusError) -> StateVector {
    if let evolved { return evolved }
    let state = try StateVector(qubitCount: bound.program.circuit.qubitCount)
    try state.reset(context)
    try state.apply(bound.gates, context)
    normDrift = max(normDrift, abs(1 - (try state.normSquared(context))))
    try checkDrift()
    evolved = state
    return state
  }

  private func terminalSampler() throws(QubusError) -> TerminalSampler {
    if let sampler { return sampler }
    let made = try TerminalSampler(try evolvedState(), context)
    sampler = made
    return made
  }

  private func shotRunner(_ start: ClassicalMachine) throws(QubusError) -> ShotRunner {
    if let runner { return runner }
    let made = try ShotRunner(bound, start: start, prefix: try evolvedState())
    runner = made
    return made
  }

  private func checkDrift() throws(QubusError) {
    // Written so that NaN is refused, too.
    guard normDrift <= Self.driftLimit else {
      throw QubusError(
        .simulatorNormDrift,
        "the state's norm² is off by \(normDrift), the limit is \(Self.driftLimit)")
    }
  }
}
