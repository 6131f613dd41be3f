extension StatementSyntax {
  /// Whether this statement or one inside it writes to a variable of this name. A declaration that
  /// shadows the name is taken for the name itself, which costs nothing but an optimisation.
  func assigns(_ name: Int) -> Bool {
    switch kind {
    case .assignment(let target, _, _): target.rootName == name
    case .measure(_, let target): target?.rootName == name
    case .branch(_, let then, let otherwise):
      then.assigns(name) || (otherwise?.assigns(name) ?? false)
    case .forLoop(let loop): loop.body.assigns(name)
    case .whileLoop(_, let body): body.assigns(name)
    case .select(_, let cases, let otherwise):
      cases.contains { $0.body.contains { $0.assigns(name) } }
        || otherwise.contains { $0.assigns(name) }
    case .block(let statements): statements.contains { $0.assigns(name) }
    case .include, .qubits, .declaration, .input, .alias, .gate, .opaque, .gateCall, .reset,
      .barrier, .delay, .breakLoop, .continueLoop, .end, .pragma, .annotation, .empty:
      false
    }
  }
}

extension ExpressionSyntax {
  /// The name that an indexed name starts with.
  fileprivate var rootName: Int? {
    switch kind {
    case .name(let name): name
    case .index(let base, _): base.rootName
    default: nil
    }
  }
}
