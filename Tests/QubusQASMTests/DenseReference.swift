import QubusCircuit
import QubusCore
import Testing

@testable import QubusQASM

/// A slow, obvious executor of circuits: follows every measurement outcome with its probability.
/// It shares no code with the simulator and knows matrices by their textbook formulas.
struct DenseReference {
  struct Branch {
    var state: [Complex]
    var classical: ClassicalState
    var weight: Double
    var signal = Signal.none
  }
  enum Signal { case none, breakLoop, continueLoop, end }

  var circuit: Circuit
  var inputs: [Value] = []

  /// Probability of every string of all classical bits, highest bit leftmost.
  func distribution() throws -> [String: Double] {
    var result: [String: Double] = [:]
    for branch in try run() {
      let key = String(branch.classical.bits.reversed().map { $0 ? "1" : "0" })
      result[key, default: 0] += branch.weight
    }
    return result
  }

  func run() throws -> [Branch] {
    var state = [Complex](repeating: .zero, count: 1 << circuit.qubitCount)
    state[0] = .one
    let classical = ClassicalState(
      bits: Array(repeating: false, count: circuit.bitCount),
      variables: circuit.variables.map(\.initial), inputs: inputs)
    return try run(
      circuit.operations, [Branch(state: state, classical: classical, weight: 1)])
  }

  func run(_ operations: [Operation], _ start: [Branch]) throws -> [Branch] {
    var branches = start
    for operation in operations {
      var next: [Branch] = []
      for branch in branches {
        next += branch.signal == .none ? try step(operation, branch) : [branch]
      }
      branches = next.filter { $0.weight > 1e-14 }
    }
    return branches
  }

  private func step(_ operation: Operation, _ branch: Branch) throws -> [Branch] {
    var branch = branch
    switch operation {
    case .gate(let gate):
      branch.state = try apply(gate, branch)
      return [branch]
    case .measure(let qubit, let target): return try measure(qubit, target, branch)
    case .reset(let qubit):
      return try measure(qubit, nil, branch).map { outcome in
        guard outcome.isSet else { return outcome.branch }
        var flipped = outcome.branch
        let mask = 1 << qubit
        for index in flipped.state.indices where index & mask == 0 {
          flipped.state.swapAt(index, index | mask)
        }
        return flipped
      }
    case .barrier: return [branch]
    case .assignBit(let target, let expression):
      try write(expression.evaluateBool(branch.classical), target, &branch.classical)
      return [branch]
    case .assignRegister(let offset, let width, let expression):
      let pattern = try expression.evaluate(branch.classical).pattern ?? 0
      for bit in 0..<width {
        branch.classical.bits[offset + bit] = (pattern >> UInt64(bit)) & 1 == 1
      }
      return [branch]
    case .assign(let variable, let expression):
      branch.classical.variables[variable] = try expression.evaluate(branch.classical)
      return [branch]
    case .branch(let condition, let then, let otherwise):
      return try run(condition.evaluateBool(branch.classical) ? then : otherwise, [branch])
    case .whileLoop(let condition, let body): return try loop(condition, body, branch)
    case .forLoop(let variable, let first, let step, let last, let body):
      return try count(variable, first, step, last, body, branch)
    case .select(let subject, let cases, let otherwise):
      let value = try subject.evaluate(branch.classical).integer
      let body = cases.first { $0.values.contains { $0 == value } }?.body ?? otherwise
      return try run(body, [branch])
    case .breakLoop:
      branch.signal = .breakLoop
      return [branch]
    case .continueLoop:
      branch.signal = .continueLoop
      return [branch]
    case .end:
      branch.signal = .end
      return [branch]
    }
  }

  private func loop(
    _ condition: Expression, _ body: [Operation], _ start: Branch
  ) throws -> [Branch] {
    var active = [start]
    var done: [Branch] = []
    for _ in 0..<200 where !active.isEmpty {
      var next: [Branch] = []
      for branch in active {
        guard try condition.evaluateBool(branch.classical) else {
          done.append(branch)
          continue
        }
        for var result in try run(body, [branch]) {
          switch result.signal {
          case .end: done.append(result)
          case .breakLoop:
            result.signal = .none
            done.append(result)
          case .continueLoop, .none:
            result.signal = .none
            next.append(result)
          }
        }
      }
      active = next
    }
    return done + active
  }

