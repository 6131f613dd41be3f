internal import QubusCircuit

/// One step of a gate's body, on local qubits 0 ..< qubitCount and with the gate's parameters as
/// `Expression.input` nodes.
enum GateStep: Sendable {
  case primitive(GateApplication)
  case call(GateCall)
}

/// A gate applied to qubits, with its modifiers in normal form: controls commute with powers and
/// inverses, so they are kept apart.
struct GateCall: Sendable {
  var definition: GateDefinition
  var parameters: [Expression] = []
  var controls: [Control] = []
  var qubits: [Int]
  /// Exponents in order of application; `inv @` is -1.
  var powers: [Expression] = []
}

/// A gate that programs can call: one of the standard library or one they define.
final class GateDefinition: Sendable {
  let name: String
  let parameterCount: Int
  let qubitCount: Int
  let steps: [GateStep]
  /// Operations after full expansion, saturating, so that a bomb is refused without expanding it.
  let operationCount: Int
  /// Levels of calls below this gate.
  let depth: Int

  init(_ name: String, parameterCount: Int, qubitCount: Int, steps: [GateStep]) {
    self.name = name
    self.parameterCount = parameterCount
    self.qubitCount = qubitCount
    self.steps = steps
    var total = 0
    var deepest = 0
    for step in steps {
      switch step {
      case .primitive: total = total.addingSaturating(1)
      case .call(let call):
        total = total.addingSaturating(call.operationCount)
        deepest = max(deepest, call.definition.depth)
      }
    }
    operationCount = total
    depth = deepest + 1
  }
}

extension GateCall {
  /// Upper bound of the operations of this call after expansion, saturating.
  var operationCount: Int {
    guard definition.steps.count > 1, let times = integerPower else {
      return definition.operationCount
    }
    return definition.operationCount.multipliedSaturating(by: Int(clamping: times.magnitude))
  }

  /// The product of all powers when every one is a constant integer; saturating.
  var integerPower: Int64? {
    var product: Int64 = 1
    for power in powers {
      guard let factor = power.constantInteger else { return nil }
      let (result, overflow) = product.multipliedReportingOverflow(by: factor)
      product = overflow ? .max : result
    }
    return product
  }
}

extension Expression {
  /// The integer this constant is, also when it is written as a float; nil for anything else.
  var constantInteger: Int64? {
    guard let value = constantValue else { return nil }
    if case .float(let number) = value { return Int64(exactly: number) }
    return value.integer
  }
}

extension Int {
  func addingSaturating(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func multipliedSaturating(by other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
