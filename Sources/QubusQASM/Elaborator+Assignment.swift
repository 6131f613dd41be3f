internal import QubusCircuit
internal import QubusCore

/// What an assignment or a measurement writes to.
enum WriteTarget {
  case variable(Int)
  case variableBit(Int, index: Expression)
  case bits(Operand)
  case element(offset: Int, width: Int, index: Expression)
}

extension Elaborator {
  func elaborateAssignment(
    _ syntax: ExpressionSyntax, _ operation: BinaryOperator?, _ value: ValueSyntax, _ span: Span
  ) throws(QubusError) {
    switch value {
    case .measure(let operand, let measured):
      try elaborateMeasure(operand, syntax, measured)
    case .concatenation(let parts): try assignConcatenation(syntax, operation, parts, span)
    case .expression(let right):
      let target = try writeTarget(syntax)
      guard let operation else {
        if case .bits(let operand) = target, try assignWide(operand, right, span) { return }
        return try assign(try expression(right), to: target, right.span)
      }
      let sum = ExpressionSyntax(kind: .binary(operation, syntax, right), span: span)
      try assign(try expression(sum), to: target, span)
    }
  }

  /// The place a left-hand side names.
  func writeTarget(_ syntax: ExpressionSyntax) throws(QubusError) -> WriteTarget {
    switch syntax.kind {
    case .name(let name):
      let symbol = try lookup(NameSyntax(name: name, span: syntax.span))
      switch symbol {
      case .variable(let index): return .variable(index)
      case .bits(let indices, let isScalar):
        return .bits(Operand(indices: indices, isScalar: isScalar))
      case .qubits, .constant, .input, .gate, .opaque, .gateParameter:
        throw semantic(
          "'\(names.text(name))' is \(symbol.description) and cannot be assigned", syntax.span)
      }
    case .index(let base, let index):
      if let operand = try bits(base) {
        guard !operand.isScalar else { throw semantic("a single bit has no index", syntax.span) }
        if case .single(let position) = index, let dynamic = try runTimeIndex(position) {
          guard
            case .element(let offset, let width, let place) = try element(
              operand, dynamic, syntax.span)
          else { throw semantic("this cannot be assigned", syntax.span) }
          return .element(offset: offset, width: width, index: place)
        }
        return .bits(try select(index, from: operand, syntax.span))
      }
      guard case .variable(let variable) = try writeTarget(base) else {
        throw semantic("this cannot be assigned", syntax.span)
      }
      guard let width = circuit.variables[variable].type.indexableWidth else {
        throw semantic(
          "a variable of type \(circuit.variables[variable].type.text) has no bits to index",
          syntax.span)
      }
      guard case .single(let position) = index else {
        throw unsupported("assignments to slices of variables are not supported", syntax.span)
      }
      if let dynamic = try runTimeIndex(position) {
        return .variableBit(variable, index: dynamic)
      }
      let place = try self.position(position, below: width)
      return .variableBit(variable, index: .constant(.int(Int64(place), width: 64)))
    default: throw semantic("this cannot be assigned", syntax.span)
    }
  }

  func assign(
    _ value: TypedExpression, to target: WriteTarget, _ span: Span
  ) throws(QubusError) {
    switch target {
    case .variable(let index):
      let type = circuit.variables[index].type
      operations.append(.assign(variable: index, try converted(value, to: type, span)))
    case .variableBit(let index, let position):
      operations.append(
        .assignBit(.variable(index, index: position), try bit(value, span)))
    case .element(let offset, let width, let index):
      operations.append(
        .assignBit(.element(offset: offset, width: width, index: index), try bit(value, span)))
    case .bits(let operand):
      let count = operand.indices.count
      if count == 1 {
        operations.append(.assignBit(.bit(operand.indices[0]), try bit(value, span)))
        return
      }
      guard count <= 64 else {
        throw unsupported(
          "a register of \(count) bits can be assigned a bit string or another register only", span)
      }
      let bits = try converted(value, to: .bits(width: count), span)
      guard let run = operand.indices.contiguous else {
        return try assignScattered(operand, bits, span)
      }
      operations.append(.assignRegister(offset: run.lowerBound, width: count, bits))
    }
  }

