internal import QubusCore
internal import QubusJobs

/// Checks a request against the limits before anything is compiled. Every error names the field,
/// what is wrong with it, and the limit.
struct SpecValidation {
  let limits: Limits
  /// Longest text that is no name: a citation, an annotation's value.
  static let textBytes = 4096

  func check(_ spec: JobSpec) throws(QubusError) {
    guard spec.schemaVersion >= 1, spec.schemaVersion <= Versions.schema else {
      throw .field(
        .unsupportedSchemaVersion, "schema_version", "is \(spec.schemaVersion)",
        limit: "1 to \(Versions.schema)")
    }
    try checkName(spec.clientJobID, "client_job_id")
    try checkName(spec.idempotencyKey, "idempotency_key")
    try check(spec.execution)
    try check(spec.experiment)
    try checkDependencies(spec)
    guard !spec.pubs.isEmpty else { throw .field(.missingField, "pubs", "is empty") }
    guard spec.pubs.count <= limits.pubsPerJob else {
      throw .field(
        .invalidRequest, "pubs", "holds \(spec.pubs.count) publication units",
        limit: String(limits.pubsPerJob))
    }
    for (index, pub) in spec.pubs.enumerated() { try check(pub, "pubs[\(index)]") }
  }

  /// Which jobs they are is known to the store.
  private func checkDependencies(_ spec: JobSpec) throws(QubusError) {
    let count = spec.after.count + spec.afterOK.count
    guard count <= limits.dependencies else {
      throw .field(
        .invalidRequest, "after", "holds \(count) jobs, with those of after_ok",
        limit: String(limits.dependencies))
    }
    var seen: Set<Identifier> = []
    for (field, id) in spec.dependencies where !seen.insert(id).inserted {
      throw .field(.invalidRequest, field, "\(id) is named twice")
    }
  }

  private func check(_ pub: PubSpec, _ field: String) throws(QubusError) {
    guard !pub.program.isEmpty else { throw .field(.missingField, field + ".program", "is empty") }
    guard pub.program.count <= limits.programBytes else {
      throw .field(
        .programTooLarge, field + ".program", "has \(pub.program.count) bytes",
        limit: "\(limits.programBytes) bytes")
    }
    if let shots = pub.shots, shots < 1 || shots > limits.shots {
      throw .field(.invalidShots, field + ".shots", "is \(shots)", limit: "1 to \(limits.shots)")
    }
    try checkPositive(pub.targetPrecision, field + ".target_precision")
    for (index, parameter) in pub.parameters.enumerated() {
      try check(parameter, "\(field).parameters[\(index)]")
    }
    try checkShape(
      pub.observablesShape, count: pub.observables.count, field + ".observables_shape",
      .invalidObservable, isOptional: true)
    for (index, observable) in pub.observables.enumerated() where observable.terms.isEmpty {
      throw .field(.invalidObservable, "\(field).observables[\(index)]", "has no terms")
    }
    try checkOutputs(pub, field)
  }

  private func check(_ parameter: ParameterArray, _ field: String) throws(QubusError) {
    try checkName(parameter.name, field + ".name")
    guard !parameter.name.isEmpty else { throw .field(.missingField, field + ".name", "is empty") }
    try checkShape(
      parameter.shape, count: parameter.values.count, field + ".shape", .invalidParameterShape)
    for (index, value) in parameter.values.enumerated() where !value.isFinite {
      throw .field(
        .invalidParameterValue, "\(field).values[\(index)]", "is \(value)", limit: "finite numbers")
    }
  }

  private func checkShape(
    _ shape: [Int], count: Int, _ field: String, _ code: ErrorCode, isOptional: Bool = false
  ) throws(QubusError) {
    if isOptional && shape.isEmpty { return }
    guard shape.count <= 32 else {
      throw .field(code, field, "has \(shape.count) dimensions", limit: "32")
    }
    guard let size = Broadcast.count(shape), size > 0 else {
      throw .field(code, field, "\(shape) is no shape of one or more elements")
    }
    guard size == count else {
      throw .field(code, field, "\(shape) has \(size) elements, \(count) were given")
    }
    guard size <= limits.rowsPerPub else {
      throw .field(code, field, "has \(size) elements", limit: String(limits.rowsPerPub))
    }
  }

  private func checkOutputs(_ pub: PubSpec, _ field: String) throws(QubusError) {
    let outputs = pub.requestedOutputs
    let samples = outputs.contains(.counts) || outputs.contains(.memory)
    guard !outputs.isEmpty else {
      throw .field(
        .invalidOutputs, field + ".outputs", "nothing is asked for: neither shots nor observables")
    }
    if samples && pub.shots == nil {
      throw .field(
        .invalidShots, field + ".shots", "is missing, counts and memory need it",
        limit: "1 to \(limits.shots)")
    }
    if !samples, pub.shots != nil {
      throw .field(
        .invalidShots, field + ".shots", "has no meaning without counts or memory in the outputs")
    }
    guard outputs.contains(.expectationValues) == !pub.observables.isEmpty else {
      throw .field(
        .invalidOutputs, field + ".outputs",
        pub.observables.isEmpty
          ? "expectation values need observables" : "observables need expectation_values")
    }
  }

