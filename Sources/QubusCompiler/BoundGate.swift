package import QubusCircuit
package import QubusCore

/// A gate with its numbers filled in, tagged by what it does to a state.
package struct BoundGate: Sendable, Hashable {
  package enum Kind: UInt8, Sendable {
    /// Nothing to do.
    case identity
    /// Multiplies the selected amplitudes by one number (coefficients: re, im); no target.
    case phase
    /// diag(d0, d1) on `target0` (4 numbers).
    case diagonal
    /// Exchanges |0⟩ and |1⟩ of `target0`.
    case flip
    /// A 2 × 2 matrix on `target0` (8 numbers, row-major).
    case dense
    /// Exchanges `target0` and `target1`.
    case swap
    /// A diagonal on two targets (8 numbers).
    case diagonal2
    /// A 4 × 4 matrix on two targets (32 numbers, row-major; bit 0 is `target0`).
    case dense2
  }

  /// What holds of a dense gate's matrix, whatever its parameters are.
  package enum Pattern: UInt8, Sendable {
    case general
    /// Every entry is real.
    case real
    /// 2 × 2 with a real diagonal and imaginary entries off it.
    case cross
  }

  /// Follows from the gate's name when it has parameters or a power that are not in the source,
  /// so that a program's structure does not depend on their values.
  package var kind: Kind
  package var pattern = Pattern.general
  /// True when the numbers follow from the program's text alone.
  package var isConstant = true
  package var target0: UInt8
  package var target1: UInt8
  /// The gate acts on amplitudes whose index satisfies `index & controlMask == controlValue`.
  package var controlMask: UInt64
  package var controlValue: UInt64
  /// Where the gate's numbers start in the list's coefficients.
  package var offset = 0

  package init(
    kind: Kind, target0: UInt8 = 0, target1: UInt8 = 0, controlMask: UInt64 = 0,
    controlValue: UInt64 = 0
  ) {
    self.kind = kind
    self.target0 = target0
    self.target1 = target1
    self.controlMask = controlMask
    self.controlValue = controlValue
  }

  /// Number of doubles the gate reads from `offset`.
  package var coefficientCount: Int {
    switch kind {
    case .identity, .flip, .swap: 0
    case .phase: 2
    case .diagonal: 4
    case .dense, .diagonal2: 8
    case .dense2: 32
    }
  }
}

