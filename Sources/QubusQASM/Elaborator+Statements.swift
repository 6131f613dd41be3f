internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func elaborate(_ statements: [StatementSyntax]) throws(QubusError) -> Flow {
    for statement in statements {
      let flow = try elaborate(statement)
      if flow != .normal { return flow }
    }
    return .normal
  }

  func elaborate(_ statement: StatementSyntax) throws(QubusError) -> Flow {
    let span = statement.span
    if gateSteps != nil { try checkGateBody(statement) }
    switch statement.kind {
    case .gateCall(let call): try elaborateCall(call, span)
    case .measure(let operand, let target): try elaborateMeasure(operand, target, span)
    case .reset(let operand):
      for qubit in try qubits(operand).indices.array {
        try spend(1, span)
        operations.append(.reset(qubit: qubit))
      }
    case .barrier(let operands): try elaborateBarrier(operands, span)
    case .delay:
      notice("delay is ignored: devices here are ideal in time unless they say otherwise", span)
    case .include: try elaborateInclude(span)
    case .qubits(let name, let size): try declareQubits(name, size, span)
    case .declaration(let type, let name, let value, let isConstant):
      try spend(1, span)
      if isConstant {
        try declareConstant(type, name, value, span)
      } else {
        try declareVariable(type, name, value, span)
      }
    case .input(let type, let name): try declareInput(type, name, span)
    case .alias(let name, let parts): try declareAlias(name, parts)
    case .gate(let gate): try defineGate(gate, span)
    case .opaque(let name, let parameters, let qubits):
      try declareOpaque(name, parameterCount: parameters, qubitCount: qubits)
    case .assignment(let target, let operation, let value):
      try spend(1, span)
      try elaborateAssignment(target, operation, value, span)
    case .branch(let condition, let then, let otherwise):
      return try elaborateBranch(condition, then, otherwise)
    case .forLoop(let loop): return try elaborateFor(loop, span)
    case .whileLoop(let condition, let body): return try elaborateWhile(condition, body, span)
    case .select(let subject, let cases, let otherwise):
      return try elaborateSwitch(subject, cases, otherwise, span)
    case .breakLoop: return try elaborateExit(isBreak: true, span)
    case .continueLoop: return try elaborateExit(isBreak: false, span)
    case .end: operations.append(.end)
    case .block(let statements):
      return try inScope { () throws(QubusError) in
        try elaborate(statements)
      }
    case .pragma: notice("pragmas are ignored", span)
    case .annotation: notice("annotations are ignored", span)
    case .empty: break
    }
    return .normal
  }

  func inScope<T>(_ body: () throws(QubusError) -> T) throws(QubusError) -> T {
    scopes.push()
    defer { scopes.pop() }
    return try body()
  }

  /// The operations that `body` produces, as a block of its own.
  func block(
    _ body: () throws(QubusError) -> Flow
  ) throws(QubusError) -> (operations: [Operation], flow: Flow) {
    let outer = operations
    operations = []
    defer { operations = outer }
    let flow = try body()
    return (operations, flow)
  }

  private func checkGateBody(_ statement: StatementSyntax) throws(QubusError) {
    switch statement.kind {
    case .gateCall, .barrier, .delay, .forLoop, .block, .pragma, .annotation, .empty: return
    default:
      throw semantic(
        "a gate's body can hold gates only: what else a program does is no unitary",
        statement.span)
    }
  }

  private func elaborateBarrier(
    _ operands: [ExpressionSyntax], _ span: Span
  ) throws(QubusError) {
    var barrier: [Int] = []
    for operand in operands { barrier.append(contentsOf: try qubits(operand).indices.array) }
    guard gateSteps == nil else { return }
    if operands.isEmpty { barrier = Array(0..<max(circuit.qubitCount, physicalQubits)) }
    var seen: Set<Int> = []
    barrier = barrier.filter { seen.insert($0).inserted }
    try spend(1, span)
    operations.append(.barrier(qubits: barrier))
  }

  private func elaborateInclude(_ span: Span) throws(QubusError) {
    let file = String(source.text(span).dropFirst().dropLast())
    guard scopes.isGlobal else {
      throw semantic("'include' is allowed in the global scope only", span)
    }
    let library: [GateDefinition]
    switch file {
    case "qelib1.inc":
      guard !isQelibIncluded else { return }
      isQelibIncluded = true
      library = StandardGates.qelib1 + (dialect == .openqasm3 ? StandardGates.legacy : [])
    case "stdgates.inc":
      guard dialect == .openqasm3 else {
        throw unsupported(
          "\"stdgates.inc\" belongs to OpenQASM 3; OpenQASM 2 has \"qelib1.inc\"", span)
      }
      guard !isStdgatesIncluded else { return }
      isStdgatesIncluded = true
      library = StandardGates.stdgates
    default:
      throw unsupported(
        "include of \"\(file)\" is not supported: \"stdgates.inc\" and \"qelib1.inc\" are built in,"
          + " other files are not read", span)
    }
    for gate in library {
      let name = NameSyntax(name: names.intern(gate.name), span: span)
      // OpenQASM 2 follows Qiskit, where a gate of qelib1.inc cannot be declared again. The
      // library of OpenQASM 3 takes names as short as `s` and `t`; a program may reuse them.
      if dialect == .openqasm2 {
        try declare(name, .gate(gate))
      } else {
        guard scopes.declareReplaceable(name.name, .gate(gate)) else {
          throw semantic(
            "'\(gate.name)' of \"\(file)\" is already declared by the program", span)
        }
      }
    }
  }
}
