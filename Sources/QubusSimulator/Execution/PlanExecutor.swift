internal import CQubusKernels
package import QubusCompiler
package import QubusCore

/// Runs one plan, any number of times with any numbers; used by one thread at a time.
///
/// A stage is one parallel region: each chunk is gathered into memory that stays in its thread's
/// L2 cache, gets all operations of the stage, and is scattered back. A chunk's result depends on
/// the chunk only, so the bits are the same for any number of threads.
package final class PlanExecutor {
  package let plan: Plan
  let kernels: KernelTable
  private let stages: [PreparedStage]
  private let operations: UnsafeMutableBufferPointer<StageOperation>
  private let tables: [SortedDiagonal]
  private let coefficientCount: Int
  /// The part of the whole evolution that is done before each stage, and at the end.
  private let shares: [Double]
  let buffers: ExecutionBuffers

  /// - Parameter threadCount: of the teams that will run it, at most.
  /// - Throws: `insufficient_memory`, `execution_canceled`.
  package init(
    _ plan: Plan, threadCount: Int, kernels: KernelTable = .best,
    cancellation: CancellationFlag? = nil
  ) throws(QubusError) {
    let bitCount = BlockedState.bitCount(qubitCount: plan.qubitCount, plan.precision)
    let prepared = try StagePreparation(plan, bitCount: bitCount, cancellation)
    self.plan = plan
    self.kernels = kernels
    stages = prepared.stages
    tables = prepared.tables
    coefficientCount = prepared.coefficientCount
    shares = Self.shares(stages)
    let gathered = stages.filter { !$0.isInPlace }.map(\.localBits).max()
    buffers = try ExecutionBuffers(
      lanes: threadCount, operations: stages.map(\.operations.count).max() ?? 0,
      coefficients: coefficientCount, scratch: prepared.scratchCount,
      chunkBytes: gathered.map { plan.precision.bytesPerAmplitude << $0 } ?? 0, plan.precision)
    operations = .allocate(capacity: prepared.operations.count)
    try initializeOperations(prepared.operations, cancellation)
  }

  deinit { operations.deallocate() }

  private func initializeOperations(
    _ prepared: [StageOperation], _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    for (index, operation) in prepared.enumerated() {
      try cancellation.poll(index)
      operations.initializeElement(at: index, to: operation)
    }
  }

  /// A stage counts its operations, and one for moving its chunks, by the amplitudes it touches.
  private static func shares(_ stages: [PreparedStage]) -> [Double] {
    var sums = [0.0]
    for stage in stages {
      let amplitudes = Double(sign: .plus, exponent: stage.liveCount, significand: 1)
      sums.append(sums[sums.count - 1] + amplitudes * Double(stage.operations.count + 1))
    }
    let total = max(sums[sums.count - 1], 1)
    return sums.map { $0 / total }
  }

  /// Evolves |0…0⟩, whatever `state` holds.
  /// - Throws: `execution_canceled`; the state is then undefined.
  package func run(
    _ numbers: PlanNumbers, on state: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    try evolve(state, startsFromZero: true, numbers, context)
  }

  /// Evolves what `state` holds, its qubits at the plan's initial positions; for plans that do not
  /// rely on starting from |0…0⟩.
  /// - Throws: `execution_canceled`; the state is then undefined.
  package func run(
    _ numbers: PlanNumbers, continuing state: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    precondition(state.positions == plan.initialPositions, "qubits at other positions")
    try evolve(state, startsFromZero: false, numbers, context)
  }

  /// Evolves two states by the same numbers.
  func run(
    _ numbers: PlanNumbers, continuing first: BlockedState, _ second: BlockedState,
    _ context: KernelContext
  ) throws(QubusError) {
    precondition(
      first.positions == plan.initialPositions && second.positions == plan.initialPositions,
      "qubits at other positions")
    check(numbers)
    try bind(numbers, context.cancellation)
    try evolveBound(first, startsFromZero: false, numbers, context)
    try evolveBound(second, startsFromZero: false, numbers, context)
  }

  private func evolve(
    _ state: BlockedState, startsFromZero: Bool, _ numbers: PlanNumbers, _ context: KernelContext
  ) throws(QubusError) {
    check(numbers)
    try bind(numbers, context.cancellation)
    try evolveBound(state, startsFromZero: startsFromZero, numbers, context)
  }

  private func check(_ numbers: PlanNumbers) {
    precondition(
      numbers.coefficients.count >= plan.coefficientCount
        && numbers.forms.count == plan.operations.count
        && numbers.stageScales.count == stages.count, "numbers of another plan")
  }

  private func evolveBound(
    _ state: BlockedState, startsFromZero: Bool, _ numbers: PlanNumbers, _ context: KernelContext
  ) throws(QubusError) {
    precondition(state.precision == plan.precision && state.qubitCount == plan.qubitCount)
    if stages.contains(where: { $0.chunkCount > 1 }) {
      try context.team.activate { () throws(QubusError) in
        try evolve(state, startsFromZero: startsFromZero, scales: numbers.stageScales, context)
      }
    } else {
      try evolve(state, startsFromZero: startsFromZero, scales: numbers.stageScales, context)
    }
    for (qubit, position) in plan.finalPositions.enumerated() {
      state.positions[qubit] = position
    }
  }

  private func evolve(
    _ state: BlockedState, startsFromZero: Bool, scales: [Double], _ context: KernelContext
  ) throws(QubusError) {
    if startsFromZero {
      try state.reset(liveCount: stages.first?.liveCount ?? state.bitCount, context)
    }
    for (index, stage) in stages.enumerated() {
      let scale = scales[index]
      let share = shares[index]...shares[index + 1]
      switch plan.precision {
      case .double: try run(stage, scale: scale, share, state, context, Double.self)
      case .single: try run(stage, scale: scale, share, state, context, Float.self)
      }
    }
    try state.makeWhole(context)
  }

  func stageNumbers(scale: Double) -> StageNumbers {
    guard let start = operations.baseAddress else { preconditionFailure("no operations") }
    return StageNumbers(operations: start, numbers: buffers.doubles, scale: scale)
  }

  /// Takes over a row's numbers: sorts diagonals, narrows for single precision, sets the forms.
  private func bind(
    _ numbers: PlanNumbers, _ cancellation: CancellationFlag
  ) throws(QubusError) {
    let (doubles, floats) = (buffers.doubles, buffers.floats)
    try forPieces(plan.coefficientCount, cancellation) { piece in
      numbers.coefficients.withUnsafeBufferPointer { source in
        guard let start = source.baseAddress else { return }
        (doubles + piece.lowerBound).update(from: start + piece.lowerBound, count: piece.count)
      }
    }
    for (step, table) in tables.enumerated() {
      if step > 0 { try cancellation.poll(step) }
      for (entry, row) in table.rows.enumerated() {
        doubles[table.place + 2 * entry] = doubles[table.source + 2 * row]
        doubles[table.place + 2 * entry + 1] = doubles[table.source + 2 * row + 1]
      }
    }
    if plan.precision == .single {
      try forPieces(coefficientCount, cancellation) { piece in
        for index in piece { floats[index] = Float(doubles[index]) }
      }
    }
    try forPieces(numbers.forms.count, cancellation) { piece in
      for index in piece { operations[index].operation.form = numbers.forms[index] }
    }
  }

  /// Calls `body` for pieces of `0 ..< count` of well below a millisecond, looking at the flag
  /// between them.
  private func forPieces(
    _ count: Int, _ cancellation: CancellationFlag, _ body: (Range<Int>) -> Void
  ) throws(QubusError) {
    let size = 1 << 16
    var start = 0
    while start < count {
      if start > 0 { try cancellation.check() }
      let end = min(start + size, count)
      body(start..<end)
      start = end
    }
  }
}