/// Bound gates in order and the numbers they share.
package struct BoundGateList: Sendable {
  package var gates: [BoundGate] = []
  package var coefficients: [Double] = []
  /// Offsets of gates without parameters, by gate; -1 when not used yet.
  private var fixedOffsets = [Int](repeating: -1, count: Gate.allCases.count)

  package init() {}

  /// Forgets everything but the memory it took.
  package mutating func removeAll() {
    gates.removeAll(keepingCapacity: true)
    coefficients.removeAll(keepingCapacity: true)
    for index in fixedOffsets.indices { fixedOffsets[index] = -1 }
  }

  package mutating func removeGates(from index: Int) { gates.removeSubrange(index...) }

  /// Evaluates, checks and appends one gate.
  /// - Throws: `invalid_parameter_value` for an angle or exponent that is not finite.
  package mutating func append(
    _ application: GateApplication, _ state: ClassicalState
  ) throws(QubusError) {
    let bound = try bind(application, state)
    if bound.kind != .identity { gates.append(bound) }
  }

  /// Evaluates one gate and stores its numbers without appending it.
  package mutating func bind(
    _ application: GateApplication, _ state: ClassicalState
  ) throws(QubusError) -> BoundGate {
    var bound = Self.outline(application)
    if bound.kind != .identity || application.isWithoutNumbers { return bound }
    let isFixed = application.exponent == nil && application.parameters.isEmpty
    let known = isFixed ? fixedOffsets[Int(application.gate.rawValue)] : -1
    let matrix = try Self.matrix(application, state)
    bound.isConstant = application.isConstant
    let structure =
      bound.isConstant ? GateStructure(matrix) : GateStructure(application)
    fill(&bound, structure, from: matrix, known: known)
    if isFixed { fixedOffsets[Int(application.gate.rawValue)] = bound.offset }
    return bound
  }

  /// Appends a gate whose numbers depend on inputs, with those of the angle 0 for now.
  mutating func append(placeholder application: GateApplication) {
    precondition(!application.isConstant, "its numbers are known")
    var bound = Self.outline(application)
    if bound.kind == .identity, !application.isWithoutNumbers {
      bound.isConstant = false
      let angles = [Double](repeating: 0, count: application.parameters.count)
      fill(
        &bound, GateStructure(application), from: application.gate.matrix(angles), known: -1)
    }
    if bound.kind != .identity { gates.append(bound) }
  }

  /// Where a gate acts; its kind is set when it has no numbers.
  private static func outline(_ application: GateApplication) -> BoundGate {
    var mask: UInt64 = 0
    var value: UInt64 = 0
    for control in application.controls {
      let bit = UInt64(1) << UInt64(control.qubit)
      mask |= bit
      if control.isPositive { value |= bit }
    }
    var bound = BoundGate(kind: .identity, controlMask: mask, controlValue: value)
    if let target = application.targets.first { bound.target0 = UInt8(target) }
    if application.targets.count > 1 { bound.target1 = UInt8(application.targets[1]) }
    if application.exponent == nil, application.gate == .x { bound.kind = .flip }
    if application.exponent == nil, application.gate == .swap { bound.kind = .swap }
    return bound
  }

  /// Evaluates a gate of the list again, for other inputs.
  /// - Precondition: the gate at `index` came from this application and is not constant.
  mutating func rebind(
    _ index: Int, _ application: GateApplication, _ state: ClassicalState
  ) throws(QubusError) {
    let matrix = try Self.matrix(application, state)
    let numbers = Self.numbers(gates[index].kind, of: matrix)
    precondition(2 * numbers.count == gates[index].coefficientCount, "another gate")
    let offset = gates[index].offset
    for (place, number) in numbers.enumerated() {
      coefficients[offset + 2 * place] = number.re
      coefficients[offset + 2 * place + 1] = number.im
    }
  }

  /// Stores the numbers that the structure calls for, unless they are known.
  private mutating func fill(
    _ bound: inout BoundGate, _ structure: GateStructure, from matrix: Matrix, known: Int
  ) {
    bound.kind = structure.kind
    bound.pattern = structure.pattern
    if structure.kind == .phase, matrix.dimension == 2 {
      bound.controlMask |= 1 << UInt64(bound.target0)
      bound.controlValue |= 1 << UInt64(bound.target0)
    }
    if known >= 0 {
      bound.offset = known
      return
    }
    bound.offset = coefficients.count
    for number in Self.numbers(structure.kind, of: matrix) {
      coefficients.append(number.re)
      coefficients.append(number.im)
    }
  }

  /// The entries of a matrix that a gate of this kind needs.
  private static func numbers(_ kind: BoundGate.Kind, of matrix: Matrix) -> [Complex] {
    switch kind {
    case .phase where matrix.dimension == 2: [matrix[1, 1]]
    case .diagonal, .diagonal2: (0..<matrix.dimension).map { matrix[$0, $0] }
    case .phase, .dense, .dense2, .identity, .flip, .swap: matrix.elements
    }
  }

  private static func matrix(
    _ application: GateApplication, _ state: ClassicalState
  ) throws(QubusError) -> Matrix {
    var angles: [Double] = []
    angles.reserveCapacity(application.parameters.count)
    for index in application.parameters.indices {
      angles.append(try angle(application, index, state))
    }
    let matrix = application.gate.matrix(angles)
    guard let exponent = application.exponent else { return matrix }
    return matrix.power(try real(exponent, state, "exponent of gate \(application.gate.name)"))
  }

  /// One parameter of a gate, in radians.
  static func angle(
    _ application: GateApplication, _ index: Int, _ state: ClassicalState
  ) throws(QubusError) -> Double {
    try real(
      application.parameters[index], state,
      "parameter \(index + 1) of gate \(application.gate.name)")
  }

  private static func real(
    _ expression: Expression, _ state: ClassicalState, _ place: @autoclosure () -> String
  ) throws(QubusError) -> Double {
    let number: Double
    if case .constant(.float(let constant)) = expression {
      number = constant
    } else if case .float(let value) =
      try expression.evaluate(state).converted(to: .float(width: 64))
    {
      number = value
    } else {
      throw QubusError(.invariantViolated, "a conversion to float gave another type")
    }
    guard number.isFinite else {
      throw QubusError(
        .invalidParameterValue, "\(place()) is \(number)",
        violations: [
          FieldViolation(field: place(), explanation: "is \(number)", limit: "a finite number")
        ])
    }
    return number
  }
}

extension GateApplication {
  /// True for gates that are known by their name alone and do nothing, flip or swap.
  fileprivate var isWithoutNumbers: Bool {
    exponent == nil && (gate == .identity || gate == .x || gate == .swap)
  }
}
