internal import Glibc
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusQASM
internal import QubusSimulator

/// A bound circuit in the engine: every call that the benchmark makes of the engine stands here.
final class EngineUnderTest {
  enum Precision: String {
    case single, double
  }

  /// What the engine says of its plan; nil where it says nothing.
  struct PlanFigures {
    /// Bytes read and written, and floating-point operations, of one evolution.
    var bytes: Double?
    var flops: Double?
    /// Kernels and blocks in a word, for the table.
    var settings = "unfused"
  }

  /// Seconds from the source to the bound program, and from there to the plan.
  private(set) var compileSeconds = 0.0
  private(set) var planSeconds = 0.0
  let figures: PlanFigures
  var qubitCount: Int { bound.program.circuit.qubitCount }

  private let bound: BoundProgram
  private let context: KernelContext
  private let state: BlockedState
  private let binding: PlanBinding
  private let executor: PlanExecutor
  private let precision: QubusCompiler.Precision
  /// Prepared at the first use, as a hybrid loop does.
  private var grouped: (observable: PauliSum, prepared: PreparedPauliSum)?
  private var differentiated: (observable: PauliSum, gradient: AdjointGradient)?

  /// - Parameters:
  ///   - source: OpenQASM, UTF-8.
  ///   - inputs: values of the program's inputs, in order of declaration, radians.
  ///   - precision: nil is returned for one that the engine does not have.
  static func load(
    source: [UInt8], inputs: [Double], precision: Precision, threads: Int
  ) throws(QubusError) -> EngineUnderTest? {
    try EngineUnderTest(source: source, inputs: inputs, precision, threads: threads)
  }

  /// The plan takes the initial state as any: nothing is gained from qubits that are still |0⟩.
  private init(
    source: [UInt8], inputs: [Double], _ precision: Precision, threads: Int
  ) throws(QubusError) {
    self.precision = precision == .single ? .single : .double
    let start = monotonicSeconds()
    let circuit = try OpenQASM.compile(source)
    let program = ProgramCompiler.compile(circuit, source: source)
    bound = try BoundProgram(
      program, inputs: inputs.map { .float($0) }, cancellation: CancellationFlag())
    let compiled = monotonicSeconds()
    compileSeconds = compiled - start
    let plan = try Planner.plan(
      bound.gates, qubitCount: circuit.qubitCount, precision: self.precision,
      startsFromZero: false)
    binding = try PlanBinding(plan, bound.gates)
    executor = try PlanExecutor(plan, threadCount: threads)
    planSeconds = monotonicSeconds() - compiled
    context = KernelContext(
      team: ComputeTeam(threadCount: threads), cancellation: CancellationFlag())
    state = try BlockedState(qubitCount: circuit.qubitCount, precision: self.precision)
    try state.reset(context)
    let report = PlanReport(plan)
    figures = PlanFigures(
      bytes: report.bytes, flops: report.flops,
      settings: "\(report.stages.count) stages, \(plan.operations.count) blocks")
  }

  /// From |0…0⟩ to the whole final state, in memory that is there already.
  func evolve() throws(QubusError) {
    try state.reset(context)
    try executor.run(binding.numbers, continuing: state, context)
  }

  /// Lends the final state of the last evolution: interleaved re, im of the precision,
  /// little-endian, amplitude `i` belongs to the basis state whose qubit `q` is bit `q` of `i`.
  func withState<T>(_ body: (UnsafeRawBufferPointer) -> T) throws(QubusError) -> T {
    let numbers = state.interleaved()
    if precision == .double { return numbers.withUnsafeBytes(body) }
    return numbers.map { Float($0) }.withUnsafeBytes(body)
  }

  /// One evolution and the exact expectation value of the observable.
  func energy(_ observable: PauliSum) throws(QubusError) -> Double {
    try evolve()
    if grouped?.observable != observable {
      grouped = (observable, PreparedPauliSum(observable, positions: state.positions))
    }
    guard let grouped else { preconditionFailure("just set") }
    return try state.expectation(grouped.prepared, context)
  }

  /// The derivatives by every input, exact.
  func gradient(_ observable: PauliSum) throws(QubusError) -> [Double] {
    if differentiated?.observable != observable {
      let gradient = try AdjointGradient(
        bound.program, observable, inputs: bound.inputs,
        wanted: bound.inputs.map { _ in true }, precision: precision, context)
      differentiated = (observable, gradient)
    }
    return try differentiated?.gradient.evaluate(bound.inputs, context).gradient ?? []
  }

  /// Shots with counts of the circuit's final measurements.
  /// - Returns: seconds beyond those of the state, and the number of distinct outcomes.
  func sample(
    shots: Int, seed: UInt64
  ) throws(QubusError) -> (seconds: Double, outcomes: Int) {
    let row = RowSimulation(
      bound, seed: seed, workspace: RowWorkspace(precision), context: context)
    try row.evolveForShots()
    let start = monotonicSeconds()
    let result = try row.shots(first: 0, count: shots, memory: false, pub: 0, row: 0)
    return (monotonicSeconds() - start, result.counts.values.count)
  }
}

/// Seconds of the monotonic clock.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
