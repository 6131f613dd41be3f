internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func declareQubits(
    _ name: NameSyntax, _ size: ExpressionSyntax?, _ span: Span
  ) throws(QubusError) {
    guard scopes.isGlobal else {
      throw semantic("qubits can be declared in the global scope only", span)
    }
    guard physicalQubits == 0 else {
      throw unsupported("physical and declared qubits in one program are not supported", span)
    }
    let count = try size.map { size throws(QubusError) in try self.size(size) } ?? 1
    let (total, overflow) = circuit.qubitCount.addingReportingOverflow(count)
    guard !overflow, total <= limits.qubits else {
      throw failure(
        .tooManyQubits,
        "with '\(text(name))' the program has \(overflow ? "too many" : String(total)) qubits;"
          + " the limit is \(limits.qubits)", name.span)
    }
    let range = circuit.qubitCount..<total
    try declare(name, .qubits(.range(range), isScalar: size == nil))
    circuit.qubitRegisters.append(
      Register(name: text(name), offset: range.lowerBound, size: count))
    circuit.qubitCount = total
  }

  /// The type a declaration names.
  /// - Throws: `unsupported_program_feature` for more than 64 bits, which only global bit
  ///   registers may have.
  func scalarType(_ syntax: TypeSyntax) throws(QubusError) -> ScalarType {
    var width = 64
    if let designator = syntax.width {
      width = try size(designator)
      guard width <= 64 else {
        throw unsupported(
          "\(source.text(syntax.span)): more than 64 bits are not supported", syntax.span)
      }
    }
    switch syntax.base {
    case .bool: return .bool
    case .int: return .int(width: width)
    case .uint: return .uint(width: width)
    case .float:
      if let designator = syntax.width, ![16, 32, 64].contains(width) {
        throw unsupported(
          "float widths other than 16, 32 and 64 are not supported", designator.span)
      }
      return .float(width: 64)
    case .angle: return .angle(width: width)
    case .bit: return .bits(width: syntax.width == nil ? 1 : width)
    }
  }

  func declareConstant(
    _ type: TypeSyntax, _ name: NameSyntax, _ value: ValueSyntax?, _ span: Span
  ) throws(QubusError) {
    guard case .expression(let syntax)? = value else {
      throw semantic("the value of a constant must be a constant expression", span)
    }
    let target = try scalarType(type)
    let typed = try expression(syntax)
    guard case .constant(let constant) = try converted(typed, to: target, syntax.span) else {
      throw semantic("the value of a constant must be a constant expression", syntax.span)
    }
    try declare(name, .constant(constant))
  }

  func declareVariable(
    _ type: TypeSyntax, _ name: NameSyntax, _ value: ValueSyntax?, _ span: Span
  ) throws(QubusError) {
    if type.base == .bit, scopes.isGlobal {
      try declareBits(type, name)
      if let value {
        let target = ExpressionSyntax(kind: .name(name.name), span: name.span)
        if isZero(value) { return }
        try elaborateAssignment(target, nil, value, span)
      }
      return
    }
    let target = try scalarType(type)
    // The initialiser does not see the new name.
    var initial: Expression? = .constant(target.zero)
    if case .expression(let syntax)? = value {
      initial = try converted(try expression(syntax), to: target, syntax.span)
    } else if value != nil {
      initial = nil
    }
    let index = variable(name, target)
    try declare(name, .variable(index))
    if let initial {
      if case .constant(let constant) = initial, scopes.isGlobal {
        circuit.variables[index].initial = constant
      } else {
        operations.append(.assign(variable: index, initial))
      }
    } else if let value {
      try elaborateAssignment(
        ExpressionSyntax(kind: .name(name.name), span: name.span), nil, value, span)
    }
  }

  /// The circuit variable for a declaration; rounds of an unrolled loop share it.
  func variable(_ name: NameSyntax, _ type: ScalarType) -> Int {
    if let index = variablesByPlace[name.span.start], circuit.variables[index].type == type {
      return index
    }
    let index = circuit.variables.count
    circuit.variables.append(ClassicalVariable(name: text(name), type: type, initial: type.zero))
    variablesByPlace[name.span.start] = index
    return index
  }

  private func declareBits(_ type: TypeSyntax, _ name: NameSyntax) throws(QubusError) {
    let count = try type.width.map { width throws(QubusError) in try self.size(width) } ?? 1
    let (total, overflow) = circuit.bitCount.addingReportingOverflow(count)
    guard !overflow, total <= limits.classicalBits else {
      throw failure(
        .programTooLarge,
        "with '\(text(name))' the program has \(overflow ? "too many" : String(total)) classical"
          + " bits; the limit is \(limits.classicalBits)", name.span)
    }
    let range = circuit.bitCount..<total
    try declare(name, .bits(.range(range), isScalar: type.width == nil))
    circuit.bitRegisters.append(Register(name: text(name), offset: range.lowerBound, size: count))
    circuit.bitCount = total
  }

  /// Whether an initialiser is the zero that bits start with.
  private func isZero(_ value: ValueSyntax) -> Bool {
    guard case .expression(let syntax) = value else { return false }
    switch syntax.kind {
    case .integer(0), .boolean(false): return true
    default: return false
    }
  }

  func declareInput(_ type: TypeSyntax, _ name: NameSyntax, _ span: Span) throws(QubusError) {
    guard scopes.isGlobal else {
      throw semantic("inputs can be declared in the global scope only", span)
    }
    let target = try scalarType(type)
    try declare(name, .input(circuit.inputs.count))
    circuit.inputs.append(InputParameter(name: text(name), type: target))
  }

  func declareAlias(_ name: NameSyntax, _ parts: [ExpressionSyntax]) throws(QubusError) {
    let symbol: Symbol
    if try isQuantum(parts[0]) {
      if parts.count == 1 {
        let operand = try qubits(parts[0])
        symbol = .qubits(operand.indices, isScalar: operand.isScalar)
      } else {
        var list: [Int] = []
        for part in parts { list.append(contentsOf: try qubits(part).indices.array) }
        try checkDistinct(list, parts[0].span.joined(parts[parts.count - 1].span))
        symbol = .qubits(.list(list), isScalar: false)
      }
    } else {
      var list: [Int] = []
      var isScalar = false
      for part in parts {
        guard let operand = try bits(part) else {
          throw semantic("an alias can stand for qubits and bits only", part.span)
        }
        list.append(contentsOf: operand.indices.array)
        isScalar = operand.isScalar
      }
      symbol = .bits(.list(list), isScalar: isScalar && parts.count == 1)
    }
    try declare(name, symbol)
  }

  func checkDistinct(_ qubits: [Int], _ span: Span) throws(QubusError) {
    if qubits.count <= 8 {
      for (position, qubit) in qubits.enumerated()
      where qubits[..<position].contains(qubit) {
        throw duplicate(qubit, span)
      }
      return
    }
    var seen: Set<Int> = []
    for qubit in qubits where !seen.insert(qubit).inserted { throw duplicate(qubit, span) }
  }

  private func duplicate(_ qubit: Int, _ span: Span) -> QubusError {
    failure(.duplicateQubit, "\(qubitName(qubit)) is used twice here", span)
  }

  /// A qubit as the program writes it.
  func qubitName(_ qubit: Int) -> String {
    if gateSteps != nil { return "one qubit" }
    for register in circuit.qubitRegisters
    where (register.offset..<(register.offset + register.size)).contains(qubit) {
      return "qubit \(register.name)[\(qubit - register.offset)]"
    }
    return "qubit $\(qubit)"
  }
}
