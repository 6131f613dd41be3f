package import QubusCore

extension Expression {
  package var constantValue: Value? {
    if case .constant(let value) = self { value } else { nil }
  }

  /// This node replaced by its value when all operands are constants; operands are taken as they
  /// are, so that building bottom-up folds everything once.
  /// - Throws: as `evaluate`, for constants.
  package func folded() throws(QubusError) -> Expression {
    let isFoldable: Bool
    switch self {
    case .constant, .input, .variable, .bit, .register, .element: isFoldable = false
    case .bitOf(let operand, let index):
      isFoldable = operand.constantValue != nil && index.constantValue != nil
    case .unary(_, let operand), .cast(_, let operand): isFoldable = operand.constantValue != nil
    case .binary(_, let a, let b): isFoldable = a.constantValue != nil && b.constantValue != nil
    case .call(_, let arguments): isFoldable = arguments.allSatisfy { $0.constantValue != nil }
    }
    return isFoldable ? .constant(try evaluate(.empty)) : self
  }

  /// A copy with every input node replaced, then folded.
  package func replacingInputs(
    _ replacement: (Int) -> Expression
  ) throws(QubusError) -> Expression {
    switch self {
    case .constant, .variable, .bit, .register: return self
    case .input(let index): return replacement(index)
    case .element(let offset, let width, let index):
      return .element(offset: offset, width: width, index: try index.replacingInputs(replacement))
    case .bitOf(let operand, let index):
      let operand = try operand.replacingInputs(replacement)
      return try Expression.bitOf(operand, index: try index.replacingInputs(replacement)).folded()
    case .unary(let operation, let operand):
      return try Expression.unary(operation, try operand.replacingInputs(replacement)).folded()
    case .cast(let type, let operand):
      return try Expression.cast(type, try operand.replacingInputs(replacement)).folded()
    case .binary(let operation, let a, let b):
      let first = try a.replacingInputs(replacement)
      return try Expression.binary(operation, first, try b.replacingInputs(replacement)).folded()
    case .call(let function, let arguments):
      var replaced: [Expression] = []
      for argument in arguments { replaced.append(try argument.replacingInputs(replacement)) }
      return try Expression.call(function, replaced).folded()
    }
  }
}

extension ClassicalState {
  /// A state for constant expressions.
  package static let empty = ClassicalState(bits: [], variables: [], inputs: [])
}
