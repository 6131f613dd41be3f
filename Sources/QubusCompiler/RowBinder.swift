package import QubusCircuit
package import QubusCore

/// Binds rows of one program, one after another: what does not depend on the inputs is followed
/// once. A row has the same gates and numbers, bit for bit, as one bound by itself.
package final class RowBinder {
  private let program: CompiledProgram
  private let limits: Limits
  /// A row and its gates with parameters; nil before the second row, and for programs whose gates
  /// depend on the inputs' values.
  private var pattern: (row: BoundProgram, gates: [ParametricGate])?
  private var first: BoundProgram?
  /// True when the inputs may decide which gates there are.
  private let isSteered: Bool

  package init(_ program: CompiledProgram, limits: Limits) {
    self.program = program
    self.limits = limits
    let all = [Bool](repeating: true, count: program.circuit.inputs.count)
    isSteered = program.code.instructions.contains { $0.isSteered(by: all) }
  }

  /// - Throws: what `BoundProgram` throws.
  package func bind(
    _ inputs: [Value], cancellation: CancellationFlag
  ) throws(QubusError) -> BoundProgram {
    if let pattern, inputs.count == program.circuit.inputs.count {
      var row = pattern.row
      try row.rebind(pattern.gates, inputs, cancellation)
      return row
    }
    // A program may have one row only, so notes are made from the second on.
    var gates: [ParametricGate]? = isSteered || first == nil ? nil : []
    var row = try BoundProgram(
      program, inputs: inputs, limits: limits, cancellation: cancellation, noting: &gates)
    if case .terminal = row.form, let first, let gates, first.gates.gates == row.gates.gates {
      // One array for all rows: comparing two of them takes no time.
      row.gates.gates = first.gates.gates
      pattern = (row, gates)
    }
    if first == nil { first = row }
    return row
  }
}

/// A gate whose numbers depend on inputs, and where it stands.
struct ParametricGate: Sendable {
  var index: Int
  var application: GateApplication
  /// Bits and variables when it runs; the inputs are those of the row it was met in.
  var state: ClassicalState
}

extension BoundProgram {
  /// Replaces the inputs and the numbers that follow from them.
  fileprivate mutating func rebind(
    _ parametric: [ParametricGate], _ inputs: [Value], _ cancellation: CancellationFlag
  ) throws(QubusError) {
    self.inputs = inputs
    for (step, gate) in parametric.enumerated() {
      if step > 0 { try cancellation.poll(step) }
      var state = gate.state
      state.inputs = inputs
      try gates.rebind(gate.index, gate.application, state)
    }
  }
}
