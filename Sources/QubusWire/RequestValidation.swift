internal import QubusCore
internal import QubusJobs

/// What can be said of a request from its fields alone; the program's own rules come later, in the
/// engine.
struct RequestValidation {
  let limits: Limits

  func job(_ spec: JobSpec) throws(QubusError) {
    guard !spec.pubs.isEmpty else { throw .field(.missingField, "pubs", "a job needs one") }
    guard spec.pubs.count <= limits.pubsPerJob else {
      throw .field(
        .invalidRequest, "pubs", "\(spec.pubs.count) publication units",
        limit: "\(limits.pubsPerJob)")
    }
    try name(spec.clientJobID, "client_job_id")
    try name(spec.idempotencyKey, "idempotency_key")
    for (index, pub) in spec.pubs.enumerated() { try self.pub(pub, "pubs[\(index)]") }
    try execution(spec.execution)
    try name(spec.experiment.id, "experiment.id")
    try name(spec.experiment.name, "experiment.name")
    try name(spec.experiment.experimentClass, "experiment.experiment_class")
    try tags(spec.experiment.tags, path: "experiment.tags")
    try text(spec.experiment.citation, "experiment.citation", bytes: Self.textBytes)
    let dependencies = spec.after.count + spec.afterOK.count
    guard dependencies <= limits.dependencies else {
      throw .field(
        .invalidRequest, "after", "\(dependencies) jobs, with those of after_ok",
        limit: "\(limits.dependencies)")
    }
  }

  private func pub(_ pub: PubSpec, _ path: String) throws(QubusError) {
    guard !pub.program.isEmpty else {
      throw .field(.missingField, "\(path).program", "is required")
    }
    guard pub.program.count <= limits.programBytes else {
      throw .field(
        .programTooLarge, "\(path).program", "\(pub.program.count) bytes",
        limit: "\(limits.programBytes)")
    }
    if let shots = pub.shots {
      guard shots > 0, shots <= limits.shots else {
        throw .field(
          .invalidShots, "\(path).shots", "\(shots) is out of range", limit: "1 to \(limits.shots)")
      }
    }
    if let precision = pub.targetPrecision {
      guard precision.isFinite, precision > 0 else {
        throw .field(
          .invalidRequest, "\(path).target_precision", "\(precision) is no standard error",
          limit: "above 0")
      }
    }
    for (index, array) in pub.parameters.enumerated() {
      try parameters(array, "\(path).parameters[\(index)]")
    }
    for (index, observable) in pub.observables.enumerated() {
      for (term, value) in observable.terms.enumerated() where !value.coefficient.isFinite {
        throw .field(
          .invalidObservable, "\(path).observables[\(index)].terms[\(term)].coefficient",
          "\(value.coefficient) is not finite")
      }
    }
  }

  private func parameters(_ array: ParameterArray, _ path: String) throws(QubusError) {
    guard !array.name.isEmpty else { throw .field(.missingField, "\(path).name", "is required") }
    try name(array.name, "\(path).name")
    var rows = 1
    for length in array.shape {
      let (product, overflow) = rows.multipliedReportingOverflow(by: length)
      guard !overflow, product <= limits.rowsPerPub else {
        throw .field(
          .invalidParameterShape, "\(path).shape", "\(array.shape) has too many elements",
          limit: "\(limits.rowsPerPub)")
      }
      rows = product
    }
    guard rows == array.values.count else {
      throw .field(
        .invalidParameterShape, "\(path).shape",
        "\(array.shape) means \(rows) values, \(array.values.count) were sent")
    }
    if let index = array.values.firstIndex(where: { !$0.isFinite }) {
      throw .field(
        .invalidParameterValue, "\(path).values[\(index)]",
        "\(array.values[index]) is not finite")
    }
  }

  private func execution(_ spec: ExecutionSpec) throws(QubusError) {
    try name(spec.device, "execution.device")
    try name(spec.deviceFamily, "execution.device_family")
    let seconds: [(String, Double?)] = [
      ("deadline_seconds", spec.deadlineSeconds), ("ttl_seconds", spec.ttlSeconds),
      ("expected_seconds", spec.expectedSeconds), ("max_run_seconds", spec.maxRunSeconds),
      ("max_error", spec.maxError),
    ]
    for case (let field, let value?) in seconds where !(value >= 0 && value < 1e9) {
      throw .field(
        .invalidRequest, "execution.\(field)", "\(value) is out of range", limit: "0 to 1e9")
    }
    if let cost = spec.maxCost, cost < 0 {
      throw .field(.invalidRequest, "execution.max_cost", "\(cost) is negative", limit: "0")
    }
    guard spec.mitigation.count <= Self.pairs else {
      throw .field(
        .invalidRequest, "execution.mitigation", "\(spec.mitigation.count) entries",
        limit: "\(Self.pairs)")
    }
  }

  func name(_ text: String, _ field: String) throws(QubusError) {
    try self.text(text, field, bytes: limits.nameBytes)
  }

  func tags(_ tags: [String], path: String) throws(QubusError) {
    guard tags.count <= limits.tags else {
      throw .field(.invalidTags, path, "\(tags.count) tags", limit: "\(limits.tags)")
    }
    for (index, tag) in tags.enumerated() {
      guard !tag.isEmpty, tag.utf8.count <= limits.nameBytes else {
        throw .field(
          .invalidTags, "\(path)[\(index)]", "\(tag.utf8.count) bytes",
          limit: "1 to \(limits.nameBytes)")
      }
    }
  }

  func annotations(_ annotations: [String: String]) throws(QubusError) {
    guard !annotations.isEmpty else {
      throw .field(.missingField, "annotations", "at least one is needed")
    }
    guard annotations.count <= Self.pairs else {
      throw .field(
        .invalidRequest, "annotations", "\(annotations.count) entries", limit: "\(Self.pairs)")
    }
    for (key, value) in annotations {
      guard !key.isEmpty else { throw .field(.missingField, "annotations", "a key is empty") }
      try name(key, "annotations")
      try text(value, "annotations.\(key)", bytes: Self.textBytes)
    }
  }

  private func text(_ text: String, _ field: String, bytes limit: Int) throws(QubusError) {
    guard text.utf8.count <= limit else {
      throw .field(
        .invalidRequest, field, "\(text.utf8.count) bytes is too long", limit: "\(limit)")
    }
  }

  /// Bytes of free text, and entries of a dictionary.
  private static let textBytes = 4096
  private static let pairs = 64
}
