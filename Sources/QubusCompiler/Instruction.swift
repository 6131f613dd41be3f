package import QubusCircuit

/// One step of a program as a flat list with jumps, so that a shot's position is one number and a
/// running shot can be copied at any measurement.
package enum Instruction: Sendable {
  case gate(GateApplication)
  case measure(qubit: Int, into: BitTarget?)
  case reset(qubit: Int)
  case assignBit(BitTarget, Expression)
  case assignRegister(offset: Int, width: Int, Expression)
  case assign(variable: Int, Expression)
  case jump(Int)
  case jumpUnless(Expression, Int)
  /// Sets the iteration counter of a loop to 0.
  case enterLoop(slot: Int)
  /// Counts one iteration and refuses one too many.
  case countIteration(slot: Int)
  case enterRange(slot: Int, first: Expression, step: Expression, last: Expression)
  /// Gives the variable the next value of the range, or jumps when it is used up.
  case nextInRange(slot: Int, variable: Int, exit: Int)
  case select(Expression, targets: [Int64: Int], otherwise: Int)
  case end
}

/// A program's instructions and the number of loop slots they use.
package struct InstructionList: Sendable {
  package private(set) var instructions: [Instruction] = []
  package private(set) var loopCount = 0

  /// Flattens a circuit's operations.
  package init(_ operations: [Operation]) {
    instructions.reserveCapacity(operations.count + 1)
    append(operations)
    instructions.append(.end)
  }

  /// Jumps of the innermost loop whose targets are not known yet.
  private var breaks: [[Int]] = []
  private var continueTargets: [Int] = []

  private mutating func append(_ operations: [Operation]) {
    for operation in operations { append(operation) }
  }

  private mutating func append(_ operation: Operation) {
    switch operation {
    case .gate(let application): instructions.append(.gate(application))
    case .measure(let qubit, let target): instructions.append(.measure(qubit: qubit, into: target))
    case .reset(let qubit): instructions.append(.reset(qubit: qubit))
    case .barrier: break
    case .assignBit(let target, let value): instructions.append(.assignBit(target, value))
    case .assignRegister(let offset, let width, let value):
      instructions.append(.assignRegister(offset: offset, width: width, value))
    case .assign(let variable, let value):
      instructions.append(.assign(variable: variable, value))
    case .branch(let condition, let then, let otherwise):
      appendBranch(condition, then, otherwise)
    case .whileLoop(let condition, let body): appendWhile(condition, body)
    case .forLoop(let variable, let first, let step, let last, let body):
      appendFor(variable, first, step, last, body)
    case .select(let value, let cases, let otherwise): appendSelect(value, cases, otherwise)
    case .breakLoop:
      precondition(!breaks.isEmpty, "break outside a loop")
      breaks[breaks.count - 1].append(placeholder())
    case .continueLoop:
      precondition(!continueTargets.isEmpty, "continue outside a loop")
      instructions.append(.jump(continueTargets[continueTargets.count - 1]))
    case .end: instructions.append(.end)
    }
  }

  /// Appends a jump whose target is filled in by `land`.
  private mutating func placeholder() -> Int {
    instructions.append(.jump(-1))
    return instructions.count - 1
  }

  private mutating func land(_ jumps: [Int]) {
    for jump in jumps { instructions[jump] = .jump(instructions.count) }
  }

  private mutating func appendBranch(
    _ condition: Expression, _ then: [Operation], _ otherwise: [Operation]
  ) {
    let test = placeholder()
    append(then)
    if otherwise.isEmpty {
      instructions[test] = .jumpUnless(condition, instructions.count)
      return
    }
    let skip = placeholder()
    instructions[test] = .jumpUnless(condition, instructions.count)
    append(otherwise)
    land([skip])
  }

  private mutating func appendWhile(_ condition: Expression, _ body: [Operation]) {
    let slot = newLoop()
    instructions.append(.enterLoop(slot: slot))
    let start = instructions.count
    let test = placeholder()
    instructions.append(.countIteration(slot: slot))
    appendBody(body, start: start)
    instructions[test] = .jumpUnless(condition, instructions.count)
    land(breaks.removeLast())
  }

  private mutating func appendFor(
    _ variable: Int, _ first: Expression, _ step: Expression, _ last: Expression,
    _ body: [Operation]
  ) {
    let slot = newLoop()
    instructions.append(.enterRange(slot: slot, first: first, step: step, last: last))
    let start = instructions.count
    let next = placeholder()
    appendBody(body, start: start)
    instructions[next] = .nextInRange(slot: slot, variable: variable, exit: instructions.count)
    land(breaks.removeLast())
  }

  private mutating func appendBody(_ body: [Operation], start: Int) {
    breaks.append([])
    continueTargets.append(start)
    append(body)
    continueTargets.removeLast()
    instructions.append(.jump(start))
  }

  private mutating func newLoop() -> Int {
    loopCount += 1
    return loopCount - 1
  }

  private mutating func appendSelect(
    _ value: Expression, _ cases: [SwitchCase], _ otherwise: [Operation]
  ) {
    let dispatch = placeholder()
    var targets: [Int64: Int] = [:]
    var exits: [Int] = []
    for item in cases {
      for value in item.values where targets[value] == nil { targets[value] = instructions.count }
      append(item.body)
      exits.append(placeholder())
    }
    instructions[dispatch] = .select(value, targets: targets, otherwise: instructions.count)
    append(otherwise)
    land(exits)
  }
}
