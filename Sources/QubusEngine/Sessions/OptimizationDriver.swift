internal import QubusCore
internal import QubusOptimizers
internal import QubusSimulator

/// Iterations in order, by columns.
struct IterationBatch: Sendable {
  /// Number of the first; the next one when there is none.
  var first: UInt64
  let parameterCount: Int
  var values: [Double] = []
  var norms: [Double] = []
  /// Row-major, one row for each value.
  var parameters: [Double] = []

  var count: Int { values.count }
  /// Number of the iteration after the last.
  var next: UInt64 { first + UInt64(values.count) }

  mutating func append(_ iteration: OptimizerIteration) {
    values.append(iteration.value)
    norms.append(iteration.gradientNorm)
    parameters.append(contentsOf: iteration.parameters)
  }

  mutating func append(_ other: IterationBatch) {
    values += other.values
    norms += other.norms
    parameters += other.parameters
  }

  mutating func removeFirst(_ number: Int) {
    values.removeFirst(number)
    norms.removeFirst(number)
    parameters.removeFirst(number * parameterCount)
    first += UInt64(number)
  }

  /// Those from an iteration on, at most `limit`.
  func slice(from iteration: UInt64, limit: Int) -> IterationBatch {
    let skipped = min(count, Int(max(iteration, first) - first))
    let taken = min(limit, count - skipped)
    var slice = IterationBatch(first: first + UInt64(skipped), parameterCount: parameterCount)
    slice.values = Array(values[skipped..<skipped + taken])
    slice.norms = Array(norms[skipped..<skipped + taken])
    slice.parameters = Array(
      parameters[skipped * parameterCount..<(skipped + taken) * parameterCount])
    return slice
  }

  mutating func clear() {
    first = next
    values.removeAll(keepingCapacity: true)
    norms.removeAll(keepingCapacity: true)
    parameters.removeAll(keepingCapacity: true)
  }
}

/// What an optimization has used.
struct OptimizationCounters: Sendable, Equatable {
  /// Points evaluated.
  var evaluations: UInt64 = 0
  /// Queries answered: they number the evaluator's random draws.
  var queries: UInt64 = 0
  var shotsUsed: UInt64 = 0
  var deviceNanoseconds: UInt64 = 0
  /// Of the wall clock, up to the last restart.
  var microseconds: Microseconds = 0
}

/// An optimizer and the objective that it asks for. Used by one thread at a time.
///
/// Its evaluations are numbered apart from the session's steps, from `firstSequence` on: the same
/// optimization of a session with the same seed sees the same random numbers.
final class OptimizationDriver {
  static let firstSequence: UInt64 = 1 << 48

  let spec: OptimizeSpec
  private(set) var optimizer: any Optimizer
  private(set) var counters: OptimizationCounters
  /// Iterations since `clear`.
  var batch: IterationBatch
  private(set) var lastValue: Double
  private(set) var last: [Double]
  private let plan: SessionPlan
  private let shots: UInt64
  private let targetError: Double
  /// Set when the next query would go beyond a bound; nothing is evaluated beyond it.
  private var boundReached: String?
  private let answer = StepAnswer()
  private var values: [Double] = []
  private var gradients: [Double] = []

  init(_ spec: OptimizeSpec, _ plan: SessionPlan, _ optimizer: any Optimizer) {
    self.spec = spec
    self.plan = plan
    self.optimizer = optimizer
    counters = OptimizationCounters()
    batch = IterationBatch(
      first: optimizer.iteration + 1, parameterCount: optimizer.parameterCount)
    lastValue = .nan
    last = spec.initial
    shots = spec.shotsPerEvaluation(plan)
    targetError =
      plan.isSampled ? (spec.targetError > 0 ? spec.targetError : plan.targetError) : 0
  }

  /// As it was at a checkpoint.
  /// - Throws: `invalid_optimizer`, `data_directory_corrupt`.
  convenience init(
    _ spec: OptimizeSpec, _ plan: SessionPlan, checkpoint: [UInt8]
  ) throws(QubusError) {
    var reader = ByteReader(checkpoint)
    var counters = OptimizationCounters()
    counters.evaluations = try reader.number()
    counters.queries = try reader.number()
    counters.shotsUsed = try reader.number()
    counters.deviceNanoseconds = try reader.number()
    counters.microseconds = Microseconds(truncatingIfNeeded: try reader.number())
    let lastValue = try reader.double()
    let last = try reader.doubles()
    let optimizer = try OptimizerMethod.restore(checkpoint: try reader.raw())
    guard optimizer.parameterCount == plan.parameterCount else {
      throw QubusError(
        .dataDirectoryCorrupt, "an optimization's checkpoint belongs to another program")
    }
    self.init(spec, plan, optimizer)
    self.counters = counters
    self.lastValue = lastValue
    self.last = last
  }

