package import QubusCircuit

/// What can be said of a program before its inputs are known; loops count as a guess of iterations.
package struct ProgramAnalysis: Sendable, Hashable {
  /// Gates as written, loop bodies once.
  package private(set) var gateCount = 0
  /// Gates with loop bodies as often as is guessed.
  package private(set) var guessedGateCount = 0.0
  package private(set) var measurementCount = 0
  package private(set) var resetCount = 0
  /// One bit for every qubit that an operation touches.
  package private(set) var qubitsUsed: UInt64 = 0
  /// True when some measurement or reset may have to happen while the shot runs. A false value is
  /// certain; a true one may turn out false once inputs are known.
  package private(set) var mayRunPerShot = false
  /// True when a measurement or reset has to happen while the shot runs, whatever the inputs.
  package private(set) var mustRunPerShot = false
  /// Cost of all gates in passes over the state, and of those after the first measurement or reset.
  package private(set) var passes = 0.0
  package private(set) var passesAfterOutcome = 0.0
  package private(set) var hasControlFlow = false

  private var touched: UInt64 = 0
  private var measured: UInt64 = 0
  private var hasOutcome = false
  private var weight = 1.0

  private static let guessedIterations = 8.0

  package init(_ circuit: Circuit) { visit(circuit.operations) }

  private mutating func visit(_ operations: [Operation]) {
    for operation in operations { visit(operation) }
  }

  private mutating func visit(_ operation: Operation) {
    switch operation {
    case .gate(let application): visit(application)
    case .measure(let qubit, let target):
      measurementCount += 1
      touch(1 << UInt64(qubit))
      measured |= 1 << UInt64(qubit)
      hasOutcome = true
      switch target {
      case .none, .bit: break
      case .element(_, _, let index): read(index)
      case .variable, .bool: mayRunPerShot = true
      }
    case .reset(let qubit):
      resetCount += 1
      let bit = UInt64(1) << UInt64(qubit)
      qubitsUsed |= bit
      if touched & bit != 0 {
        notePerShot()
        hasOutcome = true
      }
    case .barrier, .breakLoop, .continueLoop: break
    case .end: hasControlFlow = true
    case .assignBit(let target, let value):
      read(value)
      switch target {
      case .element(_, _, let index), .variable(_, let index): read(index)
      case .bit, .bool: break
      }
    case .assignRegister(_, _, let value), .assign(_, let value): read(value)
    case .branch(let condition, let then, let otherwise):
      hasControlFlow = true
      read(condition)
      visit(then)
      visit(otherwise)
    case .whileLoop(let condition, let body): visitLoop([condition], body)
    case .forLoop(_, let first, let step, let last, let body):
      visitLoop([first, step, last], body)
    case .select(let value, let cases, let otherwise):
      hasControlFlow = true
      read(value)
      for item in cases { visit(item.body) }
      visit(otherwise)
    }
  }

  private mutating func visit(_ application: GateApplication) {
    gateCount += 1
    guessedGateCount += weight
    let qubits = application.qubitMask
    if qubits & measured != 0 { notePerShot() }
    if hasOutcome {
      for parameter in application.parameters { read(parameter) }
      if let exponent = application.exponent { read(exponent) }
    }
    touch(qubits)
    let passes = weight * application.passes
    self.passes += passes
    if hasOutcome { passesAfterOutcome += passes }
  }

  /// The body is visited twice, because its end comes before its beginning.
  private mutating func visitLoop(_ bounds: [Expression], _ body: [Operation]) {
    hasControlFlow = true
    let outer = weight
    weight *= Self.guessedIterations / 2
    for bound in bounds { read(bound) }
    visit(body)
    let (gates, measurements, resets) = (gateCount, measurementCount, resetCount)
    for bound in bounds { read(bound) }
    visit(body)
    (gateCount, measurementCount, resetCount) = (gates, measurements, resets)
    weight = outer
  }

  /// Certain as long as every operation so far runs in every shot.
  private mutating func notePerShot() {
    mayRunPerShot = true
    if !hasControlFlow { mustRunPerShot = true }
  }

  private mutating func touch(_ qubits: UInt64) {
    touched |= qubits
    qubitsUsed |= qubits
  }

  private mutating func read(_ expression: Expression) {
    if hasOutcome, expression.readsBit({ _ in true }) { mayRunPerShot = true }
  }
}

extension GateApplication {
  /// Cost in passes of a dense one-qubit gate, once neighbours are fused (measured: a phase of a
  /// QFT costs next to nothing beside its pass over memory).
  fileprivate var passes: Double {
    let passes: Double
    switch GateStructure(self).kind {
    case .identity, .swap: passes = 0.02
    case .phase, .diagonal, .diagonal2: passes = 0.1
    case .flip: passes = 0.5
    case .dense: passes = 1
    case .dense2: passes = 2
    }
    return passes / Double(1 << min(controls.count, 2))
  }
}
