internal import QubusCircuit

extension Circuit {
  /// Gives a program without classical registers its outcome: the final values of the variables
  /// that it measures into, as registers in order of declaration. Phase estimation, for example,
  /// collects its bits in an `angle`.
  mutating func exposeMeasuredVariables() {
    guard bitCount == 0 else { return }
    for variable in Self.measuredVariables(operations).sorted() {
      let width = variables[variable].type.measuredWidth
      guard width > 0 else { continue }
      bitRegisters.append(
        Register(name: variables[variable].name, offset: bitCount, size: width))
      operations.append(
        .assignRegister(offset: bitCount, width: width, .variable(variable)))
      bitCount += width
    }
  }

  private static func measuredVariables(_ operations: [Operation]) -> Set<Int> {
    var found: Set<Int> = []
    for operation in operations {
      switch operation {
      case .measure(_, .variable(let variable, _)), .measure(_, .bool(let variable)):
        found.insert(variable)
      case .branch(_, let then, let otherwise):
        found.formUnion(measuredVariables(then + otherwise))
      case .whileLoop(_, let body), .forLoop(_, _, _, _, let body):
        found.formUnion(measuredVariables(body))
      case .select(_, let cases, let otherwise):
        found.formUnion(measuredVariables(cases.flatMap(\.body) + otherwise))
      case .gate, .measure, .reset, .barrier, .assignBit, .assignRegister, .assign, .breakLoop,
        .continueLoop, .end:
        break
      }
    }
    return found
  }
}

extension ScalarType {
  /// Bits of a value that a measurement can go into; 0 for a type that takes none.
  fileprivate var measuredWidth: Int {
    switch self {
    case .bool: 1
    case .int(let width), .uint(let width), .angle(let width), .bits(let width): width
    case .float: 0
    }
  }
}
