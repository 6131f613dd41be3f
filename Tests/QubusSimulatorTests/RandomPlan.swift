import QubusCircuit
import QubusCompiler
import QubusSimulator

/// Plans of random operations with random local positions, and the slow truth about them.
struct RandomPlan {
  var plan: Plan
  var numbers: PlanNumbers

  /// - Parameters:
  ///   - localBits: bits of a chunk, at least the lanes.
  ///   - activatesLate: positions beyond a growing bound stay |0⟩.
  init(
    qubits: Int, _ precision: Precision, stages: Int, operations: Int, localBits: Int,
    activatesLate: Bool = false, _ generator: inout SeededGenerator
  ) {
    plan = Plan(
      qubitCount: qubits, precision: precision, costs: .counted, operations: [], stages: [],
      initialPositions: (0..<UInt8(qubits)).map { $0 },
      finalPositions: (0..<UInt8(qubits)).shuffled(using: &generator), coefficientCount: 0)
    numbers = PlanNumbers(coefficients: [], forms: [], stageScales: [])
    for stage in 0..<stages {
      let first = plan.operations.count
      let live =
        activatesLate ? min(qubits, 1 + qubits * (stage + 1) / stages) : qubits
      var local: UInt64 = (1 << UInt64(precision.laneBits)) - 1
      for position in (precision.laneBits..<max(precision.laneBits, qubits))
        .shuffled(using: &generator).prefix(max(0, localBits - precision.laneBits))
      { local |= 1 << UInt64(position) }
      for _ in 0..<operations { append(live: live, local: local, &generator) }
      plan.stages.append(
        PlanStage(operations: first..<plan.operations.count, localMask: local, liveCount: live))
      numbers.stageScales.append(
        stage % 3 == 0 ? 1 : Double.random(in: 0.5...1.5, using: &generator))
    }
    plan.coefficientCount = numbers.coefficients.count
  }

  private mutating func append(
    live: Int, local: UInt64, _ generator: inout SeededGenerator
  ) {
    var positions = (0..<live).shuffled(using: &generator)
    let inner = positions.filter { local >> UInt64($0) & 1 == 1 }
    var operation = PlanOperation(
      kind: OperationKind.allCases.randomElement(using: &generator) ?? .dense,
      offset: numbers.coefficients.count)
    var largest = 0
    switch operation.kind {
    case .phase, .negate, .linear: break
    case .flip, .cross: largest = 1
    case .swap: largest = 2
    case .diagonal: largest = min(5, positions.count)
    case .real: largest = min(3, inner.count)
    case .dense: largest = min(5, inner.count)
    }
    if operation.kind == .swap && inner.count < 2 { return }
    if largest > 0 {
      let count = operation.kind == .swap ? 2 : Int.random(in: 1...largest, using: &generator)
      let chosen = (operation.kind == .diagonal ? positions : inner).prefix(count)
      operation.targets = chosen.map { UInt8($0) }
      positions.removeAll { chosen.contains($0) }
    }
    if operation.kind == .linear {
      for position in positions where Bool.random(using: &generator) {
        operation.factorMask |= 1 << UInt64(position)
      }
      positions.removeAll { operation.factorMask >> UInt64($0) & 1 == 1 }
    }
    for position in positions.prefix(Int.random(in: 0...2, using: &generator)) {
      operation.controlMask |= 1 << UInt64(position)
      if Bool.random(using: &generator) { operation.controlValue |= 1 << UInt64(position) }
    }
    let isMatrix = operation.kind == .real || operation.kind == .dense
    let bound = isMatrix ? 1.5 / Double(1 << operation.targets.count).squareRoot() : 1.0
    let start = numbers.coefficients.count
    for _ in 0..<operation.coefficientCount {
      numbers.coefficients.append(Double.random(in: -bound...bound, using: &generator))
    }
    numbers.forms.append(setForm(operation, start, &generator))
    plan.operations.append(operation)
  }

  /// Sometimes makes the entries of a rotation fit one of the forms.
  private mutating func setForm(
    _ operation: PlanOperation, _ start: Int, _ generator: inout SeededGenerator
  ) -> UInt8 {
    let isRotation =
      operation.kind == .cross || operation.kind == .real && operation.targets.count == 1
    guard isRotation else { return 0 }
    let form = UInt8.random(in: 0...3, using: &generator)
    switch form {
    case 1:
      numbers.coefficients[start] = 1
      numbers.coefficients[start + 3] = 1
    case 2, 3:
      numbers.coefficients[start + 1] = form == 2 ? 1 : -1
      numbers.coefficients[start + 2] = 1
    default: break
    }
    return form
  }

  // MARK: The slow truth

  /// One amplitude at a time on a state in order of index.
  func reference(_ start: [Complex]) -> [Complex] {
    var state = start
    for (stage, scale) in zip(plan.stages, numbers.stageScales) {
      for index in stage.operations { apply(plan.operations[index], &state) }
      state = state.map { Complex(scale) * $0 }
    }
    return state
  }

  private func apply(_ operation: PlanOperation, _ state: inout [Complex]) {
    let old = state
    let numbers = numbers.coefficients
    func number(_ place: Int) -> Complex {
      Complex(numbers[operation.offset + 2 * place], numbers[operation.offset + 2 * place + 1])
    }
    func real(_ place: Int) -> Double { numbers[operation.offset + place] }
    let size = 1 << operation.targets.count
    for index in old.indices
    where UInt64(index) & operation.controlMask == operation.controlValue {
      var row = 0
      for (bit, target) in operation.targets.enumerated() {
        row |= (index >> Int(target) & 1) << bit
      }
      switch operation.kind {
      case .phase: state[index] = number(0) * old[index]
      case .negate: state[index] = Complex(-1) * old[index]
      case .diagonal: state[index] = number(row) * old[index]
      case .linear:
        var factor = number(0)
        var place = 1
        for position in 0..<64 where operation.factorMask >> UInt64(position) & 1 == 1 {
          if index >> position & 1 == 1 { factor = factor * number(place) }
          place += 1
        }
        state[index] = factor * old[index]
      case .flip, .swap, .real, .cross, .dense:
        var sum = Complex.zero
        for column in 0..<size {
          var other = index
          for (bit, target) in operation.targets.enumerated() {
            other = other & ~(1 << Int(target)) | (column >> bit & 1) << Int(target)
          }
          let entry: Complex
          switch operation.kind {
          case .flip: entry = Complex(row == column ? 0 : 1)
          case .swap: entry = Complex((row >> 1 | (row & 1) << 1) == column ? 1 : 0)
          case .real: entry = Complex(real(row * size + column))
          case .cross:
            let value = real(row * size + column)
            entry = row == column ? Complex(value) : Complex(0, value)
          default: entry = number(row * size + column)
          }
          sum = sum + entry * old[other]
        }
        state[index] = sum
      }
    }
  }
}