  private func bit(_ value: TypedExpression, _ span: Span) throws(QubusError) -> Expression {
    try converted(value, to: value.type == .bool ? .bool : .bits(width: 1), span)
  }

  /// Bits that are not consecutive get a value through a temporary, so that an assignment between
  /// overlapping bits reads all before it writes any.
  private func assignScattered(
    _ operand: Operand, _ bits: Expression, _ span: Span
  ) throws(QubusError) {
    let count = operand.indices.count
    var value = bits
    if bits.constantValue == nil {
      let type = ScalarType.bits(width: count)
      let index = circuit.variables.count
      circuit.variables.append(
        ClassicalVariable(name: "(scattered bits)", type: type, initial: type.zero))
      operations.append(.assign(variable: index, bits))
      value = .variable(index)
    }
    try spend(count, span)
    for position in 0..<count {
      let bit = try folded(
        .bitOf(value, index: .constant(.int(Int64(position), width: 64))), span)
      operations.append(.assignBit(.bit(operand.indices[position]), bit.expression))
    }
  }

  /// Bit strings and copies of registers of any width.
  /// - Returns: false when the value is neither, or narrow enough for an expression.
  private func assignWide(
    _ operand: Operand, _ right: ExpressionSyntax, _ span: Span
  ) throws(QubusError) -> Bool {
    let count = operand.indices.count
    guard count > 64 else { return false }
    if case .bitString = right.kind {
      let digits = try bitStringDigits(right.span)
      guard digits.count == count else {
        throw semantic(
          "the bit string has \(digits.count) bits, the register \(count)", right.span)
      }
      return try assignChunks(operand, span) { start, width throws(QubusError) in
        let pattern = digits[start..<(start + width)].reversed().reduce(UInt64(0)) {
          $0 << 1 | ($1 ? 1 : 0)
        }
        return .constant(.bits(pattern, width: width))
      }
    }
    guard let other = try bits(right) else { return false }
    guard other.indices.count == count, let run = other.indices.contiguous else {
      throw semantic(
        "registers must have the same size to be assigned, here \(other.indices.count) and"
          + " \(count)", right.span)
    }
    return try assignChunks(operand, span) { start, width throws(QubusError) in
      .register(offset: run.lowerBound + start, width: width)
    }
  }

  private func assignChunks(
    _ operand: Operand, _ span: Span, _ value: (Int, Int) throws(QubusError) -> Expression
  ) throws(QubusError) -> Bool {
    guard let run = operand.indices.contiguous else {
      throw unsupported("an assignment to more than 64 scattered bits is not supported", span)
    }
    var start = 0
    while start < run.count {
      let width = min(64, run.count - start)
      operations.append(
        .assignRegister(
          offset: run.lowerBound + start, width: width, try value(start, width)))
      start += width
    }
    return true
  }

  /// `a = b ++ c`: the first part holds the lowest indices.
  private func assignConcatenation(
    _ syntax: ExpressionSyntax, _ operation: BinaryOperator?, _ parts: [ExpressionSyntax],
    _ span: Span
  ) throws(QubusError) {
    guard operation == nil else {
      throw semantic("a concatenation can only be assigned with '='", span)
    }
    var total: TypedExpression?
    var width = 0
    for part in parts {
      let typed = try expression(part)
      guard case .bits(let size) = typed.type, width + size <= 64 else {
        throw unsupported(
          "only bits, 64 at most, can be concatenated outside of 'let'", part.span)
      }
      let wide = ScalarType.uint(width: 64)
      let bits = try folded(.cast(wide, typed.expression), part.span)
      let moved = try folded(
        .binary(.shiftLeft, bits.expression, .constant(.int(Int64(width), width: 64))), part.span)
      width += size
      guard let before = total else {
        total = moved
        continue
      }
      total = try folded(.binary(.bitwiseOr, before.expression, moved.expression), part.span)
    }
    guard let total else { return }
    let bits = ScalarType.bits(width: width)
    let value = try folded(.cast(bits, total.expression), span)
    try assign(value, to: try writeTarget(syntax), span)
  }
}
