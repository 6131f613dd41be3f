import QubusCircuit
import QubusCompiler
import QubusCore

/// Circuits over every gate of the table, drawn from a seed.
struct CircuitSampler {
  private var generator: SplitMix
  /// Parameters come from inputs rather than from the text with this probability in percent.
  var parametricPercent = 60
  var controlPercent = 30

  init(seed: UInt64) { generator = SplitMix(state: seed) }

  mutating func int(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
  mutating func unit() -> Double { Double(generator.next() >> 11) * 0x1p-53 }

  /// - Returns: gates whose parameters are inputs 0 ..< inputCount or constants.
  mutating func gates(_ count: Int, qubits: Int) -> (gates: [GateApplication], inputCount: Int) {
    var inputs = 0
    var result: [GateApplication] = []
    while result.count < count {
      let gate = Gate.allCases[int(Gate.allCases.count)]
      let controls = int(100) < controlPercent ? int(min(qubits, 4)) : 0
      guard gate.targetCount + controls <= qubits else { continue }
      var free = Array(0..<qubits)
      func draw(_ sampler: inout CircuitSampler) -> Int {
        free.remove(at: sampler.int(free.count))
      }
      let targets = (0..<gate.targetCount).map { _ in draw(&self) }
      let chosen = (0..<controls).map { _ in Control(draw(&self), isPositive: int(3) > 0) }
      var isParametric = int(100) < parametricPercent
      func number(_ sampler: inout CircuitSampler) -> Expression {
        if isParametric {
          inputs += 1
          return .input(inputs - 1)
        }
        let choice = sampler.int(8)
        return .radians(choice < 4 ? Double(choice - 1) * .pi / 2 : sampler.unit() * 12 - 6)
      }
      let parameters = (0..<gate.parameterCount).map { _ in number(&self) }
      var exponent: Expression?
      if int(12) == 0 {
        isParametric = int(2) == 0
        exponent = isParametric ? number(&self) : .radians([-1, 0, 1, 2, 0.5, 3][int(6)])
      }
      result.append(
        GateApplication(
          gate, parameters, targets: targets, controls: chosen, exponent: exponent))
    }
    return (result, inputs)
  }

  mutating func angles(_ count: Int) -> [Double] { (0..<count).map { _ in unit() * 12 - 6 } }

  mutating func state(qubits: Int) -> [Complex] {
    let numbers = (0..<1 << qubits).map { _ in Complex(unit() - 0.5, unit() - 0.5) }
    let norm = numbers.reduce(0) { $0 + $1.squaredMagnitude }.squareRoot()
    return numbers.map { (1 / norm) * $0 }
  }
}

struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Binds gates for one row of inputs.
func boundList(_ gates: [GateApplication], _ inputs: [Double] = []) throws -> BoundGateList {
  let state = ClassicalState(bits: [], variables: [], inputs: inputs.map { .float($0) })
  var list = BoundGateList()
  for gate in gates { try list.append(gate, state) }
  return list
}

/// Applies gates by their matrices, one after the other.
func directly(
  _ gates: [GateApplication], _ inputs: [Double], on initial: [Complex]
) throws -> [Complex] {
  let state = ClassicalState(bits: [], variables: [], inputs: inputs.map { .float($0) })
  var interpreter = PlanInterpreter(state: initial)
  for gate in gates {
    var matrix = gate.gate.matrix(try gate.parameters.map { try $0.evaluateDouble(state) })
    if let exponent = gate.exponent { matrix = matrix.power(try exponent.evaluateDouble(state)) }
    var mask: UInt64 = 0
    var value: UInt64 = 0
    for control in gate.controls {
      mask |= 1 << UInt64(control.qubit)
      if control.isPositive { value |= 1 << UInt64(control.qubit) }
    }
    interpreter.multiply(matrix.elements, gate.targets, mask, value)
  }
  return interpreter.state
}

func zeroState(qubits: Int) -> [Complex] {
  var state = [Complex](repeating: .zero, count: 1 << qubits)
  state[0] = .one
  return state
}

func distance(_ a: [Complex], _ b: [Complex]) -> Double {
  zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).squaredMagnitude) }.squareRoot()
}
