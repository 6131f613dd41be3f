package import QubusCore

/// A named run of consecutive qubits or classical bits.
package struct Register: Sendable, Hashable {
  package var name: String
  package var offset: Int
  package var size: Int

  package init(name: String, offset: Int, size: Int) {
    self.name = name
    self.offset = offset
    self.size = size
  }
}

/// An `input` parameter, bound by the job before the program starts.
package struct InputParameter: Sendable, Hashable {
  package var name: String
  package var type: ScalarType

  package init(name: String, type: ScalarType) {
    self.name = name
    self.type = type
  }
}

/// A classical variable that lives while a shot runs (bit registers are not variables).
package struct ClassicalVariable: Sendable, Hashable {
  package var name: String
  package var type: ScalarType
  package var initial: Value

  package init(name: String, type: ScalarType, initial: Value) {
    self.name = name
    self.type = type
    self.initial = initial
  }
}

/// Something the front end did not do as written and says so, for example an ignored delay.
package struct Notice: Sendable, Hashable {
  package var message: String
  package var location: SourceLocation?

  package init(message: String, location: SourceLocation? = nil) {
    self.message = message
    self.location = location
  }
}

/// A program in the form every later stage works on: gates expanded to the gate table, registers
/// to indices, constant loops unrolled; what depends on measured bits stays as control flow.
///
/// Qubit and bit 0 are the least significant. Registers keep their order of declaration, so the
/// last declared bit is the leftmost character of a counts key.
package struct Circuit: Sendable, Hashable {
  package var qubitCount = 0
  package var bitCount = 0
  package var qubitRegisters: [Register] = []
  package var bitRegisters: [Register] = []
  package var inputs: [InputParameter] = []
  package var variables: [ClassicalVariable] = []
  package var operations: [Operation] = []
  package var notices: [Notice] = []

  package init() {}
}

/// One application of a gate of the table: controls first, then an optional power.
package struct GateApplication: Sendable, Hashable {
  package var gate: Gate
  /// Angles in radians; `gate.parameterCount` of them.
  package var parameters: [Expression]
  /// Distinct qubits; `gate.targetCount` of them, `targets[0]` is the gate's least significant.
  package var targets: [Int]
  /// Controls added by name (`cx`) or modifier (`ctrl @`, `negctrl @`); distinct from targets.
  package var controls: [Control]
  /// `pow @`: the principal power of the target matrix (before controls); nil means 1.
  package var exponent: Expression?

  package init(
    _ gate: Gate, _ parameters: [Expression] = [], targets: [Int], controls: [Control] = [],
    exponent: Expression? = nil
  ) {
    self.gate = gate
    self.parameters = parameters
    self.targets = targets
    self.controls = controls
    self.exponent = exponent
  }
}

/// A control qubit; the gate acts where the qubit equals `isPositive ? 1 : 0`.
package struct Control: Sendable, Hashable {
  package var qubit: Int
  package var isPositive: Bool

  package init(_ qubit: Int, isPositive: Bool = true) {
    self.qubit = qubit
    self.isPositive = isPositive
  }
}

/// Where a measured or assigned bit goes.
package enum BitTarget: Sendable, Hashable {
  /// A classical bit by index.
  case bit(Int)
  /// A bit of a register chosen at run time; `index` counts from `offset`, below `width`.
  case element(offset: Int, width: Int, index: Expression)
  /// One bit of an integer or angle variable.
  case variable(Int, index: Expression)
  /// A `bool` variable.
  case bool(Int)
}

/// One step of a program.
package indirect enum Operation: Sendable, Hashable {
  case gate(GateApplication)
  /// Computational-basis measurement; `into` nil discards the outcome.
  case measure(qubit: Int, into: BitTarget?)
  case reset(qubit: Int)
  case barrier(qubits: [Int])
  case assignBit(BitTarget, Expression)
  /// Writes the low `width` bits of an integer value to bits `offset ..< offset + width`.
  case assignRegister(offset: Int, width: Int, Expression)
  case assign(variable: Int, Expression)
  case branch(condition: Expression, then: [Operation], otherwise: [Operation])
  case whileLoop(condition: Expression, body: [Operation])
  /// A `for` over a range known only at run time; `last` is included.
  case forLoop(
    variable: Int, first: Expression, step: Expression, last: Expression, body: [Operation])
  case select(Expression, cases: [SwitchCase], otherwise: [Operation])
  case breakLoop
  case continueLoop
  /// `end`: the shot stops here.
  case end
}

/// One `case` of a `switch`.
package struct SwitchCase: Sendable, Hashable {
  package var values: [Int64]
  package var body: [Operation]

  package init(values: [Int64], body: [Operation]) {
    self.values = values
    self.body = body
  }
}
