/// What the value of an expression depends on.
package struct ExpressionDependencies: Sendable, Hashable {
  /// Classical bits read, or possibly read where the index is known only at run time.
  package var bits: Set<Int> = []
  package var variables: Set<Int> = []
  package var inputs: Set<Int> = []

  package init() {}

  /// Whether the value is the same in every shot and for all parameters.
  package var isEmpty: Bool { bits.isEmpty && variables.isEmpty && inputs.isEmpty }
}

extension Expression {
  /// The bits, variables and inputs this expression reads.
  package var dependencies: ExpressionDependencies {
    var result = ExpressionDependencies()
    collectDependencies(into: &result)
    return result
  }

  package func collectDependencies(into result: inout ExpressionDependencies) {
    switch self {
    case .constant: break
    case .input(let index): result.inputs.insert(index)
    case .variable(let index): result.variables.insert(index)
    case .bit(let index): result.bits.insert(index)
    case .register(let offset, let width): result.bits.formUnion(offset..<(offset + width))
    case .element(let offset, let width, let index):
      result.bits.formUnion(offset..<(offset + width))
      index.collectDependencies(into: &result)
    case .bitOf(let operand, let index):
      operand.collectDependencies(into: &result)
      index.collectDependencies(into: &result)
    case .unary(_, let operand), .cast(_, let operand): operand.collectDependencies(into: &result)
    case .binary(_, let a, let b):
      a.collectDependencies(into: &result)
      b.collectDependencies(into: &result)
    case .call(_, let arguments):
      for argument in arguments { argument.collectDependencies(into: &result) }
    }
  }
}
