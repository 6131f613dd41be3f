internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  /// The expression cast to a type, where OpenQASM has the cast.
  func converted(
    _ typed: TypedExpression, to target: ScalarType, _ span: Span
  ) throws(QubusError) -> Expression {
    if typed.type == target { return typed.expression }
    // An integer constant stands for a number of radians, as it does as a gate's angle.
    if case .angle = target, typed.type.isInteger, let value = typed.expression.constantValue {
      return try folded(.cast(target, .radians(value.real)), span).expression
    }
    guard typed.type.casts(to: target) else {
      throw semantic(
        "a value of type \(typed.type.text) cannot be converted to \(target.text)", span)
    }
    if case .bits(let width) = typed.type {
      switch target {
      case .bits(let other) where other != width, .angle(let other) where other != width:
        throw semantic(
          "\(typed.type.text) cannot become \(target.text): the widths differ", span)
      case .int(let other) where other < width, .uint(let other) where other < width:
        throw semantic(
          "\(typed.type.text) cannot become \(target.text): the bits do not fit", span)
      default: break
      }
    }
    return try folded(.cast(target, typed.expression), span).expression
  }

  /// A real number: the argument of `pow`.
  func number(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression {
    let typed = try expression(syntax)
    switch typed.type {
    case .int, .uint, .float: return typed.expression
    case .bool, .bits, .angle:
      throw semantic("a number is needed here, this is \(typed.type.text)", syntax.span)
    }
  }

  /// A gate's parameter: a float in radians.
  func angle(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression {
    if case .float(let value) = syntax.kind { return .radians(value) }
    let typed = try expression(syntax)
    if let value = typed.expression.constantValue {
      let real = value.real
      guard real.isFinite else {
        throw semantic("this angle is \(real), which is no number", syntax.span)
      }
      return .radians(real)
    }
    switch typed.type {
    case .float: return typed.expression
    case .int, .uint, .angle: return .cast(.float(width: 64), typed.expression)
    case .bool, .bits:
      throw semantic("an angle is needed here, this is \(typed.type.text)", syntax.span)
    }
  }

  /// A condition.
  func condition(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression {
    if dialect == .openqasm2 { return try registerCondition(syntax) }
    if let wide = try wideTruth(.bool, syntax) { return wide.expression }
    return try expression(syntax).expression
  }

  /// OpenQASM 2 has one form of condition: a register compared with an integer.
  private func registerCondition(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression {
    guard case .binary(.equal, let register, let number) = syntax.kind,
      case .name = register.kind, case .integer(let value) = number.kind
    else {
      throw failure(
        .programSyntaxError, "a condition compares a register with an integer: if (c == 1)",
        syntax.span)
    }
    guard let operand = try bits(register) else {
      throw semantic("'\(source.text(register.span))' is no classical register", register.span)
    }
    return equality(operand, value)
  }

  /// register == value, for any width.
  func equality(_ operand: Operand, _ value: UInt64) -> Expression {
    let count = operand.indices.count
    if count < 64, value > Value.mask(count) { return .constant(.bool(false)) }
    var result: Expression?
    var position = 0
    while position < count {
      let width = min(64, count - position)
      let part = position == 0 ? value : 0
      let chunk = IndexList.list((position..<(position + width)).map { operand.indices[$0] })
      let left = chunkValue(chunk)
      let test = Expression.binary(.equal, left, .constant(.uint(part, width: 64)))
      result = result.map { .binary(.and, $0, test) } ?? test
      position += width
    }
    return result ?? .constant(.bool(false))
  }

  /// At most 64 bits as one number; scattered bits are gathered.
  private func chunkValue(_ chunk: IndexList) -> Expression {
    let width = chunk.count
    if width == 1 { return .bit(chunk[0]) }
    if let run = chunk.contiguous { return .register(offset: run.lowerBound, width: width) }
    var sum = Expression.cast(.uint(width: width), .bit(chunk[0]))
    for position in 1..<width {
      let amount = Expression.constant(.int(Int64(position), width: 64))
      let bit = Expression.cast(.uint(width: width), .bit(chunk[position]))
      sum = .binary(.bitwiseOr, sum, .binary(.shiftLeft, bit, amount))
    }
    return sum
  }

  /// `==` and `!=` between a register of more than 64 bits and a constant.
  func wideComparison(
    _ operation: BinaryOperator, _ a: ExpressionSyntax, _ b: ExpressionSyntax
  ) throws(QubusError) -> TypedExpression? {
    for (register, other) in [(a, b), (b, a)] {
      guard isNameOrIndex(register), let operand = try staticBits(register),
        operand.indices.count > 64
      else { continue }
      let typed = try expression(other)
      guard let value = typed.expression.constantValue?.pattern else {
        throw unsupported(
          "a register of more than 64 bits can be compared with a constant only", register.span)
      }
      let equal = equality(operand, value)
      return TypedExpression(operation == .equal ? equal : .unary(.not, equal), .bool)
    }
    return nil
  }

  /// A register of more than 64 bits as a truth value.
  func wideTruth(
    _ target: ScalarType, _ syntax: ExpressionSyntax
  ) throws(QubusError) -> TypedExpression? {
    guard target == .bool, isNameOrIndex(syntax), let operand = try staticBits(syntax),
      operand.indices.count > 64
    else { return nil }
    return TypedExpression(.unary(.not, equality(operand, 0)), .bool)
  }

  private func isNameOrIndex(_ syntax: ExpressionSyntax) -> Bool {
    switch syntax.kind {
    case .name: true
    case .index(_, .range), .index(_, .set): true
    default: false
    }
  }

  private func staticBits(_ syntax: ExpressionSyntax) throws(QubusError) -> Operand? {
    guard gateSteps == nil else { return nil }
    return try bits(syntax)
  }
}
