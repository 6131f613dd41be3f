internal import QubusCore
internal import QubusJobs

extension RequestValidation {
  func session(_ spec: SessionSpec) throws(QubusError) {
    guard !spec.program.isEmpty else { throw .field(.missingField, "program", "is required") }
    guard spec.program.count <= limits.programBytes else {
      throw .field(
        .programTooLarge, "program", "\(spec.program.count) bytes",
        limit: "\(limits.programBytes)")
    }
    for (index, observable) in spec.observables.enumerated() {
      for (term, value) in observable.terms.enumerated() where !value.coefficient.isFinite {
        throw .field(
          .invalidObservable, "observables[\(index)].terms[\(term)].coefficient",
          "\(value.coefficient) is not finite")
      }
    }
    if let shots = spec.shots, shots < 1 || shots > limits.shots {
      throw .field(
        .invalidShots, "shots", "\(shots) is out of range", limit: "1 to \(limits.shots)")
    }
    if let error = spec.targetError, !(error > 0 && error < .infinity) {
      throw .field(
        .invalidRequest, "target_error", "\(error) is no standard error", limit: "above 0")
    }
    let seconds: [(String, Double?)] = [
      ("idle_seconds", spec.idleSeconds), ("wall_seconds", spec.wallSeconds),
      ("max_device_seconds", spec.maxDeviceSeconds),
    ]
    for case (let field, let value?) in seconds where !(value > 0 && value < 1e9) {
      throw .field(
        .invalidRequest, field, "\(value) is out of range", limit: "above 0, below 1e9")
    }
    for case (let field, 0?) in [("max_steps", spec.maxSteps), ("memory_bytes", spec.memoryBytes)] {
      throw .field(.invalidRequest, field, "must not be 0", limit: "1 or more")
    }
    try name(spec.device, "device")
    try name(spec.name, "name")
    try tags(spec.tags, path: "tags")
    try name(spec.idempotencyKey, "idempotency_key")
  }
}
