internal import CQubusKernels
internal import QubusCompiler
internal import QubusCore

/// Rows of one plan side by side, one in each lane of a vector: so that the vectors of a small
/// state are full, and the operations are prepared once for all rows. A row has the bits that it
/// has alone. Used by one thread at a time; allocates nothing once made.
final class RowBatch {
  let width: Int
  private let executor: PlanExecutor
  private let columns: RowColumns
  /// Amplitude by amplitude, the rows' real and then their imaginary parts.
  private let state: UnsafeMutableRawPointer
  private let byteCount: Int
  private let octets: Int
  /// One number for each row.
  private let sums: UnsafeMutablePointer<Double>
  private(set) var count = 0

  /// States up to here run faster side by side than one after another (measured).
  static let largestQubits = 8

  /// Nil when the plan's rows run faster, or only, one by one.
  init?(_ plan: Plan, kernels: KernelTable = .best) throws(QubusError) {
    guard plan.qubitCount <= Self.largestQubits else { return nil }
    let executor = try PlanExecutor(plan, threadCount: 1, kernels: kernels)
    guard executor.runsRows else { return nil }
    self.executor = executor
    columns = RowColumns(executor.rowCapacity, stages: plan.stages.count, plan.precision)
    width = columns.width
    // Sums go over whole octets.
    let bits = max(3, plan.qubitCount)
    octets = 1 << (bits - 3)
    byteCount = 128 << bits
    state = .allocate(byteCount: byteCount, alignment: 64)
    sums = .allocate(capacity: width)
  }

  deinit {
    state.deallocate()
    sums.deallocate()
  }

  var isFull: Bool { count == width }
  var memoryBytes: Int { byteCount + 128 * executor.rowCapacity.numbers }

  /// Adds a row.
  /// - Returns: false when it does not fit to the rows before it, which must run first.
  func add(_ numbers: PlanNumbers) throws(QubusError) -> Bool {
    precondition(!isFull)
    guard try executor.take(numbers, column: count, of: columns) else { return false }
    count += 1
    return true
  }

  /// Evolves the rows that were added; `removeAll` makes room for others.
  func run() {
    columns.fill(from: count, executor.plan.precision)
    state.initializeMemory(as: UInt64.self, repeating: 0, count: byteCount / 8)
    switch executor.plan.precision {
    case .double:
      state.assumingMemoryBound(to: Double.self).update(repeating: 1, count: width)
    case .single:
      state.assumingMemoryBound(to: Float.self).update(repeating: 1, count: width)
    }
    executor.run(columns, on: state)
  }

  func removeAll() { count = 0 }

  /// Σ|a|² of each row; valid until the next call.
  func normsSquared() -> UnsafePointer<Double> {
    switch executor.plan.precision {
    case .double: Reductions.table.norm_rows_f64(doubles, octets, sums)
    case .single: Reductions.table.norm_rows_f32(floats, octets, sums)
    }
    return UnsafePointer(sums)
  }

  /// ⟨O⟩ of each row; valid until the next call.
  func values(_ observable: PreparedPauliSum) -> UnsafePointer<Double> {
    observable.rowValues(state, executor.plan.precision, octets: octets, width: width, to: sums)
    return UnsafePointer(sums)
  }

  /// An amplitude of one row, for tests.
  subscript(index: Int, row row: Int) -> Amplitude {
    let place = 2 * index * width + row
    switch executor.plan.precision {
    case .double: return Amplitude(doubles[place], doubles[place + width])
    case .single: return Amplitude(Double(floats[place]), Double(floats[place + width]))
    }
  }

  private var doubles: UnsafePointer<Double> {
    UnsafePointer(state.assumingMemoryBound(to: Double.self))
  }
  private var floats: UnsafePointer<Float> {
    UnsafePointer(state.assumingMemoryBound(to: Float.self))
  }
}
