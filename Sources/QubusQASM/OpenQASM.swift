package import QubusCircuit
package import QubusCore

/// The OpenQASM front end: source text to circuit.
package enum OpenQASM {
  /// Compiles an OpenQASM 2.0, 3.0 or 3.1 program.
  ///
  /// Constant loops are unrolled and gates expanded to the gate table; control flow on measured
  /// bits, variables and inputs stays. `stdgates.inc` and `qelib1.inc` are built in; no file is
  /// read.
  /// - Parameter source: UTF-8.
  /// - Complexity: linear in the source and in the expanded program.
  /// - Throws: `program_too_large` before reading a source above `limits.programBytes`;
  ///   `program_syntax_error`, `program_semantic_error`, `undeclared_identifier`,
  ///   `index_out_of_range`, `duplicate_qubit`, `unsupported_program_feature`,
  ///   `program_too_large`, `program_too_deep`, `too_many_qubits`, `invalid_utf8`,
  ///   `nul_in_string`, `division_by_zero`, each with its place in the source.
  package static func compile(
    _ source: [UInt8], limits: Limits = Limits()
  ) throws(QubusError) -> Circuit {
    guard source.count <= limits.programBytes else {
      throw QubusError(
        .programTooLarge,
        "the program has \(source.count) bytes, the limit is \(limits.programBytes)")
    }
    var parser = try Parser(SourceText(source), limits: limits)
    _ = try parser.parseVersion()
    let elaborator = Elaborator(
      parser.source, names: parser.lexer.names, dialect: parser.dialect, limits: limits)
    while let statement = try parser.parseNext() {
      _ = try elaborator.elaborate(statement)
    }
    return elaborator.finish()
  }

  /// Compiles a program given as text.
  package static func compile(
    _ source: String, limits: Limits = Limits()
  ) throws(QubusError) -> Circuit {
    try compile(Array(source.utf8), limits: limits)
  }
}
