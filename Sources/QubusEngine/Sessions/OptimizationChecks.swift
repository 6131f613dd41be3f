internal import QubusCore
internal import QubusOptimizers
internal import QubusSimulator

extension OptimizeSpec {
  /// The optimizer at its start.
  /// - Throws: `invalid_optimizer`, `parameter_count_mismatch`, `invalid_step`.
  func optimizer(
    for plan: SessionPlan, seed: UInt64, _ limits: Limits
  ) throws(QubusError) -> any Optimizer {
    guard maxCost == nil else {
      throw .field(
        .invalidOptimizer, "max_cost", "costs are not priced by this server",
        limit: "max_device_seconds bounds the use")
    }
    try check(maxIterations, "max_iterations")
    try check(maxEvaluations, "max_evaluations")
    try check(maxShots, "max_shots")
    try check(maxSeconds, "max_seconds")
    try check(maxDeviceSeconds, "max_device_seconds")
    guard !plan.observables.isEmpty else {
      throw .field(
        .invalidOptimizer, "session_id", "the session has no observables, so no objective")
    }
    guard plan.observables.indices.contains(observable) else {
      throw .field(
        .invalidOptimizer, "observable", "is \(observable)",
        limit: "below \(plan.observables.count)")
    }
    guard initial.count == plan.parameterCount else {
      throw .field(
        .parameterCountMismatch, "initial_parameters",
        "\(initial.count) numbers, the program has \(plan.parameterCount)",
        limit: "\(plan.parameterCount)")
    }
    guard plan.isSampled || (shots == 0 && targetError == 0) else {
      throw .field(
        .invalidStep, shots > 0 ? "shots" : "target_error",
        "the session was opened without shots, its values are exact")
    }
    guard shots <= UInt64(limits.shots), targetError >= 0, targetError < .infinity else {
      throw .field(
        .invalidStep, shots <= UInt64(limits.shots) ? "target_error" : "shots",
        "is \(shots <= UInt64(limits.shots) ? targetError : Double(shots))",
        limit: shots <= UInt64(limits.shots) ? "0 or more, finite" : "\(limits.shots)")
    }
    if maxShots != nil, !plan.isSampled {
      throw .field(.invalidOptimizer, "max_shots", "the session's values take no shots")
    }
    let optimizer = try OptimizerOptions(
      method: method, initialParameters: initial, lower: lower, upper: upper, numbers: options,
      seed: self.seed ?? seed
    ).makeOptimizer()
    let needed: StepOutputs =
      type(of: optimizer).method.usesGradients ? [.values, .gradients] : .values
    guard plan.outputs.isSuperset(of: needed) else {
      throw .field(
        .invalidOptimizer, "method",
        "\(method) needs \(needed.names), the session was opened for \(plan.outputs.names)")
    }
    try checkFirstQuery(optimizer, plan)
    return optimizer
  }

  /// The bounds must leave room for the first evaluations, or nothing could ever be done.
  private func checkFirstQuery(
    _ optimizer: any Optimizer, _ plan: SessionPlan
  ) throws(QubusError) {
    // An optimizer may see at once that there is nothing to do.
    guard optimizer.ending == nil else { return }
    let rows = UInt64(optimizer.ask().rows)
    if let maxEvaluations, maxEvaluations < rows {
      throw .field(
        .invalidOptimizer, "max_evaluations",
        "is \(maxEvaluations), \(method) begins with \(rows)", limit: "at least \(rows)")
    }
    guard let maxShots else { return }
    let needed = rows.multipliedClamped(by: shotsPerEvaluation(plan))
    guard maxShots >= needed else {
      throw .field(
        .invalidOptimizer, "max_shots",
        "is \(maxShots), \(method) begins with \(rows) evaluations of up to "
          + "\(shotsPerEvaluation(plan)) shots", limit: "at least \(needed)")
    }
  }

  /// At most.
  func shotsPerEvaluation(_ plan: SessionPlan) -> UInt64 {
    plan.isSampled ? (shots > 0 ? shots : plan.shots) : 0
  }

  private func check(_ limit: UInt64?, _ field: String) throws(QubusError) {
    if limit == 0 { throw .field(.invalidOptimizer, field, "is 0", limit: "1 or more") }
  }

  private func check(_ limit: Double?, _ field: String) throws(QubusError) {
    guard let limit, !(limit > 0 && limit < .infinity) else { return }
    throw .field(.invalidOptimizer, field, "is \(limit)", limit: "above 0, finite")
  }
}
