internal import QubusCircuit
internal import QubusCore

/// A loop around the statements being elaborated.
final class LoopContext {
  /// Unrolled loops leave no loop in the circuit, so their `break` needs other means.
  let isUnrolled: Bool
  /// `runTimeDepth` at the start of the body.
  let depth: Int
  /// A `break` or `continue` below a run-time branch was met in this round.
  var hasRunTimeExit = false
  /// Bool variable that is true until a run-time `break`; nil before the first one.
  var active: Int?

  init(isUnrolled: Bool, depth: Int) {
    self.isUnrolled = isUnrolled
    self.depth = depth
  }
}

extension Elaborator {
  func elaborateBranch(
    _ syntax: ExpressionSyntax, _ then: StatementSyntax, _ otherwise: StatementSyntax?
  ) throws(QubusError) -> Flow {
    let condition = try condition(syntax)
    if let value = condition.constantValue {
      let taken = value.truth ? then : otherwise
      return try taken.map { statement throws(QubusError) in try self.scoped(statement) } ?? .normal
    }
    try spend(1, syntax.span)
    let first = try runTimeBlock { () throws(QubusError) in try scoped(then) }
    let second = try runTimeBlock { () throws(QubusError) in
      try otherwise.map { statement throws(QubusError) in try self.scoped(statement) } ?? .normal
    }
    operations.append(.branch(condition: condition, then: first, otherwise: second))
    return .normal
  }

  /// A body, braced or not, in a scope of its own.
  private func scoped(_ statement: StatementSyntax) throws(QubusError) -> Flow {
    if case .block = statement.kind { return try elaborate(statement) }
    return try inScope { () throws(QubusError) in try elaborate(statement) }
  }

  private func runTimeBlock(
    _ body: () throws(QubusError) -> Flow
  ) throws(QubusError) -> [Operation] {
    runTimeDepth += 1
    defer { runTimeDepth -= 1 }
    return try block(body).operations
  }

  func elaborateWhile(
    _ syntax: ExpressionSyntax, _ body: StatementSyntax, _ span: Span
  ) throws(QubusError) -> Flow {
    let condition = try condition(syntax)
    if let value = condition.constantValue, !value.truth { return .normal }
    try spend(1, span)
    loops.append(LoopContext(isUnrolled: false, depth: runTimeDepth + 1))
    defer { loops.removeLast() }
    let operations = try runTimeBlock { () throws(QubusError) in try scoped(body) }
    self.operations.append(.whileLoop(condition: condition, body: operations))
    return .normal
  }

  func elaborateSwitch(
    _ syntax: ExpressionSyntax, _ cases: [CaseSyntax], _ otherwise: [StatementSyntax], _ span: Span
  ) throws(QubusError) -> Flow {
    let subject = try expression(syntax)
    switch subject.type {
    case .int, .uint, .bits, .bool: break
    case .float, .angle:
      throw semantic("'switch' needs an integer, this is \(subject.type.text)", syntax.span)
    }
    var seen: Set<Int64> = []
    var labels: [[Int64]] = []
    for item in cases {
      var values: [Int64] = []
      for label in item.labels {
        let value = try constantInteger(label, "a case label")
        guard seen.insert(value).inserted else {
          throw semantic("the case \(value) occurs twice in this 'switch'", label.span)
        }
        values.append(value)
      }
      labels.append(values)
    }
    if let value = subject.expression.constantValue?.integer {
      let chosen = labels.firstIndex { $0.contains(value) }.map { cases[$0].body } ?? otherwise
      return try inScope { () throws(QubusError) in try elaborate(chosen) }
    }
    try spend(1, span)
    var result: [SwitchCase] = []
    for (item, values) in zip(cases, labels) {
      let body = try runTimeBlock { () throws(QubusError) in
        try inScope { () throws(QubusError) in try elaborate(item.body) }
      }
      result.append(SwitchCase(values: values, body: body))
    }
    let last = try runTimeBlock { () throws(QubusError) in
      try inScope { () throws(QubusError) in try elaborate(otherwise) }
    }
    operations.append(.select(subject.expression, cases: result, otherwise: last))
    return .normal
  }

  /// `break` and `continue`.
  func elaborateExit(isBreak: Bool, _ span: Span) throws(QubusError) -> Flow {
    guard let loop = loops.last else {
      throw semantic("'\(isBreak ? "break" : "continue")' outside of a loop", span)
    }
    if !loop.isUnrolled {
      operations.append(isBreak ? .breakLoop : .continueLoop)
      return isBreak ? .leftLoop : .nextIteration
    }
    if runTimeDepth > loop.depth {
      // A round with a run-time exit becomes a loop that runs once, which `breakLoop` leaves.
      loop.hasRunTimeExit = true
      if isBreak {
        let active = loop.active ?? activeFlag()
        loop.active = active
        operations.append(.assign(variable: active, .constant(.bool(false))))
      }
      operations.append(.breakLoop)
    }
    return isBreak ? .leftLoop : .nextIteration
  }

  private func activeFlag() -> Int {
    circuit.variables.append(
      ClassicalVariable(name: "(loop is active)", type: .bool, initial: .bool(true)))
    return circuit.variables.count - 1
  }
}