  /// Whether values are estimates: from shots, or because the method looks beside the point.
  var isNoisy: Bool { plan.isSampled || type(of: optimizer).method == .spsa }

  /// The whole state.
  func checkpoint(microseconds: Microseconds) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(counters.evaluations)
    writer.write(counters.queries)
    writer.write(counters.shotsUsed)
    writer.write(counters.deviceNanoseconds)
    writer.write(UInt64(microseconds))
    writer.write(lastValue)
    writer.write(last)
    writer.write(optimizer.checkpoint())
    return writer.bytes
  }

  /// Why it goes no further, without the bounds that are clocks.
  var ending: String? {
    if let ending = optimizer.ending { return ending.rawValue }
    if let limit = spec.maxIterations, optimizer.iteration >= limit { return "max_iterations" }
    if let boundReached { return boundReached }
    if let limit = spec.maxEvaluations, counters.evaluations >= limit { return "max_evaluations" }
    if let limit = spec.maxShots, counters.shotsUsed >= limit { return "max_shots" }
    if let limit = spec.maxDeviceSeconds, Double(counters.deviceNanoseconds) >= limit * 1e9 {
      return "max_device_seconds"
    }
    return nil
  }

  /// Answers one query of the optimizer, unless that would break a bound: `ending` then tells it.
  /// - Returns: the evaluator's time, nanoseconds.
  /// - Throws: what the evaluator throws; `optimizer_diverged`.
  func advance(
    _ evaluator: any StepEvaluator, _ context: KernelContext, _ clock: () -> UInt64
  ) throws(QubusError) -> UInt64 {
    var rows = 0
    var spent: UInt64 = 0
    var asksGradients = false
    try optimizer.withQuery { (points, count, wantsGradients) throws(QubusError) in
      boundReached = bound(beforeRows: UInt64(count))
      if boundReached != nil { return }
      rows = count
      asksGradients = wantsGradients
      let order = StepOrder(
        sequence: Self.firstSequence + counters.queries, rows: count,
        outputs: wantsGradients ? [.values, .gradients] : .values, shots: shots,
        targetError: targetError, sharesRandomNumbers: plan.sharesRandomNumbers)
      let start = clock()
      try evaluator.evaluate(order, parameters: points, into: answer, context)
      spent = clock() - start
    }
    if boundReached != nil { return 0 }
    counters.queries += 1
    counters.evaluations += UInt64(rows)
    counters.shotsUsed += answer.shotsUsed
    counters.deviceNanoseconds += spent
    if let iteration = try tell(rows, asksGradients) {
      lastValue = iteration.value
      batch.append(iteration)
    }
    return spent
  }

  /// The bound that evaluations of so many points might break.
  private func bound(beforeRows rows: UInt64) -> String? {
    if let limit = spec.maxEvaluations, counters.evaluations + rows > limit {
      return "max_evaluations"
    }
    if let limit = spec.maxShots,
      limit - min(limit, counters.shotsUsed) < rows.multipliedClamped(by: shots)
    {
      return "max_shots"
    }
    return nil
  }

  /// Counts the whole slice as device time, not only its evaluations.
  func charge(_ nanoseconds: UInt64, since before: OptimizationCounters) {
    counters.deviceNanoseconds = before.deviceNanoseconds + nanoseconds
  }

  /// Takes the last point over from the batch, before it is handed on.
  func noteLast() {
    guard batch.count > 0 else { return }
    last = Array(batch.parameters.suffix(batch.parameterCount))
  }

  private func tell(_ rows: Int, _ asksGradients: Bool) throws(QubusError) -> OptimizerIteration? {
    let observables = plan.observables.count
    if observables == 1 {
      return try optimizer.tell(
        values: UnsafeBufferPointer(answer.values),
        gradients: UnsafeBufferPointer(answer.gradients))
    }
    // One observable's numbers, row by row.
    let parameters = optimizer.parameterCount
    values.removeAll(keepingCapacity: true)
    gradients.removeAll(keepingCapacity: true)
    for row in 0..<rows {
      let index = row * observables + spec.observable
      values.append(answer.values[index])
      guard asksGradients else { continue }
      gradients.append(contentsOf: answer.gradients[index * parameters..<(index + 1) * parameters])
    }
    return try values.withUnsafeBufferPointer { (values) throws(QubusError) in
      try gradients.withUnsafeBufferPointer { (gradients) throws(QubusError) in
        try optimizer.tell(values: values, gradients: gradients)
      }
    }
  }
}
