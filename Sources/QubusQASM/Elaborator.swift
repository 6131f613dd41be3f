internal import QubusCircuit
internal import QubusCore

/// An expression with its static type.
struct TypedExpression {
  var expression: Expression
  var type: ScalarType

  init(_ expression: Expression, _ type: ScalarType) {
    self.expression = expression
    self.type = type
  }

  init(_ value: Value) { self.init(.constant(value), value.type) }
}

/// What a list of statements does to the flow of control, where that is known while compiling.
enum Flow { case normal, leftLoop, nextIteration }

/// Gives statements their meaning: names to indices, gates to the gate table, constant control
/// flow resolved.
final class Elaborator {
  let source: SourceText
  let limits: Limits
  let names: NameTable
  let dialect: Dialect
  var circuit = Circuit()
  var scopes = Scopes()
  /// Operations of the block that is being built.
  var operations: [Operation] = []
  /// The body of the gate that is being defined, nil elsewhere.
  var gateSteps: [GateStep]?
  var loops: [LoopContext] = []
  /// Run-time branches and loops around this point.
  var runTimeDepth = 0
  /// Variables by the place of their declaration, so that a loop's rounds share one.
  var variablesByPlace: [Int: Int] = [:]
  /// Statements elaborated and operations produced.
  var spent = 0
  var isQelibIncluded = false
  var isStdgatesIncluded = false
  /// Highest physical qubit used, plus one.
  var physicalQubits = 0
  var noticed: Set<String> = []

  init(_ source: SourceText, names: NameTable, dialect: Dialect, limits: Limits) {
    self.source = source
    self.names = names
    self.dialect = dialect
    self.limits = limits
    declareConstants()
    let gates = dialect == .openqasm2 ? StandardGates.legacy : StandardGates.builtIn3
    for gate in gates { _ = scopes.declare(names.intern(gate.name), .gate(gate)) }
    scopes.push()
  }

  private func declareConstants() {
    let constants: [(String, Double)] =
      dialect == .openqasm2
      ? [("pi", .pi)]
      : [
        ("pi", .pi), ("π", .pi), ("tau", 2 * .pi), ("τ", 2 * .pi),
        ("euler", 2.718281828459045), ("ℇ", 2.718281828459045),
      ]
    for (name, value) in constants {
      _ = scopes.declare(names.intern(name), .constant(.float(value)))
    }
  }

  /// The finished circuit.
  func finish() -> Circuit {
    circuit.operations = operations
    circuit.exposeMeasuredVariables()
    if physicalQubits > 0 {
      circuit.qubitCount = physicalQubits
      circuit.qubitRegisters = [Register(name: "$", offset: 0, size: physicalQubits)]
    }
    return circuit
  }

  func failure(_ code: ErrorCode, _ message: String, _ span: Span) -> QubusError {
    QubusError(code, message, location: source.location(span))
  }

  func semantic(_ message: String, _ span: Span) -> QubusError {
    failure(.programSemanticError, message, span)
  }

  func unsupported(_ message: String, _ span: Span) -> QubusError {
    failure(.unsupportedProgramFeature, message, span)
  }

  /// Runs something that throws without a location, and adds the location.
  func located<T>(
    _ span: Span, _ body: () throws(QubusError) -> T
  ) throws(QubusError) -> T {
    do throws(QubusError) {
      return try body()
    } catch {
      var placed = error
      if placed.location == nil { placed.location = source.location(span) }
      throw placed
    }
  }

  func text(_ name: NameSyntax) -> String { names.text(name.name) }

  func lookup(_ name: NameSyntax) throws(QubusError) -> Symbol {
    if let symbol = scopes.lookup(name.name) { return symbol }
    throw undeclared(name)
  }

  func undeclared(_ name: NameSyntax) -> QubusError {
    var hint = ""
    let word = text(name)
    if dialect == .openqasm2, !isQelibIncluded,
      StandardGates.qelib1.contains(where: { $0.name == word })
    {
      hint = "; include \"qelib1.inc\" declares it"
    } else if dialect == .openqasm3, !isStdgatesIncluded,
      StandardGates.stdgates.contains(where: { $0.name == word })
    {
      hint = "; include \"stdgates.inc\" declares it"
    }
    return failure(.undeclaredIdentifier, "'\(word)' is not declared here\(hint)", name.span)
  }

  func declare(_ name: NameSyntax, _ symbol: Symbol) throws(QubusError) {
    guard scopes.declare(name.name, symbol) else {
      let existing = scopes.lookup(name.name)?.description ?? "a name"
      throw semantic("'\(text(name))' is already declared in this scope, as \(existing)", name.span)
    }
  }

  /// Counts work against the limit of the expanded program.
  func spend(_ amount: Int, _ span: Span) throws(QubusError) {
    spent = spent.addingSaturating(amount)
    guard spent <= limits.programOperations else {
      throw failure(
        .programTooLarge,
        "the program expands to more than \(limits.programOperations) operations at this point",
        span)
    }
  }

  /// Says once per program that something was not done as written.
  func notice(_ message: String, _ span: Span) {
    guard noticed.insert(message).inserted else { return }
    circuit.notices.append(Notice(message: message, location: source.location(span)))
  }
}