  private func count(
    _ variable: Int, _ first: Expression, _ step: Expression, _ last: Expression,
    _ body: [Operation], _ start: Branch
  ) throws -> [Branch] {
    guard let low = try first.evaluate(start.classical).integer,
      let stride = try step.evaluate(start.classical).integer,
      let high = try last.evaluate(start.classical).integer
    else { return [] }
    var branches = [start]
    var done: [Branch] = []
    for value in Swift.stride(from: low, through: high, by: Int(stride)) {
      var next: [Branch] = []
      for var branch in branches {
        let type = circuit.variables[variable].type
        branch.classical.variables[variable] = try Value.int(value, width: 64).converted(to: type)
        for var result in try run(body, [branch]) {
          if result.signal == .end || result.signal == .breakLoop {
            if result.signal == .breakLoop { result.signal = .none }
            done.append(result)
          } else {
            result.signal = .none
            next.append(result)
          }
        }
      }
      branches = next
    }
    return done + branches
  }

  private struct Outcome {
    var branch: Branch
    var isSet: Bool
  }

  private func measure(_ qubit: Int, _ target: BitTarget?, _ branch: Branch) throws -> [Branch] {
    try measure(qubit, target, branch).map(\.branch)
  }

  private func measure(_ qubit: Int, _ target: BitTarget?, _ branch: Branch) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    for isSet in [false, true] {
      var result = branch
      var probability = 0.0
      for index in result.state.indices {
        if (index >> qubit) & 1 == (isSet ? 1 : 0) {
          probability += result.state[index].squaredMagnitude
        } else {
          result.state[index] = .zero
        }
      }
      guard probability > 1e-14 else { continue }
      let scale = 1 / probability.squareRoot()
      result.state = result.state.map { scale * $0 }
      result.weight *= probability
      if let target { try write(isSet, target, &result.classical) }
      outcomes.append(Outcome(branch: result, isSet: isSet))
    }
    return outcomes
  }

  private func write(_ value: Bool, _ target: BitTarget, _ state: inout ClassicalState) throws {
    switch target {
    case .bit(let index): state.bits[index] = value
    case .element(let offset, let width, let index):
      let position = try Expression.position(index.evaluate(state), below: width)
      state.bits[offset + position] = value
    case .bool(let index): state.variables[index] = .bool(value)
    case .variable(let index, let position):
      let old = state.variables[index]
      let width = try #require(old.type.indexableWidth)
      let place = UInt64(try Expression.position(position.evaluate(state), below: width))
      let pattern = (try #require(old.pattern) & ~(1 << place)) | (value ? 1 << place : 0)
      switch old {
      case .int: state.variables[index] = .wrappedInt(Int64(bitPattern: pattern), width: width)
      case .uint: state.variables[index] = .uint(pattern, width: width)
      case .angle: state.variables[index] = .angle(raw: pattern, width: width)
      default: state.variables[index] = .bits(pattern, width: width)
      }
    }
  }

  private func apply(_ gate: GateApplication, _ branch: Branch) throws -> [Complex] {
    let angles = try gate.parameters.map { try $0.evaluateDouble(branch.classical) }
    let exponent = try gate.exponent?.evaluateDouble(branch.classical)
    let matrix = try ReferenceMatrix.matrix(gate.gate, angles, exponent: exponent)
    var result = branch.state
    let size = 1 << gate.targets.count
    for index in result.indices {
      guard gate.controls.allSatisfy({ ((index >> $0.qubit) & 1 == 1) == $0.isPositive }) else {
        continue
      }
      var row = 0
      for (bit, target) in gate.targets.enumerated() { row |= ((index >> target) & 1) << bit }
      var sum = Complex.zero
      for column in 0..<size {
        var other = index
        for (bit, target) in gate.targets.enumerated() {
          other = (other & ~(1 << target)) | (((column >> bit) & 1) << target)
        }
        sum = sum + matrix[row * size + column] * branch.state[other]
      }
      result[index] = sum
    }
    return result
  }
}
