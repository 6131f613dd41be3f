internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func elaborateMeasure(
    _ operand: ExpressionSyntax, _ target: ExpressionSyntax?, _ span: Span
  ) throws(QubusError) {
    let measured = try qubits(operand)
    let count = measured.indices.count
    try spend(count, span)
    guard let target else {
      for qubit in measured.indices.array { operations.append(.measure(qubit: qubit, into: nil)) }
      return
    }
    let places = try bitTargets(target)
    guard places.count == count else {
      throw semantic(
        "\(counted(count, "qubit")) cannot be measured into \(counted(places.count, "bit"))", span)
    }
    for (position, place) in places.enumerated() {
      operations.append(.measure(qubit: measured.indices[position], into: place))
    }
  }

  /// The single bits of a left-hand side, lowest first.
  private func bitTargets(_ syntax: ExpressionSyntax) throws(QubusError) -> [BitTarget] {
    switch try writeTarget(syntax) {
    case .bits(let operand): return operand.indices.array.map { .bit($0) }
    case .element(let offset, let width, let index):
      return [.element(offset: offset, width: width, index: index)]
    case .variableBit(let variable, let index): return [.variable(variable, index: index)]
    case .variable(let variable):
      let type = circuit.variables[variable].type
      if type == .bool { return [.bool(variable)] }
      guard let width = type.indexableWidth else {
        throw semantic("a measurement cannot be assigned to \(type.text)", syntax.span)
      }
      return (0..<width).map {
        .variable(variable, index: .constant(.int(Int64($0), width: 64)))
      }
    }
  }
}
