package import QubusCore

/// A request for an optimizer, as it came from outside; `makeOptimizer` checks it.
package struct OptimizerOptions: Sendable, Hashable {
  /// Name of an `OptimizerMethod`.
  package var method: String
  package var initialParameters: [Double]
  /// One bound per parameter, or none at all; an infinite one does not bind.
  package var lower: [Double]
  package var upper: [Double]
  /// Numbers of the method by name; see `OptimizerMethod.options`.
  package var numbers: [String: Double]
  /// What SPSA draws its signs from; other methods draw nothing.
  package var seed: UInt64

  package init(
    method: String, initialParameters: [Double], lower: [Double] = [], upper: [Double] = [],
    numbers: [String: Double] = [:], seed: UInt64 = 0
  ) {
    self.method = method
    self.initialParameters = initialParameters
    self.lower = lower
    self.upper = upper
    self.numbers = numbers
    self.seed = seed
  }

  /// The optimizer at its start.
  /// - Throws: `invalid_optimizer`, naming the field and its limit.
  package func makeOptimizer() throws(QubusError) -> any Optimizer {
    let settings = try settings()
    switch settings.method {
    case .spsa: return try SPSA(settings)
    case .adam: return Adam(settings)
    case .lbfgs: return LBFGS(settings)
    case .nelderMead: return NelderMead(settings)
    case .rotosolve: return Rotosolve(settings)
    }
  }

  /// The request after all its checks.
  func settings() throws(QubusError) -> OptimizerSettings {
    guard let method = OptimizerMethod(rawValue: method) else {
      throw Self.invalid(
        "method", "there is no optimizer \"\(method.prefix(64))\"",
        OptimizerMethod.allCases.map(\.rawValue).joined(separator: ", "))
    }
    try checkInitial(limit: method.parameterLimit)
    let count = initialParameters.count
    let box = ParameterBox(
      lower: try Self.bounds(lower, "lower", count: count, open: -.infinity),
      upper: try Self.bounds(upper, "upper", count: count, open: .infinity))
    try check(box)
    return OptimizerSettings(
      method: method, initial: initialParameters, box: box, numbers: try numbers(of: method),
      seed: seed)
  }

  private func checkInitial(limit: Int) throws(QubusError) {
    let field = "initial_parameters"
    guard !initialParameters.isEmpty else {
      throw Self.invalid(
        field, "the program has no parameters, so there is nothing to optimize", "at least 1")
    }
    guard initialParameters.count <= limit else {
      throw Self.invalid(
        field, "\(initialParameters.count) parameters are too many for \(method)", "\(limit)")
    }
    if let index = initialParameters.firstIndex(where: { !$0.isFinite }) {
      throw Self.invalid(
        "\(field)[\(index)]", "\(initialParameters[index]) is no start", "a finite number")
    }
  }

  private static func bounds(
    _ given: [Double], _ field: String, count: Int, open: Double
  ) throws(QubusError) -> [Double] {
    guard !given.isEmpty else { return [Double](repeating: open, count: count) }
    guard given.count == count else {
      throw invalid(
        field, "\(given.count) bounds for \(count) parameters", "one per parameter, or none")
    }
    if let index = given.firstIndex(where: { $0.isNaN || $0 == -open }) {
      throw invalid(
        "\(field)[\(index)]", "\(given[index]) is no bound", "a finite number, or \(open) for none")
    }
    return given
  }

  private func check(_ box: ParameterBox) throws(QubusError) {
    for (index, start) in initialParameters.enumerated() {
      let (low, high) = (box.lower[index], box.upper[index])
      guard low <= high else {
        throw Self.invalid("lower[\(index)]", "\(low) lies above the upper bound", "\(high)")
      }
      guard low <= start, start <= high else {
        throw Self.invalid(
          "initial_parameters[\(index)]", "\(start) lies outside its bounds", "\(low) to \(high)")
      }
    }
    guard zip(box.lower, box.upper).contains(where: { $0 < $1 }) else {
      throw Self.invalid(
        "lower", "every parameter is held by its bounds, so there is nothing to optimize",
        "one with lower < upper")
    }
  }

  private func numbers(of method: OptimizerMethod) throws(QubusError) -> [String: Double] {
    let table = method.options
    // In order of name, so that the same request always gets the same message.
    for name in numbers.keys.sorted() where !table.contains(where: { $0.name == name }) {
      throw Self.invalid(
        "options.\(name.prefix(64))", "\(method.rawValue) has no such option",
        table.map(\.name).joined(separator: ", "))
    }
    var complete: [String: Double] = [:]
    for option in table {
      let number = numbers[option.name] ?? option.standard
      let fits = option.range.contains(number) && (!option.isInteger || number == number.rounded())
      guard fits else {
        let kind = option.isInteger ? "a whole number from" : "from"
        throw Self.invalid(
          "options.\(option.name)", "\(number) is out of range",
          "\(kind) \(option.range.lowerBound) to \(option.range.upperBound)")
      }
      complete[option.name] = number
    }
    return complete
  }

  static func invalid(_ field: String, _ explanation: String, _ limit: String) -> QubusError {
    .field(.invalidOptimizer, field, explanation, limit: limit)
  }
}

/// A request whose every field has been checked and completed.
struct OptimizerSettings {
  let method: OptimizerMethod
  let initial: [Double]
  let box: ParameterBox
  let numbers: [String: Double]
  let seed: UInt64

  /// Precondition: the method has this option.
  subscript(_ option: String) -> Double {
    guard let number = numbers[option] else {
      preconditionFailure("\(method.rawValue) has no option \(option)")
    }
    return number
  }
}
