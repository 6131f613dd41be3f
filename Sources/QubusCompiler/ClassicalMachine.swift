package import QubusCircuit
package import QubusCore

/// What a shot asks of the quantum side next.
package enum QuantumStep: Sendable {
  /// The gate at an instruction index.
  case gate(instruction: Int, GateApplication)
  case measure(qubit: Int, into: BitTarget?)
  case reset(qubit: Int)
  /// An expression reads a bit whose measurement is still pending (only when bits may be pending).
  case needsOutcome
  case finished
}

/// The classical half of one running shot: position, bits, variables and loop counters.
///
/// A value: copying it forks the shot.
package struct ClassicalMachine: Sendable {
  private struct LoopState: Sendable {
    var iterations = 0
    var next: Int64 = 0
    var step: Int64 = 0
    var last: Int64 = 0
    var isUsedUp = false
  }

  package private(set) var state: ClassicalState
  /// Index of the next instruction.
  package private(set) var position = 0
  private var loops: [LoopState]
  /// For each classical bit the qubit whose outcome it will hold, or -1 when it is known.
  private var pendingQubits: [Int32] = []
  private var pendingCount = 0

  package init(_ program: CompiledProgram, inputs: [Value], tracksPending: Bool = false) {
    let circuit = program.circuit
    state = ClassicalState(
      bits: [Bool](repeating: false, count: circuit.bitCount),
      variables: circuit.variables.map(\.initial), inputs: inputs)
    loops = [LoopState](repeating: LoopState(), count: program.code.loopCount)
    if tracksPending { pendingQubits = [Int32](repeating: -1, count: circuit.bitCount) }
  }

  /// The qubit whose measurement fills `bit`, when that outcome is still open.
  package func pendingQubit(ofBit bit: Int) -> Int? {
    pendingQubits.isEmpty || pendingQubits[bit] < 0 ? nil : Int(pendingQubits[bit])
  }

  /// Runs classical instructions up to the next quantum one, which is passed.
  /// - Throws: `loop_limit_exceeded`, `index_out_of_range`, `division_by_zero`,
  ///   `execution_canceled` (polled, because nested loops may run long without a gate).
  package mutating func advance(
    _ program: CompiledProgram, limits: Limits, cancellation: CancellationFlag
  ) throws(QubusError) -> QuantumStep {
    var steps = 0
    while true {
      steps += 1
      if steps & 0xFFF == 0, cancellation.isCanceled {
        throw QubusError(.executionCanceled, "the execution was canceled")
      }
      let index = position
      position += 1
      switch program.code.instructions[index] {
      case .gate(let application):
        if pendingCount > 0, readsPending(application) { return stay(index) }
        return .gate(instruction: index, application)
      case .measure(let qubit, let target): return .measure(qubit: qubit, into: target)
      case .reset(let qubit): return .reset(qubit: qubit)
      case .assignBit(let target, let value):
        if readsPending(value) || readsPending(target) { return stay(index) }
        let bit = try value.evaluate(state).truth
        try store(bit, into: target)
      case .assignRegister(let offset, let width, let value):
        if readsPending(value) { return stay(index) }
        let pattern = try value.evaluate(state).bitPattern()
        for bit in 0..<width { setBit(offset + bit, pattern >> UInt64(bit) & 1 == 1) }
      case .assign(let variable, let value):
        if readsPending(value) { return stay(index) }
        let type = program.circuit.variables[variable].type
        state.variables[variable] = try value.evaluate(state).converted(to: type)
      case .jump(let target): position = target
      case .jumpUnless(let condition, let target):
        if readsPending(condition) { return stay(index) }
        if try !condition.evaluate(state).truth { position = target }
      case .enterLoop(let slot): loops[slot].iterations = 0
      case .countIteration(let slot): try countIteration(slot, limits)
      case .enterRange(let slot, let first, let step, let last):
        if readsPending(first) || readsPending(step) || readsPending(last) { return stay(index) }
        try enterRange(slot, first, step, last)
      case .nextInRange(let slot, let variable, let exit):
        try nextInRange(
          slot, variable, type: program.circuit.variables[variable].type, exit: exit, limits)
      case .select(let value, let targets, let otherwise):
        if readsPending(value) { return stay(index) }
        position = targets[try value.evaluate(state).whole()] ?? otherwise
      case .end:
        position = index
        return .finished
      }
    }
  }

  /// Records the outcome of a measurement.
  package mutating func store(_ outcome: Bool, into target: BitTarget) throws(QubusError) {
    switch target {
    case .bit(let bit): setBit(bit, outcome)
    case .element(let offset, let width, let index):
      setBit(offset + (try Self.index(of: index, state, width)), outcome)
    case .variable(let variable, let index):
      let old = state.variables[variable]
      state.variables[variable] = try old.settingBit(
        try Self.index(of: index, state, 64), to: outcome)
    case .bool(let variable): state.variables[variable] = .bool(outcome)
    }
  }

  /// Notes that `target` will hold the outcome of measuring `qubit`.
  /// - Returns: false when the target cannot be left open.
  package mutating func leaveOpen(qubit: Int, into target: BitTarget) throws(QubusError) -> Bool {
    if readsPending(target) { return false }
    let bit: Int
    switch target {
    case .bit(let index): bit = index
    case .element(let offset, let width, let index):
      bit = offset + (try Self.index(of: index, state, width))
    case .variable, .bool: return false
    }
    if pendingQubits[bit] < 0 { pendingCount += 1 }
    pendingQubits[bit] = Int32(qubit)
    return true
  }

  /// Goes back to the measurement or reset that was passed last.
  package mutating func stepBack() { position -= 1 }

  private mutating func stay(_ index: Int) -> QuantumStep {
    position = index
    return .needsOutcome
  }

  private mutating func setBit(_ bit: Int, _ value: Bool) {
    state.bits[bit] = value
    if pendingCount > 0, pendingQubits[bit] >= 0 {
      pendingQubits[bit] = -1
      pendingCount -= 1
    }
  }

  private static func index(
    of expression: Expression, _ state: ClassicalState, _ width: Int
  ) throws(QubusError) -> Int {
    let index = try expression.evaluate(state).whole()
    guard index >= 0 && index < Int64(width) else {
      throw QubusError(
        .indexOutOfRange, "bit index \(index) is outside a register of \(width) bits")
    }
    return Int(index)
  }

  // MARK: Loops

  private mutating func countIteration(_ slot: Int, _ limits: Limits) throws(QubusError) {
    loops[slot].iterations += 1
    guard loops[slot].iterations <= limits.whileIterations else {
      throw QubusError(
        .loopLimitExceeded,
        "a loop ran more than \(limits.whileIterations) iterations in one shot")
    }
  }

  private mutating func enterRange(
    _ slot: Int, _ first: Expression, _ step: Expression, _ last: Expression
  ) throws(QubusError) {
    var loop = LoopState()
    loop.next = try first.evaluate(state).whole()
    loop.step = try step.evaluate(state).whole()
    loop.last = try last.evaluate(state).whole()
    guard loop.step != 0 else {
      throw QubusError(.loopLimitExceeded, "a for loop has step 0 and would never end")
    }
    loops[slot] = loop
  }

  private mutating func nextInRange(
    _ slot: Int, _ variable: Int, type: ScalarType, exit: Int, _ limits: Limits
  ) throws(QubusError) {
    let loop = loops[slot]
    let isDone = loop.isUsedUp || (loop.step > 0 ? loop.next > loop.last : loop.next < loop.last)
    if isDone {
      position = exit
      return
    }
    try countIteration(slot, limits)
    state.variables[variable] = try Value.int(loop.next, width: 64).converted(to: type)
    let (sum, overflow) = loop.next.addingReportingOverflow(loop.step)
    loops[slot].next = sum
    loops[slot].isUsedUp = overflow
  }

  // MARK: Pending bits

  private func readsPending(_ expression: Expression) -> Bool {
    pendingCount > 0 && expression.readsBit { pendingQubits[$0] >= 0 }
  }

  private func readsPending(_ target: BitTarget) -> Bool {
    guard pendingCount > 0 else { return false }
    switch target {
    case .bit, .bool: return false
    case .element(_, _, let index), .variable(_, let index): return readsPending(index)
    }
  }

  private func readsPending(_ application: GateApplication) -> Bool {
    application.parameters.contains { readsPending($0) }
      || application.exponent.map { readsPending($0) } ?? false
  }
}
