internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// The evolution of |0…0⟩ by a list of gates, ready for one row of inputs after another. A row
/// costs what its changed inputs and the operations do, and allocates nothing. Used by one thread
/// at a time.
final class ResidentEvolution {
  let plan: Plan
  let state: BlockedState
  private var trace: TraceBinding
  private var binding: PlanBinding
  private let executor: PlanExecutor

  /// - Throws: `insufficient_memory`, `execution_canceled`, and what binding constant gates throws.
  convenience init(
    _ gates: [GateApplication], qubitCount: Int, _ precision: Precision, threadCount: Int,
    _ cancellation: CancellationFlag
  ) throws(QubusError) {
    let trace = try TraceBinding(gates)
    let plan = try Planner.plan(
      trace.gates, qubitCount: qubitCount, precision: precision, cancellation: cancellation)
    try self.init(plan, trace, threadCount: threadCount)
  }

  private init(_ plan: Plan, _ trace: TraceBinding, threadCount: Int) throws(QubusError) {
    self.plan = plan
    self.trace = trace
    binding = try PlanBinding(plan, trace.gates)
    executor = try PlanExecutor(plan, threadCount: threadCount)
    state = try BlockedState(qubitCount: plan.qubitCount, precision: plan.precision)
  }

  /// Another of the same plan, with memory and rows of its own.
  func twin(threadCount: Int) throws(QubusError) -> ResidentEvolution {
    var trace = trace
    trace.forget()
    return try ResidentEvolution(plan, trace, threadCount: threadCount)
  }

  /// - Throws: `execution_canceled`, and what the gates' expressions throw for these inputs.
  func run(_ row: InputRow, _ context: KernelContext) throws(QubusError) {
    try trace.update(row)
    try binding.update(trace.gates)
    try executor.run(binding.numbers, on: state, context)
  }

  /// Bytes of the state, the plan and what runs it, roughly.
  var memoryBytes: Int {
    let bytes = BlockedState.byteCount(qubitCount: plan.qubitCount, plan.precision)
    return Int(bytes) + Self.bytes(plan, gates: trace.gates.gates.count, executor)
  }

  /// Gates, terms and operations with their numbers.
  static func bytes(_ plan: Plan, gates: Int, _ executor: PlanExecutor) -> Int {
    512 * (gates + plan.operations.count) + 32 * plan.coefficientCount
      + executor.buffers.chunkMemory
  }
}
