package import CQubusKernels
internal import Glibc
internal import QubusCompiler
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

  /// For tests only: names the instruction set instead of the best one.
  package static let variable = "QUBUS_ISA"
  private static let choice = Result { () throws(QubusError) in
    try named(getenv(variable).map { String(cString: $0) } ?? "")
  }

  /// The table of an instruction set by name; of the best one that the processor has without.
  /// - Throws: `invalid_configuration` when there is none of this name, or not on this processor.
  package static func named(_ name: String) throws(QubusError) -> KernelTable {
    if name.isEmpty { return try KernelTable(qk_best_isa()) }
    let names = [
      "reference": QK_REFERENCE, "baseline": QK_BASELINE, "avx2": QK_AVX2, "avx512": QK_AVX512,
    ]
    guard let instructionSet = names[name] else {
      throw .field(
        .invalidConfiguration, variable, "'\(name)' is no instruction set",
        limit: "one of: reference, baseline, avx2, avx512")
    }
    guard let table = try? KernelTable(instructionSet) else {
      throw .field(
        .invalidConfiguration, variable, "this processor lacks the instruction set '\(name)'",
        limit: "at best \(try KernelTable(qk_best_isa()).name)")
    }
    return table
  }

  /// - Throws: `invalid_configuration` when `QUBUS_ISA` asks for what there is not.
  package static func checkChoice() throws(QubusError) { _ = try choice.get() }

  /// Chosen once for this process, for states and for what reads them.
  package static let best: KernelTable = {
    switch choice {
    case .success(let table): return table
    case .failure(let error): preconditionFailure("unchecked environment: \(error)")
    }
  }()

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

  /// Rows side by side; not of the reference.
  @inline(__always)
  func applyRows(
    _ state: UnsafeMutableRawPointer, _ precision: Precision, bits: Int,
    _ operations: UnsafePointer<qk_op>, count: Int, _ numbers: UnsafeRawPointer,
    _ forms: UnsafePointer<UInt8>
  ) {
    let bits = UInt32(truncatingIfNeeded: bits)
    switch precision {
    case .double:
      table.pointee.apply_rows_f64(
        state.assumingMemoryBound(to: Double.self), bits, operations, count,
        numbers.assumingMemoryBound(to: Double.self), forms)
    case .single:
      table.pointee.apply_rows_f32(
        state.assumingMemoryBound(to: Float.self), bits, operations, count,
        numbers.assumingMemoryBound(to: Float.self), forms)
    }
  }
}
