internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func elaborateFor(_ loop: ForSyntax, _ span: Span) throws(QubusError) -> Flow {
    let type = try scalarType(loop.type)
    switch loop.values {
    case .range(let range): try elaborateRange(loop, range, type, span)
    case .set(let items):
      var values: [Expression] = []
      for item in items {
        values.append(try converted(try expression(item), to: type, item.span))
      }
      try unroll(loop, type, count: values.count, span) { values[$0] }
    case .expression(let syntax):
      guard let operand = try bits(syntax) else {
        throw unsupported(
          "a loop over a value that is neither a range, a set nor a bit register"
            + " is not supported", syntax.span)
      }
      guard type == .bits(width: 1) || type == .bool else {
        throw semantic("the variable of a loop over bits must be a bit", loop.variable.span)
      }
      try unroll(loop, type, count: operand.indices.count, span) {
        let bit = Expression.bit(operand.indices[$0])
        return type == .bool ? .cast(.bool, bit) : bit
      }
    }
    return .normal
  }

  private func elaborateRange(
    _ loop: ForSyntax, _ range: RangeSyntax, _ type: ScalarType, _ span: Span
  ) throws(QubusError) {
    guard let startSyntax = range.start, let stopSyntax = range.stop else {
      throw semantic("the range of a loop needs both ends", range.span)
    }
    guard type.isInteger else {
      throw semantic(
        "the variable of a loop over a range must be an integer, this is \(type.text)",
        loop.variable.span)
    }
    let start = try integer(startSyntax)
    let stop = try integer(stopSyntax)
    let step =
      try range.step.map { syntax throws(QubusError) in try self.integer(syntax) }
      ?? .constant(.int(1, width: 64))
    if step.constantValue?.integer == 0 {
      throw semantic("the step of a range is zero", range.span)
    }
    guard let first = start.constantValue?.integer, let last = stop.constantValue?.integer,
      let stride = step.constantValue?.integer
    else {
      guard gateSteps == nil else {
        throw semantic("a loop in a gate's body needs constant bounds", range.span)
      }
      return try elaborateRunTimeRange(loop, type, (start, step, stop), span)
    }
    let isEmpty = stride > 0 ? first > last : first < last
    if isEmpty { return }
    let distance = UInt64(bitPattern: stride > 0 ? last &- first : first &- last)
    let rounds = distance / stride.magnitude
    guard rounds < UInt64(limits.programOperations) else {
      throw failure(
        .programTooLarge,
        "this loop runs more often than the limit of \(limits.programOperations) operations",
        range.span)
    }
    try unroll(loop, type, count: Int(rounds) + 1, span) { round throws(QubusError) in
      try Value.int(first &+ Int64(round) &* stride, width: 64).converted(to: type).asConstant
    }
  }

  private func integer(_ syntax: ExpressionSyntax) throws(QubusError) -> Expression {
    let typed = try expression(syntax)
    switch typed.type {
    case .int, .uint: return typed.expression
    case .bool, .float, .angle, .bits:
      throw semantic("the bounds of a range must be integers", syntax.span)
    }
  }

  private func elaborateRunTimeRange(
    _ loop: ForSyntax, _ type: ScalarType,
    _ range: (first: Expression, step: Expression, last: Expression), _ span: Span
  ) throws(QubusError) {
    try spend(1, span)
    let variable = self.variable(loop.variable, type)
    loops.append(LoopContext(isUnrolled: false, depth: runTimeDepth + 1))
    runTimeDepth += 1
    defer {
      loops.removeLast()
      runTimeDepth -= 1
    }
    let produced = try block { () throws(QubusError) in
      try inScope { () throws(QubusError) in
        try declare(loop.variable, .variable(variable))
        return try body(of: loop)
      }
    }
    operations.append(
      .forLoop(
        variable: variable, first: range.first, step: range.step, last: range.last,
        body: produced.operations))
  }

  /// The body in the scope of the loop variable, which it may shadow.
  private func body(of loop: ForSyntax) throws(QubusError) -> Flow {
    try inScope { () throws(QubusError) in
      if case .block(let statements) = loop.body.kind { return try elaborate(statements) }
      return try elaborate(loop.body)
    }
  }

  /// One round per value. A constant value makes the loop variable a constant, unless the body
  /// assigns to it.
  private func unroll(
    _ loop: ForSyntax, _ type: ScalarType, count: Int, _ span: Span,
    _ value: (Int) throws(QubusError) -> Expression
  ) throws(QubusError) {
    let isAssigned = loop.body.assigns(loop.variable.name)
    let context = LoopContext(isUnrolled: true, depth: runTimeDepth)
    loops.append(context)
    defer { loops.removeLast() }
    let start = operations.count
    for round in 0..<count {
      try spend(1, span)
      let current = try value(round)
      context.hasRunTimeExit = false
      let wasActive = context.active
      let (produced, flow) = try block { () throws(QubusError) in
        try inScope { () throws(QubusError) in
          if case .constant(let constant) = current, !isAssigned {
            try declare(loop.variable, .constant(constant))
          } else {
            let variable = self.variable(loop.variable, type)
            try declare(loop.variable, .variable(variable))
            operations.append(.assign(variable: variable, current))
          }
          return try body(of: loop)
        }
      }
      append(produced, context, wasActive: wasActive)
      if flow == .leftLoop { break }
    }
    if let active = context.active {
      operations.insert(.assign(variable: active, .constant(.bool(true))), at: start)
    }
  }

  /// Adds one round, guarded where a run-time `break` may have come before or within it.
  private func append(_ round: [Operation], _ context: LoopContext, wasActive: Int?) {
    var round = round
    if context.hasRunTimeExit {
      round = [.whileLoop(condition: .constant(.bool(true)), body: round + [.breakLoop])]
    }
    if let wasActive {
      operations.append(.branch(condition: .variable(wasActive), then: round, otherwise: []))
    } else {
      operations.append(contentsOf: round)
    }
  }
}

extension Value {
  fileprivate var asConstant: Expression { .constant(self) }
}
