internal import CQubusProto
package import QubusCore
internal import QubusJobs

extension RequestDecoder {
  /// - Parameter frames: of the message, the envelope's first.
  package func optimize(
    _ envelope: Envelope, _ frames: [[UInt8]]
  ) throws(QubusError) -> OptimizeRequest {
    let decoded = try decodeMessage(
      frames[1], qubus_descriptor_optimize_request(), limits: wire
    ) {
      (m: Qubus__V1__OptimizeRequest) throws(QubusError) -> OptimizeRequest in
      try request(m, attached: frames.count - 2)
    }
    guard case .start(var start) = decoded else { return decoded }
    start.initial = try numbers(envelope, frames, index: 0)
    if frames.count > 3 {
      start.lower = try numbers(envelope, frames, index: 1)
      start.upper = try numbers(envelope, frames, index: 2)
    }
    for (index, bound) in [start.lower, start.upper].enumerated()
    where !bound.isEmpty && bound.count != start.initial.count {
      throw .field(
        .invalidOptimizer, "attachments[\(index + 1)].shape", "\(bound.count) bounds",
        limit: "\(start.initial.count), one for each parameter")
    }
    return .start(start)
  }

  private func request(
    _ m: Qubus__V1__OptimizeRequest, attached: Int
  ) throws(QubusError) -> OptimizeRequest {
    let session = try readIdentifier(m.session_id, field: "session_id")
    if m.optimization_id.pointee != 0 {
      try expect(attached, 0, "when an optimization is watched again")
      return .watch(
        session: session,
        optimization: try readIdentifier(m.optimization_id, field: "optimization_id"),
        after: m.after_iteration)
    }
    let hasBounds = m.has_bounds != 0
    try expect(
      attached, hasBounds ? 3 : 1,
      hasBounds ? "with has_bounds: initial parameters, lower, upper" : "without has_bounds")
    var start = OptimizeStart(
      session: session, method: try name(m.method, "method"), options: try options(m),
      observable: Int(m.observable), initial: [], shots: m.shots, targetError: m.target_error)
    guard !start.method.isEmpty else {
      throw .field(
        .missingField, "method", "is required", limit: "spsa, adam, lbfgs, nelder_mead, rotosolve")
    }
    guard start.shots <= UInt64(limits.shots) else {
      throw .field(
        .invalidShots, "shots", "\(start.shots) is out of range", limit: "\(limits.shots)")
    }
    guard start.targetError >= 0, start.targetError < .infinity else {
      throw .field(
        .invalidOptimizer, "target_error", "\(start.targetError) is no standard error",
        limit: "0 or more")
    }
    try readLimits(m, into: &start)
    return .start(start)
  }

  private func readLimits(
    _ m: Qubus__V1__OptimizeRequest, into start: inout OptimizeStart
  ) throws(QubusError) {
    if m.iterations_choice_case
      == QUBUS__V1__OPTIMIZE_REQUEST__ITERATIONS_CHOICE_MAX_ITERATIONS
    {
      start.maxIterations = try positive(m.max_iterations, "max_iterations")
    }
    if m.evaluations_choice_case
      == QUBUS__V1__OPTIMIZE_REQUEST__EVALUATIONS_CHOICE_MAX_EVALUATIONS
    {
      start.maxEvaluations = try positive(m.max_evaluations, "max_evaluations")
    }
    if m.shots_limit_choice_case == QUBUS__V1__OPTIMIZE_REQUEST__SHOTS_LIMIT_CHOICE_MAX_SHOTS {
      start.maxShots = try positive(m.max_shots, "max_shots")
    }
    if m.seconds_choice_case == QUBUS__V1__OPTIMIZE_REQUEST__SECONDS_CHOICE_MAX_SECONDS {
      start.maxSeconds = try seconds(m.max_seconds, "max_seconds")
    }
    if m.device_choice_case == QUBUS__V1__OPTIMIZE_REQUEST__DEVICE_CHOICE_MAX_DEVICE_SECONDS {
      start.maxDeviceSeconds = try seconds(m.max_device_seconds, "max_device_seconds")
    }
    if m.cost_choice_case == QUBUS__V1__OPTIMIZE_REQUEST__COST_CHOICE_MAX_COST {
      guard m.max_cost >= 0 else {
        throw .field(.invalidOptimizer, "max_cost", "\(m.max_cost) is negative", limit: "0")
      }
      start.maxCost = m.max_cost
    }
    if m.seed_choice_case == QUBUS__V1__OPTIMIZE_REQUEST__SEED_CHOICE_SEED { start.seed = m.seed }
  }

  private func expect(_ attached: Int, _ count: Int, _ when: String) throws(QubusError) {
    guard attached == count else {
      throw .field(
        .invalidAttachment, "attachments", "\(attached) sent \(when)", limit: "\(count)")
    }
  }

  private func options(_ m: Qubus__V1__OptimizeRequest) throws(QubusError) -> [String: Double] {
    guard m.n_options <= Self.maximumOptions else {
      throw .field(
        .invalidOptimizer, "options", "\(m.n_options) options", limit: "\(Self.maximumOptions)")
    }
    var options: [String: Double] = [:]
    for (name, value) in try readList(
      m.n_options, m.options,
      { (option, index) throws(QubusError) in
        (try name(option.name, "options[\(index)].name"), option.value)
      })
    {
      guard options.updateValue(value, forKey: name) == nil else {
        throw .field(.invalidOptimizer, "options", "\"\(name)\" occurs twice")
      }
    }
    return options
  }

  private static var maximumOptions: Int { 64 }

  private func positive(_ value: UInt64, _ field: String) throws(QubusError) -> UInt64 {
    guard value > 0 else {
      throw .field(.invalidOptimizer, field, "must not be 0", limit: "1 or more")
    }
    return value
  }

  private func seconds(_ value: Double, _ field: String) throws(QubusError) -> Double {
    guard value > 0, value < 1e9 else {
      throw .field(
        .invalidOptimizer, field, "\(value) is out of range", limit: "above 0, below 1e9")
    }
    return value
  }
}