  private func check(_ execution: ExecutionSpec) throws(QubusError) {
    try checkName(execution.device, "execution.device")
    try checkName(execution.deviceFamily, "execution.device_family")
    try checkPositive(execution.ttlSeconds, "execution.ttl_seconds")
    try checkPositive(execution.deadlineSeconds, "execution.deadline_seconds")
    try checkPositive(execution.expectedSeconds, "execution.expected_seconds")
    try checkPositive(execution.maxRunSeconds, "execution.max_run_seconds")
    if let error = execution.maxError, !(error >= 0 && error.isFinite) {
      throw .field(
        .invalidRequest, "execution.max_error", "is \(error)", limit: "0 or more, finite")
    }
    if let cost = execution.maxCost, cost < 0 {
      throw .field(.invalidRequest, "execution.max_cost", "is \(cost)", limit: "0 or more")
    }
    guard execution.mitigation.isEmpty else {
      throw .field(
        .notImplemented, "execution.mitigation", "error mitigation is not available")
    }
  }

  private func check(_ experiment: ExperimentSpec) throws(QubusError) {
    try checkName(experiment.id, "experiment.id")
    try checkName(experiment.name, "experiment.name")
    try checkName(experiment.experimentClass, "experiment.experiment_class")
    guard experiment.citation.utf8.count <= Self.textBytes else {
      throw .field(
        .invalidRequest, "experiment.citation", "has \(experiment.citation.utf8.count) bytes",
        limit: "\(Self.textBytes) bytes")
    }
    try checkTags(experiment.tags, "experiment.tags")
  }

  func checkTags(_ tags: [String], _ path: String) throws(QubusError) {
    guard tags.count <= limits.tags else {
      throw .field(
        .invalidTags, path, "holds \(tags.count) tags",
        limit: String(limits.tags))
    }
    var seen: Set<String> = []
    for (index, tag) in tags.enumerated() {
      let field = "\(path)[\(index)]"
      guard !tag.isEmpty else { throw .field(.invalidTags, field, "is empty") }
      guard tag.utf8.count <= limits.nameBytes else {
        throw .field(
          .invalidTags, field, "has \(tag.utf8.count) bytes", limit: "\(limits.nameBytes) bytes")
      }
      guard seen.insert(tag).inserted else { throw .field(.invalidTags, field, "is repeated") }
    }
  }

  /// Limits of annotations: at most as many as tags, keys like names.
  func check(annotations: [String: String]) throws(QubusError) {
    guard !annotations.isEmpty else { throw .field(.missingField, "annotations", "is empty") }
    guard annotations.count <= limits.tags else {
      throw .field(
        .invalidRequest, "annotations", "the job would hold \(annotations.count)",
        limit: String(limits.tags))
    }
    for (key, value) in annotations.sorted(by: { $0.key < $1.key }) {
      guard !key.isEmpty else { throw .field(.invalidRequest, "annotations", "has an empty key") }
      try checkName(key, "annotations.key")
      guard value.utf8.count <= Self.textBytes else {
        throw .field(
          .invalidRequest, "annotations[\(key)]", "has \(value.utf8.count) bytes",
          limit: "\(Self.textBytes) bytes")
      }
    }
  }

  func checkName(_ text: String, _ field: String) throws(QubusError) {
    guard text.utf8.count <= limits.nameBytes else {
      throw .field(
        .invalidRequest, field, "has \(text.utf8.count) bytes", limit: "\(limits.nameBytes) bytes")
    }
  }

  /// Seconds, or another quantity that must be above zero and finite. A century is for ever.
  private func checkPositive(_ value: Double?, _ field: String) throws(QubusError) {
    guard let value else { return }
    guard value > 0, value <= 3.2e9 else {
      throw .field(.invalidRequest, field, "is \(value)", limit: "above 0, at most 3.2e9")
    }
  }
}

extension JobSpec {
  var hasDependencies: Bool { !after.isEmpty || !afterOK.isEmpty }

  /// The jobs to wait for, each with the field that names it.
  var dependencies: [(field: String, id: Identifier)] {
    after.enumerated().map { ("after[\($0)]", $1) }
      + afterOK.enumerated().map { ("after_ok[\($0)]", $1) }
  }
}

extension PubSpec {
  /// What the pub asks for after the defaults: counts when shots are given, expectation values when
  /// observables are.
  var requestedOutputs: Set<OutputKind> {
    guard outputs.isEmpty else { return Set(outputs) }
    var result: Set<OutputKind> = []
    if shots != nil { result.insert(.counts) }
    if !observables.isEmpty { result.insert(.expectationValues) }
    return result
  }
}
