internal import CQubusKernels
internal import QubusCompiler
internal import QubusCore

/// Rows side by side: each is bound and resolved as if it ran alone, and leaves its numbers in a
/// column.
extension PlanExecutor {
  /// True when rows may run side by side: few qubits, and every stage one chunk.
  var runsRows: Bool {
    kernels.instructionSet != QK_REFERENCE && plan.qubitCount <= Int(QK_ROWS_MAXIMUM_BITS)
      && stages.allSatisfy { $0.outerMask == 0 && $0.isInPlace }
      && plan.finalPositions.allSatisfy { Int($0) < plan.qubitCount }
  }

  /// Takes a row's numbers into a column.
  /// - Returns: false when the row's operations are not those of the rows before it.
  func take(
    _ numbers: PlanNumbers, column: Int, of columns: RowColumns
  ) throws(QubusError) -> Bool {
    check(numbers)
    try bind(numbers, nil)
    switch plan.precision {
    case .double: return resolve(numbers.stageScales, column, columns, columns.doubles)
    case .single: return resolve(numbers.stageScales, column, columns, columns.floats)
    }
  }

  private func resolve<Real: KernelReal>(
    _ scales: [Double], _ column: Int, _ columns: RowColumns, _ target: UnsafeMutablePointer<Real>
  ) -> Bool {
    let width = columns.width
    var (index, place) = (0, 0)
    let scratch = Real.scratch(buffers, 0)
    for stage in stages.indices {
      let count = stages[stage].resolve(base: 0, stageNumbers(scale: scales[stage]), scratch)
      for operation in scratch.operations..<scratch.operations + count {
        guard columns.fits(operation.pointee, at: index, place, isFirst: column == 0) else {
          return false
        }
        columns.forms[index * width + column] = operation.pointee.form
        let source = scratch.coefficients + Int(operation.pointee.offset)
        let reals = StagePreparation.reals(operation.pointee)
        for real in 0..<reals { target[(place + real) * width + column] = source[real] }
        index += 1
        place += reals
      }
      guard columns.fits(end: index, of: stage, isFirst: column == 0) else { return false }
    }
    return true
  }

  /// Operations and numbers that a row may have at most.
  var rowCapacity: (operations: Int, numbers: Int) {
    // A scale that no operation takes up adds a phase to a stage.
    let extra = stages.count
    return (
      plan.operations.count + extra,
      operations.reduce(2 * extra) { $0 + StagePreparation.reals($1.operation) }
    )
  }

  /// Evolves |0…0⟩ by all columns.
  func run(_ columns: RowColumns, on state: UnsafeMutableRawPointer) {
    var first = 0
    for (stage, end) in zip(stages, columns.ends) {
      let bits = min(stage.localBits, plan.qubitCount)
      kernels.applyRows(
        state, plan.precision, bits: bits, columns.operations + first, count: end - first,
        columns.numbers, columns.forms + first * columns.width)
      first = end
    }
  }
}

/// The operations that rows have in common, and their numbers: one column for each row.
final class RowColumns {
  /// Rows that run side by side: 8 in double, 16 in single precision.
  let width: Int
  let operations: UnsafeMutablePointer<qk_op>
  /// `operations × width`.
  let forms: UnsafeMutablePointer<UInt8>
  /// `numbers × width`, in the plan's precision.
  private let memory: UnsafeMutableRawPointer
  /// Where the operations of each stage end.
  private(set) var ends: [Int]

  init(_ capacity: (operations: Int, numbers: Int), stages: Int, _ precision: Precision) {
    width = Self.width(precision)
    operations = .allocate(capacity: capacity.operations + 1)
    forms = .allocate(capacity: (capacity.operations + 1) * width)
    memory = .allocate(byteCount: (capacity.numbers + 1) * 64, alignment: 64)
    ends = [Int](repeating: 0, count: stages)
  }

  deinit {
    operations.deallocate()
    forms.deallocate()
    memory.deallocate()
  }

  static func width(_ precision: Precision) -> Int { 1 << precision.laneBits }

  var doubles: UnsafeMutablePointer<Double> { memory.assumingMemoryBound(to: Double.self) }
  var floats: UnsafeMutablePointer<Float> { memory.assumingMemoryBound(to: Float.self) }

  var numbers: UnsafeRawPointer { UnsafeRawPointer(memory) }

  /// Takes the first row's operation, or compares another row's with it. Forms may differ.
  @inline(__always)
  func fits(_ operation: qk_op, at index: Int, _ place: Int, isFirst: Bool) -> Bool {
    var operation = operation
    operation.form = 0
    operation.offset = UInt32(truncatingIfNeeded: place)
    if isFirst {
      operations[index] = operation
      return true
    }
    return operations[index].words == operation.words
  }

  func fits(end: Int, of stage: Int, isFirst: Bool) -> Bool {
    if isFirst { ends[stage] = end }
    return ends[stage] == end
  }

  /// Gives the columns from `count` on the numbers of the last row.
  func fill(from count: Int, _ precision: Precision) {
    guard count < width, let last = ends.last, last > 0 else { return }
    let final = operations[last - 1]
    let numbers = Int(final.offset) + StagePreparation.reals(final)
    for index in 0..<last {
      for column in count..<width {
        forms[index * width + column] = forms[index * width + count - 1]
      }
    }
    for index in 0..<numbers {
      for column in count..<width {
        switch precision {
        case .double: doubles[index * width + column] = doubles[index * width + count - 1]
        case .single: floats[index * width + column] = floats[index * width + count - 1]
        }
      }
    }
  }
}

extension qk_op {
  /// All that there is of it.
  @inline(__always)
  fileprivate var words: SIMD4<UInt64> {
    withUnsafeBytes(of: self) { bytes in
      // 8 bytes of kind, targets and form, then the masks and the offset.
      assert(bytes.count == 24)
      return SIMD4(
        bytes.loadUnaligned(as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self), 0)
    }
  }
}
