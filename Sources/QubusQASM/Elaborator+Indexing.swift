internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  /// A bit or several of a register, a variable or a value.
  func indexed(
    _ base: ExpressionSyntax, _ index: IndexSyntax, _ span: Span
  ) throws(QubusError) -> TypedExpression {
    if let operand = try bits(base) {
      guard !operand.isScalar else { throw semantic("a single bit has no index", span) }
      if case .single(let position) = index,
        let dynamic = try runTimeIndex(position)
      {
        return TypedExpression(try element(operand, dynamic, span), .bits(width: 1))
      }
      return try read(try select(index, from: operand, span), span)
    }
    if try isQuantum(base) { throw semantic("a qubit has no classical value", span) }
    let value = try expression(base)
    guard let width = value.type.indexableWidth else {
      throw semantic("a value of type \(value.type.text) has no bits to index", span)
    }
    switch index {
    case .single(let position):
      let offset: Expression
      if let dynamic = try runTimeIndex(position) {
        offset = dynamic
      } else {
        offset = .constant(.int(Int64(try self.position(position, below: width)), width: 64))
      }
      return try folded(.bitOf(value.expression, index: offset), span)
    case .range(let range): return try slice(value, range, width, span)
    case .set: throw unsupported("index sets of variables are not supported", span)
    }
  }

  /// The index when it is known only at run time, nil when it is a constant.
  func runTimeIndex(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression? {
    if case .integer = syntax.kind { return nil }
    let typed = try expression(syntax)
    if typed.expression.constantValue != nil { return nil }
    switch typed.type {
    case .int, .uint, .bits, .bool: return typed.expression
    case .float, .angle: throw semantic("an index must be an integer", syntax.span)
    }
  }

  func element(
    _ operand: Operand, _ index: Expression, _ span: Span
  ) throws(QubusError) -> Expression {
    guard let run = operand.indices.contiguous else {
      throw unsupported(
        "a run-time index into bits that are not consecutive is not supported", span)
    }
    return .element(offset: run.lowerBound, width: run.count, index: index)
  }

  private func slice(
    _ value: TypedExpression, _ range: RangeSyntax, _ width: Int, _ span: Span
  ) throws(QubusError) -> TypedExpression {
    let positions = try positions(range, below: width)
    guard positions.step == 1 else {
      throw unsupported("slices of variables with a step are not supported", span)
    }
    // Bits keep their pattern on the way to an unsigned integer of the same width.
    let bits = try folded(.cast(.bits(width: width), value.expression), span)
    let pattern = try folded(.cast(.uint(width: width), bits.expression), span)
    let shifted = try folded(
      .binary(
        .shiftRight, pattern.expression, .constant(.int(Int64(positions.first), width: 64))), span)
    let masked = try folded(
      .binary(
        .bitwiseAnd, shifted.expression,
        .constant(.uint(Value.mask(positions.count), width: width))), span)
    return try folded(.cast(.bits(width: positions.count), masked.expression), span)
  }
}
