package import CQubusKernels
package import QubusCore

/// The leaf loops of one instruction set.
///
/// `@unchecked Sendable`: the table is constant data of the C module.
package struct KernelTable: @unchecked Sendable {
  private let table: UnsafePointer<qk_table>
  package let instructionSet: qk_isa

  /// - Throws: `invalid_configuration` when this processor lacks the instruction set.
  package init(_ instructionSet: qk_isa) throws(QubusError) {
    guard qk_isa_available(instructionSet) == 1, let table = qk_table_for(instructionSet) else {
      throw QubusError(
        .invalidConfiguration,
        "this processor lacks the instruction set \(instructionSet.rawValue)")
    }
    self.table = table
    self.instructionSet = instructionSet
  }

  private init(best: qk_isa) {
    guard let table = qk_table_for(best) else {
      preconditionFailure("the best available instruction set has a table")
    }
    self.table = table
    instructionSet = best
  }

  /// Chosen once for this process.
  package static let best = KernelTable(best: qk_best_isa())

  /// For example `avx512`.
  package var name: String { String(cString: table.pointee.name) }

  @inline(__always)
  func apply(
    _ chunk: UnsafeMutablePointer<Double>, bits: Int, _ operations: UnsafePointer<qk_op>,
    count: Int, _ coefficients: UnsafePointer<Double>
  ) {
    table.pointee.apply_f64(
      chunk, UInt32(truncatingIfNeeded: bits), operations, count, coefficients)
  }

  @inline(__always)
  func apply(
    _ chunk: UnsafeMutablePointer<Float>, bits: Int, _ operations: UnsafePointer<qk_op>,
    count: Int, _ coefficients: UnsafePointer<Float>
  ) {
    table.pointee.apply_f32(
      chunk, UInt32(truncatingIfNeeded: bits), operations, count, coefficients)
  }
}
