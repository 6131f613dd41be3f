internal import QubusCircuit
internal import QubusCore

/// Qubits or bits that an operand stands for.
struct Operand {
  var indices: IndexList
  /// A single qubit or bit rather than a register of size one.
  var isScalar: Bool
}

extension Elaborator {
  /// A compile-time size: positive.
  func size(_ syntax: ExpressionSyntax) throws(QubusError) -> Int {
    let value = try constantInteger(syntax, "a size")
    guard value > 0 else {
      throw semantic("a size must be positive, this is \(value)", syntax.span)
    }
    return Int(value)
  }

  func constantInteger(_ syntax: ExpressionSyntax, _ what: String) throws(QubusError) -> Int64 {
    if case .integer(let value) = syntax.kind, let integer = Int64(exactly: value) {
      return integer
    }
    guard dialect == .openqasm3 else {
      throw semantic("\(what) must be an integer", syntax.span)
    }
    let typed = try expression(syntax)
    guard let value = typed.expression.constantValue else {
      throw semantic("\(what) must be known when the program is compiled", syntax.span)
    }
    guard typed.type.isInteger || typed.type == .bool, let integer = value.integer else {
      throw semantic("\(what) must be an integer", syntax.span)
    }
    return integer
  }

  func isQuantum(_ syntax: ExpressionSyntax) throws(QubusError) -> Bool {
    switch syntax.kind {
    case .hardwareQubit: return true
    case .index(let base, _): return try isQuantum(base)
    case .name(let name):
      if case .qubits = try lookup(NameSyntax(name: name, span: syntax.span)) { return true }
      return false
    default: return false
    }
  }

  /// The qubits an operand stands for.
  func qubits(_ syntax: ExpressionSyntax) throws(QubusError) -> Operand {
    switch syntax.kind {
    case .name(let name):
      let symbol = try lookup(NameSyntax(name: name, span: syntax.span))
      guard case .qubits(let indices, let isScalar) = symbol else {
        throw semantic(
          "'\(names.text(name))' is \(symbol.description), a qubit is needed", syntax.span)
      }
      return Operand(indices: indices, isScalar: isScalar)
    case .index(let base, let index):
      let operand = try qubits(base)
      guard !operand.isScalar else {
        throw semantic("a single qubit has no index", syntax.span)
      }
      return try select(index, from: operand, syntax.span)
    case .hardwareQubit(let number): return try physicalQubit(number, syntax.span)
    default: throw semantic("a qubit is needed here", syntax.span)
    }
  }

  /// The classical bits an operand stands for, nil when it stands for something else.
  func bits(_ syntax: ExpressionSyntax) throws(QubusError) -> Operand? {
    switch syntax.kind {
    case .name(let name):
      guard
        case .bits(let indices, let isScalar) = try lookup(
          NameSyntax(name: name, span: syntax.span))
      else { return nil }
      return Operand(indices: indices, isScalar: isScalar)
    case .index(let base, let index):
      guard let operand = try bits(base) else { return nil }
      guard !operand.isScalar else { throw semantic("a single bit has no index", syntax.span) }
      return try select(index, from: operand, syntax.span)
    default: return nil
    }
  }

  private func physicalQubit(_ number: Int, _ span: Span) throws(QubusError) -> Operand {
    guard gateSteps == nil else {
      throw semantic("a gate's body cannot name physical qubits", span)
    }
    guard circuit.qubitCount == 0 else {
      throw unsupported("physical and declared qubits in one program are not supported", span)
    }
    guard number < limits.qubits else {
      throw failure(
        .tooManyQubits, "physical qubit \(number) is above the limit of \(limits.qubits) qubits",
        span)
    }
    physicalQubits = max(physicalQubits, number + 1)
    return Operand(indices: .range(number..<(number + 1)), isScalar: true)
  }

  /// Applies a compile-time index to qubits or bits.
  func select(
    _ index: IndexSyntax, from operand: Operand, _ span: Span
  ) throws(QubusError) -> Operand {
    let count = operand.indices.count
    switch index {
    case .single(let syntax):
      let position = try position(syntax, below: count)
      let chosen = operand.indices[position]
      return Operand(indices: .range(chosen..<(chosen + 1)), isScalar: true)
    case .range(let range):
      let positions = try positions(range, below: count)
      if case .range(let base) = operand.indices, positions.step == 1, positions.count > 0 {
        let first = base.lowerBound + positions.first
        return Operand(indices: .range(first..<(first + positions.count)), isScalar: false)
      }
      let list = (0..<positions.count).map {
        operand.indices[positions.first + $0 * positions.step]
      }
      return Operand(indices: .list(list), isScalar: false)
    case .set(let items):
      var list: [Int] = []
      for item in items { list.append(operand.indices[try position(item, below: count)]) }
      try checkDistinct(list, span)
      return Operand(indices: .list(list), isScalar: false)
    }
  }

  /// A compile-time index; negative ones count from the end in OpenQASM 3.
  func position(_ syntax: ExpressionSyntax, below count: Int) throws(QubusError) -> Int {
    let index = try constantInteger(syntax, "an index of a register")
    let position = index < 0 && dialect == .openqasm3 ? index + Int64(count) : index
    guard position >= 0, position < Int64(count) else {
      throw failure(
        .indexOutOfRange,
        "index \(index) is outside the register, whose size is \(count)", syntax.span)
    }
    return Int(position)
  }

  /// The positions of a compile-time range, both ends included.
  func positions(
    _ range: RangeSyntax, below count: Int
  ) throws(QubusError) -> (first: Int, step: Int, count: Int) {
    let step =
      try range.step.map { syntax throws(QubusError) in
        try self.constantInteger(syntax, "the step of a range")
      } ?? 1
    guard step != 0 else { throw semantic("the step of a range is zero", range.span) }
    let low =
      try range.start.map { syntax throws(QubusError) in
        try self.position(syntax, below: count)
      } ?? (step > 0 ? 0 : count - 1)
    let high =
      try range.stop.map { syntax throws(QubusError) in
        try self.position(syntax, below: count)
      } ?? (step > 0 ? count - 1 : 0)
    let distance = step > 0 ? high - low : low - high
    guard distance >= 0 else { throw semantic("this range is empty", range.span) }
    let length = distance / Int(clamping: step.magnitude) + 1
    return (low, length == 1 ? 1 : Int(step), length)
  }
}
