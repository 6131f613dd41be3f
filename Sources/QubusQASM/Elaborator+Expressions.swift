internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func type(of expression: Expression) -> ScalarType {
    expression.type(inputs: circuit.inputs, variables: circuit.variables) ?? .float(width: 64)
  }

  /// The meaning of a classical expression, constants folded.
  func expression(_ syntax: ExpressionSyntax) throws(QubusError) -> TypedExpression {
    switch syntax.kind {
    case .integer(let value):
      if dialect == .openqasm2 { return TypedExpression(.float(Double(value))) }
      if let signed = Int64(exactly: value) { return TypedExpression(.int(signed, width: 64)) }
      return TypedExpression(.uint(value, width: 64))
    case .float(let value): return TypedExpression(.float(value))
    case .boolean(let value): return TypedExpression(.bool(value))
    case .bitString: return try bitString(syntax.span)
    case .timing: throw unsupported("durations are not supported in expressions", syntax.span)
    case .hardwareQubit: throw semantic("a qubit has no classical value", syntax.span)
    case .name(let name): return try named(NameSyntax(name: name, span: syntax.span))
    case .unary(let operation, let operand):
      let typed = try expression(operand)
      return try folded(.unary(operation, typed.expression), syntax.span)
    case .binary(let operation, let a, let b): return try binary(operation, a, b, syntax.span)
    case .call(let name, let arguments): return try call(name, arguments, syntax.span)
    case .cast(let type, let operand):
      let target = try scalarType(type)
      if let wide = try wideTruth(target, operand) { return wide }
      let typed = try expression(operand)
      return try TypedExpression(converted(typed, to: target, syntax.span), target)
    case .index(let base, let index): return try indexed(base, index, syntax.span)
    }
  }

  /// A node whose operands are folded, folded itself and with its type.
  func folded(_ node: Expression, _ span: Span) throws(QubusError) -> TypedExpression {
    let result = try located(span) { () throws(QubusError) in try node.folded() }
    if case .constant(let value) = result { return TypedExpression(value) }
    guard let type = node.type(inputs: circuit.inputs, variables: circuit.variables) else {
      throw semantic("this operation is not defined for the types of its operands", span)
    }
    return TypedExpression(result, type)
  }

  private func binary(
    _ operation: BinaryOperator, _ a: ExpressionSyntax, _ b: ExpressionSyntax, _ span: Span
  ) throws(QubusError) -> TypedExpression {
    if operation == .equal || operation == .notEqual,
      let comparison = try wideComparison(operation, a, b)
    {
      return comparison
    }
    let first = try expression(a)
    let second = try expression(b)
    if first.expression.constantValue != nil, second.expression.constantValue != nil {
      return try folded(.binary(operation, first.expression, second.expression), span)
    }
    guard let type = operation.resultType(first.type, second.type) else {
      throw semantic(
        "operator '\(operation.text)' is not defined for \(first.type.text) and"
          + " \(second.type.text)", span)
    }
    return TypedExpression(.binary(operation, first.expression, second.expression), type)
  }

  private func named(_ name: NameSyntax) throws(QubusError) -> TypedExpression {
    let symbol = try lookup(name)
    switch symbol {
    case .constant(let value): return TypedExpression(value)
    case .input(let index):
      try checkOutsideGate(name)
      return TypedExpression(.input(index), circuit.inputs[index].type)
    case .variable(let index):
      try checkOutsideGate(name)
      return TypedExpression(.variable(index), circuit.variables[index].type)
    case .bits(let indices, let isScalar):
      try checkOutsideGate(name)
      return try read(Operand(indices: indices, isScalar: isScalar), name.span)
    case .gateParameter(let position):
      return TypedExpression(.input(position), .float(width: 64))
    case .qubits, .gate, .opaque:
      throw semantic("'\(text(name))' is \(symbol.description), a value is needed", name.span)
    }
  }

  private func checkOutsideGate(_ name: NameSyntax) throws(QubusError) {
    guard gateSteps == nil else {
      throw semantic(
        "a gate's body can use its own parameters and constants only, '\(text(name))' is neither",
        name.span)
    }
  }

  /// The value of classical bits as one number.
  func read(_ operand: Operand, _ span: Span) throws(QubusError) -> TypedExpression {
    let count = operand.indices.count
    if count == 1 { return TypedExpression(.bit(operand.indices[0]), .bits(width: 1)) }
    guard count <= 64 else {
      throw unsupported(
        "a register of \(count) bits cannot be used as a number: the limit is 64 bits", span)
    }
    if let run = operand.indices.contiguous {
      return TypedExpression(
        .register(offset: run.lowerBound, width: count), .bits(width: count))
    }
    var sum = Expression.cast(.uint(width: count), .bit(operand.indices[0]))
    for position in 1..<count {
      let bit = Expression.cast(.uint(width: count), .bit(operand.indices[position]))
      let amount = Expression.constant(.int(Int64(position), width: 64))
      sum = .binary(.bitwiseOr, sum, .binary(.shiftLeft, bit, amount))
    }
    let type = ScalarType.bits(width: count)
    return TypedExpression(.cast(type, sum), type)
  }

  private func call(
    _ name: NameSyntax, _ arguments: [ExpressionSyntax], _ span: Span
  ) throws(QubusError) -> TypedExpression {
    let word = text(name)
    if let symbol = scopes.lookup(name.name) {
      throw semantic("'\(word)' is \(symbol.description), not a function", name.span)
    }
    guard let function = Function(name: word), isFunction(word) else {
      switch word {
      case "sizeof": throw unsupported("arrays ('sizeof') are not supported", name.span)
      case "real", "imag":
        throw unsupported("complex numbers ('\(word)') are not supported", name.span)
      default: throw failure(.undeclaredIdentifier, "there is no function '\(word)'", name.span)
      }
    }
    guard arguments.count == function.argumentCount else {
      throw semantic(
        "function '\(word)' takes \(counted(function.argumentCount, "argument")),"
          + " this call has \(arguments.count)", name.span)
    }
    var values: [Expression] = []
    for argument in arguments { values.append(try expression(argument).expression) }
    let result = try folded(.call(function, values), span)
    if case .constant(.float(let value)) = result.expression, !value.isFinite {
      throw semantic("'\(source.text(span))' is \(value), which is no number", span)
    }
    return result
  }

  /// Each language has its own list of functions.
  private func isFunction(_ word: String) -> Bool {
    switch dialect {
    case .openqasm2: ["sin", "cos", "tan", "exp", "ln", "sqrt"].contains(word)
    case .openqasm3: word != "ln"
    }
  }

  private func bitString(_ span: Span) throws(QubusError) -> TypedExpression {
    let digits = try bitStringDigits(span)
    guard digits.count <= 64 else {
      throw unsupported("a bit string of more than 64 bits can only be assigned", span)
    }
    let pattern = digits.reversed().reduce(UInt64(0)) { $0 << 1 | ($1 ? 1 : 0) }
    return TypedExpression(.bits(pattern, width: digits.count))
  }

  /// The bits of a literal such as "0110", least significant (rightmost) first.
  func bitStringDigits(_ span: Span) throws(QubusError) -> [Bool] {
    var digits: [Bool] = []
    for character in source.text(span).dropFirst().dropLast().unicodeScalars.reversed() {
      switch character {
      case "0": digits.append(false)
      case "1": digits.append(true)
      case "_": break
      default:
        throw failure(.programSyntaxError, "a bit string holds the digits 0 and 1 only", span)
      }
    }
    guard !digits.isEmpty else {
      throw failure(.programSyntaxError, "a bit string must have at least one digit", span)
    }
    return digits
  }
}
