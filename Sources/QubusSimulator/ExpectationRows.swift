package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// Exact expectation values of many rows of one program, whose inputs decide numbers only: threads
/// take runs of rows, and on each thread rows of small circuits run side by side in the lanes of
/// vectors. A row has the bits that it has alone. Used by one thread at a time.
package final class ExpectationRows {
  private let plan: Plan
  private let trace: TraceBinding
  private let inputs: [InputParameter]
  private let energies: [PreparedPauliSum]
  /// One for each thread, made when there is work for it.
  private var workers: [RowWorker] = []
  private let alone = ComputeTeam(threadCount: 1)

  /// Up to here every thread has rows of its own; above, a state fills the caches alone.
  package static let ownRowQubits = 14
  /// Rows that a thread takes at a time.
  private static let grain = 32

  /// - Parameters:
  ///   - gates: parameters read inputs only.
  ///   - plan: of these gates.
  /// - Throws: `invariant_violated` when the gates do not have the structure of the plan,
  ///   `insufficient_memory`, and what binding constant gates throws.
  package init(
    _ gates: [GateApplication], _ plan: Plan, inputs: [InputParameter], _ observables: [PauliSum]
  ) throws(QubusError) {
    self.plan = plan
    self.inputs = inputs
    trace = try TraceBinding(gates)
    energies = observables.map { PreparedPauliSum($0, positions: plan.finalPositions) }
    workers.append(try worker())
  }

  package var memoryBytes: Int { workers.reduce(0) { $0 + $1.memoryBytes } }

  private func worker() throws(QubusError) -> RowWorker {
    try RowWorker(plan, trace, inputs, energies)
  }

  /// - Parameters:
  ///   - numbers: `rows × inputs`.
  ///   - values: `rows × observables`.
  /// - Returns: the largest |1 - norm²|.
  /// - Throws: the error of the lowest row that failed: `simulator_norm_drift`, and what the gates'
  ///   expressions throw; `execution_canceled`.
  package func evaluate(
    _ numbers: UnsafeBufferPointer<Double>, rows: Int, into values: UnsafeMutablePointer<Double>,
    _ context: KernelContext
  ) throws(QubusError) -> Double {
    precondition(numbers.count == rows * inputs.count)
    let work = RowWork(
      // Without inputs nothing is read.
      numbers: numbers.baseAddress ?? UnsafePointer(values), values: values)
    let tasks = (rows + Self.grain - 1) / Self.grain
    let threads = min(context.team.threadCount, tasks)
    if threads <= 1 { return try workers[0].run(0..<rows, work, context) }
    while workers.count < context.team.threadCount { workers.append(try worker()) }
    let single = KernelContext(team: alone, cancellation: context.cancellation)
    let found = Lock((drift: 0.0, failures: [(task: Int, error: QubusError)]()))
    let workers = workers
    context.team.run(tasks: tasks) { task, lane in
      let first = task * Self.grain
      do throws(QubusError) {
        let drift = try workers[lane].run(first..<min(first + Self.grain, rows), work, single)
        found.withLock { $0.drift = max($0.drift, drift) }
      } catch {
        found.withLock { $0.failures.append((task, error)) }
      }
    }
    let (drift, failures) = found.withLock { $0 }
    if let first = failures.min(by: { $0.task < $1.task }) { throw first.error }
    return drift
  }
}

/// Where rows' numbers come from and go to.
///
/// `@unchecked Sendable`: lives for one region; rows are disjoint.
private struct RowWork: @unchecked Sendable {
  var numbers: UnsafePointer<Double>
  var values: UnsafeMutablePointer<Double>
}

/// What one thread works with.
///
/// `@unchecked Sendable`: never used by two threads at once; `ExpectationRowsTests` compares teams.
private final class RowWorker: @unchecked Sendable {
  private var row: InputRow
  private var trace: TraceBinding
  private var binding: PlanBinding
  private let energies: [PreparedPauliSum]
  private let evolution: Evolution
  private let driftLimit: Double

