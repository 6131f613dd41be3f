import QubusCircuit
import QubusCompiler
import Testing

/// Runs plans one amplitude at a time on a plain array; independent of the kernels.
struct PlanInterpreter {
  var state: [Complex]

  /// Applies a plan to a state given by qubits; the result is by qubits, too.
  static func run(_ plan: Plan, _ numbers: PlanNumbers, on initial: [Complex]) -> [Complex] {
    let bits = max(plan.qubitCount, plan.precision.laneBits)
    var interpreter = PlanInterpreter(state: [Complex](repeating: .zero, count: 1 << bits))
    for (index, amplitude) in initial.enumerated() {
      interpreter.state[permuted(index, plan.initialPositions)] = amplitude
    }
    for (index, stage) in plan.stages.enumerated() {
      interpreter.checkZero(above: stage.liveCount)
      for place in stage.operations {
        let operation = plan.operations[place]
        checkLocal(operation, stage, plan)
        interpreter.apply(operation, numbers.coefficients, form: numbers.forms[place])
      }
      interpreter.checkZero(above: stage.liveCount)
      for amplitude in interpreter.state.indices {
        interpreter.state[amplitude] = numbers.stageScales[index] * interpreter.state[amplitude]
      }
    }
    return initial.indices.map { interpreter.state[permuted($0, plan.finalPositions)] }
  }

  private static func permuted(_ index: Int, _ positions: [UInt8]) -> Int {
    var result = 0
    for (qubit, position) in positions.enumerated() where index >> qubit & 1 == 1 {
      result |= 1 << Int(position)
    }
    return result
  }

  private func checkZero(above live: Int) {
    guard live < 62, 1 << live < state.count else { return }
    #expect(state[(1 << live)...].allSatisfy { $0 == .zero }, "not |0⟩ above \(live)")
  }

  private static func checkLocal(_ operation: PlanOperation, _ stage: PlanStage, _ plan: Plan) {
    let lanes = UInt64(1) << UInt64(plan.precision.laneBits) - 1
    #expect(stage.localMask & lanes == lanes)
    #expect(Set(operation.targets).count == operation.targets.count)
    #expect(operation.targets.count <= 5)
    switch operation.kind {
    case .real, .cross, .dense, .flip, .swap:
      for target in operation.targets {
        #expect(stage.localMask >> UInt64(target) & 1 == 1, "target \(target) is not local")
        #expect(operation.controlMask >> UInt64(target) & 1 == 0)
      }
    case .phase, .negate, .diagonal, .linear: break
    }
  }

  mutating func apply(_ operation: PlanOperation, _ coefficients: [Double], form: UInt8) {
    let numbers = Array(
      coefficients[operation.offset..<operation.offset + operation.coefficientCount])
    checkForm(operation, numbers, form)
    func complex(_ index: Int) -> Complex { Complex(numbers[2 * index], numbers[2 * index + 1]) }
    let dimension = 1 << operation.targets.count
    var matrix = [Complex](repeating: .zero, count: dimension * dimension)
    switch operation.kind {
    case .phase, .negate, .linear:
      for index in state.indices where holds(operation, index) {
        var factor: Complex = operation.kind == .negate ? -.one : complex(0)
        if operation.kind == .linear {
          var slot = 1
          for bit in 0..<64 where operation.factorMask >> UInt64(bit) & 1 == 1 {
            if index >> bit & 1 == 1 { factor = factor * complex(slot) }
            slot += 1
          }
        }
        state[index] = factor * state[index]
      }
      return
    case .flip: matrix = [.zero, .one, .one, .zero]
    case .swap: for row in 0..<4 { matrix[4 * row + (row >> 1 | (row & 1) << 1)] = .one }
    case .diagonal: for row in 0..<dimension { matrix[row * (dimension + 1)] = complex(row) }
    case .real: matrix = numbers.map { Complex($0) }
    case .cross:
      matrix = [
        Complex(numbers[0]), Complex(0, numbers[1]), Complex(0, numbers[2]), Complex(numbers[3]),
      ]
    case .dense: matrix = (0..<dimension * dimension).map(complex)
    }
    multiply(
      matrix, operation.targets.map { Int($0) }, operation.controlMask, operation.controlValue)
  }

  private func holds(_ operation: PlanOperation, _ index: Int) -> Bool {
    UInt64(index) & operation.controlMask == operation.controlValue
  }

  private func checkForm(_ operation: PlanOperation, _ m: [Double], _ form: UInt8) {
    switch form {
    case 0: return
    case 1: #expect(m[0] == 1 && m[3] == 1)
    case 2: #expect(m[1] == 1 && m[2] == 1)
    default: #expect(form == 3 && m[1] == -1 && m[2] == 1)
    }
    #expect(operation.kind == .cross || operation.kind == .real && operation.targets.count == 1)
    #expect(operation.controlMask == 0, "only uncontrolled operations may be divided")
  }

  /// Applies a matrix where the controls hold.
  mutating func multiply(
    _ matrix: [Complex], _ targets: [Int], _ controlMask: UInt64, _ controlValue: UInt64
  ) {
    let dimension = 1 << targets.count
    let targetMask = targets.reduce(0) { $0 | 1 << $1 }
    for base in state.indices
    where base & targetMask == 0 && UInt64(base) & controlMask == controlValue {
      let places = (0..<dimension).map { row in
        targets.enumerated().reduce(base) { $0 | (row >> $1.offset & 1) << $1.element }
      }
      let old = places.map { state[$0] }
      for row in 0..<dimension {
        var sum = Complex.zero
        for column in 0..<dimension { sum = sum + matrix[row * dimension + column] * old[column] }
        state[places[row]] = sum
      }
    }
  }
}
