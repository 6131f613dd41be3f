package import QubusCircuit
package import QubusCore

/// The inputs of one row after another, and when each of them last changed.
package struct InputRow: Sendable {
  package let parameters: [InputParameter]
  /// What expressions read: the inputs alone.
  package private(set) var state: ClassicalState
  /// Counts the rows.
  private(set) var now: UInt64 = 0
  /// The row in which an input got its value.
  private(set) var stamps: [UInt64]
  private var patterns: [UInt64]

  package init(_ parameters: [InputParameter]) {
    self.parameters = parameters
    state = ClassicalState(
      bits: [], variables: [], inputs: [Value](repeating: .float(0), count: parameters.count))
    stamps = [UInt64](repeating: 0, count: parameters.count)
    // No number that is accepted is this.
    patterns = [UInt64](repeating: Double.nan.bitPattern, count: parameters.count)
  }

  package var values: [Value] { state.inputs }

  /// Takes the next row. Allocates nothing.
  /// - Parameter numbers: one for each input.
  /// - Throws: `invalid_parameter_value`; the inputs before the refused one have their new values.
  package mutating func set(_ numbers: UnsafePointer<Double>) throws(QubusError) {
    now += 1
    for index in parameters.indices {
      let number = numbers[index]
      if number.bitPattern == patterns[index], number.isFinite { continue }
      let value: Value
      if case .float = parameters[index].type, number.isFinite {
        value = .float(number)
      } else {
        value = try Value.input(
          number, type: parameters[index].type, name: parameters[index].name)
      }
      state.inputs[index] = value
      patterns[index] = number.bitPattern
      stamps[index] = now
    }
  }

  /// Takes values that have the inputs' types.
  package mutating func set(_ values: [Value]) {
    precondition(values.count == parameters.count)
    now += 1
    for index in values.indices where values[index] != state.inputs[index] || now == 1 {
      state.inputs[index] = values[index]
      patterns[index] = Double.nan.bitPattern
      stamps[index] = now
    }
  }
}