  private enum Evolution {
    case sideBySide(RowBatch)
    case oneByOne(PlanExecutor, BlockedState)
  }

  init(
    _ plan: Plan, _ trace: TraceBinding, _ inputs: [InputParameter], _ energies: [PreparedPauliSum]
  ) throws(QubusError) {
    row = InputRow(inputs)
    self.trace = trace.forOtherRows()
    binding = try PlanBinding(plan, trace.gates)
    self.energies = energies
    driftLimit = RowSimulation.driftLimit(plan.precision)
    if let batch = try RowBatch(plan) {
      evolution = .sideBySide(batch)
    } else {
      evolution = .oneByOne(
        try PlanExecutor(plan, threadCount: 1),
        try BlockedState(qubitCount: plan.qubitCount, precision: plan.precision))
    }
  }

  var memoryBytes: Int {
    let numbers = 64 * binding.plan.coefficientCount
    switch evolution {
    case .sideBySide(let batch): return numbers + batch.memoryBytes
    case .oneByOne(_, let state):
      return numbers + state.count * state.precision.bytesPerAmplitude
    }
  }

  /// - Returns: the largest |1 - norm²|.
  func run(
    _ rows: Range<Int>, _ work: RowWork, _ context: KernelContext
  ) throws(QubusError) -> Double {
    switch evolution {
    case .sideBySide(let batch): return try run(rows, batch, work, context)
    case .oneByOne(let executor, let state):
      var largest = 0.0
      for index in rows {
        try bind(index, work)
        try executor.run(binding.numbers, on: state, context)
        largest = max(largest, try drift(try state.normSquared(context)))
        for (observable, energy) in energies.enumerated() {
          work.values[index * energies.count + observable] = try energy.value(state, context)
        }
      }
      return largest
    }
  }

  private func bind(_ index: Int, _ work: RowWork) throws(QubusError) {
    try row.set(work.numbers + index * row.parameters.count)
    try trace.update(row)
    try binding.update(trace.gates)
  }

  private func run(
    _ rows: Range<Int>, _ batch: RowBatch, _ work: RowWork, _ context: KernelContext
  ) throws(QubusError) -> Double {
    var largest = 0.0
    var first = rows.lowerBound
    batch.removeAll()
    for index in rows {
      do throws(QubusError) {
        try bind(index, work)
      } catch {
        // An error of a row before this one comes first.
        _ = try finish(batch, first, work, context)
        throw error
      }
      if try !batch.add(binding.numbers) {
        largest = max(largest, try finish(batch, first, work, context))
        first = index
        guard try batch.add(binding.numbers) else { preconditionFailure("a first row fits") }
      }
      if batch.isFull {
        largest = max(largest, try finish(batch, first, work, context))
        first = index + 1
      }
    }
    return max(largest, try finish(batch, first, work, context))
  }

  /// Runs the rows from `first` on that were added, and empties the batch.
  private func finish(
    _ batch: RowBatch, _ first: Int, _ work: RowWork, _ context: KernelContext
  ) throws(QubusError) -> Double {
    let count = batch.count
    if count == 0 { return 0 }
    try context.check()
    batch.run()
    batch.removeAll()
    var largest = 0.0
    let norms = batch.normsSquared()
    for column in 0..<count { largest = max(largest, try drift(norms[column])) }
    for (observable, energy) in energies.enumerated() {
      let values = batch.values(energy)
      for column in 0..<count {
        work.values[(first + column) * energies.count + observable] = values[column]
      }
    }
    return largest
  }

  /// - Throws: `simulator_norm_drift`.
  private func drift(_ normSquared: Double) throws(QubusError) -> Double {
    let drift = abs(1 - normSquared)
    // Written so that NaN is refused, too.
    guard drift <= driftLimit else {
      throw QubusError(
        .simulatorNormDrift,
        "the state's norm² is off by \(drift), the limit is \(driftLimit)")
    }
    return drift
  }
}
