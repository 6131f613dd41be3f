package import CQubusProto
internal import QubusCore
package import QubusJobs

extension MessageBuilder {
  package func request(_ spec: JobSpec) -> UnsafeMutablePointer<Qubus__V1__JobRequest> {
    let message = make(qubus__v1__job_request__init)
    message.pointee.schema_version = spec.schemaVersion
    message.pointee.client_job_id = text(spec.clientJobID)
    message.pointee.idempotency_key = text(spec.idempotencyKey)
    (message.pointee.n_pubs, message.pointee.pubs) = list(spec.pubs) { pub($0) }
    message.pointee.execution = execution(spec.execution)
    message.pointee.experiment = experiment(spec.experiment)
    (message.pointee.n_after, message.pointee.after) = texts(spec.after.map(\.description))
    (message.pointee.n_after_ok, message.pointee.after_ok) = texts(
      spec.afterOK.map(\.description))
    return message
  }

  private func pub(_ pub: PubSpec) -> UnsafeMutablePointer<Qubus__V1__Pub> {
    let message = make(qubus__v1__pub__init)
    message.pointee.program = data(pub.program)
    (message.pointee.n_parameters, message.pointee.parameters) = list(pub.parameters) {
      parameterArray($0)
    }
    (message.pointee.n_observables, message.pointee.observables) = list(pub.observables) {
      observable($0)
    }
    (message.pointee.n_observables_shape, message.pointee.observables_shape) = numbers(
      pub.observablesShape.map { UInt64(clamping: $0) })
    if let shots = pub.shots {
      message.pointee.shots_choice_case = QUBUS__V1__PUB__SHOTS_CHOICE_SHOTS
      message.pointee.shots = shots
    }
    (message.pointee.n_outputs, message.pointee.outputs) = numbers(
      pub.outputs.map { Qubus__V1__OutputKind(rawValue: UInt32($0.rawValue)) })
    if let precision = pub.targetPrecision {
      message.pointee.precision_choice_case = QUBUS__V1__PUB__PRECISION_CHOICE_TARGET_PRECISION
      message.pointee.target_precision = precision
    }
    return message
  }

  func parameterArray(
    _ array: ParameterArray
  ) -> UnsafeMutablePointer<Qubus__V1__ParameterArray> {
    let message = make(qubus__v1__parameter_array__init)
    message.pointee.name = text(array.name)
    (message.pointee.n_shape, message.pointee.shape) = numbers(
      array.shape.map { UInt64(clamping: $0) })
    (message.pointee.n_values, message.pointee.values) = numbers(array.values)
    return message
  }

  package func observable(
    _ observable: ObservableSpec
  ) -> UnsafeMutablePointer<Qubus__V1__Observable> {
    let message = make(qubus__v1__observable__init)
    (message.pointee.n_terms, message.pointee.terms) = list(observable.terms) { term in
      let entry = make(qubus__v1__pauli_term__init)
      entry.pointee.pauli = text(term.pauli)
      entry.pointee.coefficient = term.coefficient
      return entry
    }
    return message
  }

  private func execution(_ spec: ExecutionSpec) -> UnsafeMutablePointer<Qubus__V1__Execution> {
    let message = make(qubus__v1__execution__init)
    message.pointee.priority_class = .init(rawValue: UInt32(spec.priorityClass.rawValue))
    message.pointee.device = text(spec.device)
    message.pointee.device_family = text(spec.deviceFamily)
    message.pointee.device_policy = .init(rawValue: UInt32(spec.devicePolicy.rawValue))
    message.pointee.allow_simulator_fallback = spec.allowSimulatorFallback ? 1 : 0
    if let value = spec.maxError {
      message.pointee.max_error_choice_case = QUBUS__V1__EXECUTION__MAX_ERROR_CHOICE_MAX_ERROR
      message.pointee.max_error = value
    }
    if let value = spec.deadlineSeconds {
      message.pointee.deadline_choice_case =
        QUBUS__V1__EXECUTION__DEADLINE_CHOICE_DEADLINE_SECONDS
      message.pointee.deadline_seconds = value
    }
    if let value = spec.ttlSeconds {
      message.pointee.ttl_choice_case = QUBUS__V1__EXECUTION__TTL_CHOICE_TTL_SECONDS
      message.pointee.ttl_seconds = value
    }
    if let value = spec.expectedSeconds {
      message.pointee.expected_choice_case =
        QUBUS__V1__EXECUTION__EXPECTED_CHOICE_EXPECTED_SECONDS
      message.pointee.expected_seconds = value
    }
    if let value = spec.maxRunSeconds {
      message.pointee.max_run_choice_case = QUBUS__V1__EXECUTION__MAX_RUN_CHOICE_MAX_RUN_SECONDS
      message.pointee.max_run_seconds = value
    }
    if let value = spec.maxCost {
      message.pointee.max_cost_choice_case = QUBUS__V1__EXECUTION__MAX_COST_CHOICE_MAX_COST
      message.pointee.max_cost = value
    }
    if let value = spec.seed {
      message.pointee.seed_choice_case = QUBUS__V1__EXECUTION__SEED_CHOICE_SEED
      message.pointee.seed = value
    }
    message.pointee.precision = .init(rawValue: UInt32(spec.precision.rawValue))
    (message.pointee.n_mitigation, message.pointee.mitigation) = pairs(spec.mitigation)
    return message
  }

  private func experiment(_ spec: ExperimentSpec) -> UnsafeMutablePointer<Qubus__V1__Experiment> {
    let message = make(qubus__v1__experiment__init)
    message.pointee.id = text(spec.id)
    message.pointee.name = text(spec.name)
    (message.pointee.n_tags, message.pointee.tags) = texts(spec.tags)
    message.pointee.experiment_class = text(spec.experimentClass)
    message.pointee.citation = text(spec.citation)
    return message
  }
}

extension JobSpec {
  /// - Parameter path: of the message, for errors, for example `job`; empty for the outermost.
  /// - Throws: `unsupported_schema_version`, `invalid_enum_value`, `invalid_parameter_shape`,
  ///   `invalid_identifier`.
  init(wire message: Qubus__V1__JobRequest, path: String) throws(QubusError) {
    let prefix = path.isEmpty ? "" : path + "."
    self.init()
    try checkSchemaVersion(message.schema_version, field: prefix + "schema_version")
    schemaVersion = message.schema_version
    clientJobID = String(wire: message.client_job_id)
    idempotencyKey = String(wire: message.idempotency_key)
    pubs = try readList(message.n_pubs, message.pubs) { (pub, index) throws(QubusError) in
      try PubSpec(wire: pub, path: "\(prefix)pubs[\(index)]")
    }
    if let execution = message.execution?.pointee {
      self.execution = try ExecutionSpec(wire: execution, path: prefix + "execution")
    }
    if let experiment = message.experiment?.pointee {
      self.experiment = ExperimentSpec(wire: experiment)
    }
    after = try readIdentifiers(message.n_after, message.after, field: prefix + "after")
    afterOK = try readIdentifiers(message.n_after_ok, message.after_ok, field: prefix + "after_ok")
  }
}

/// - Throws: `unsupported_schema_version`; a later version adds its translator here.
func checkSchemaVersion(_ version: UInt32, field: String) throws(QubusError) {
  guard version == Versions.schema else {
    throw .field(
      .unsupportedSchemaVersion, field, "version \(version) is not understood",
      limit: "\(Versions.schema)")
  }
}

extension PubSpec {
  init(wire message: Qubus__V1__Pub, path: String) throws(QubusError) {
    self.init(program: [UInt8](wire: message.program))
    parameters = try readList(message.n_parameters, message.parameters) {
      (array, index) throws(QubusError) in
      try ParameterArray(wire: array, path: "\(path).parameters[\(index)]")
    }
    observables = try readList(message.n_observables, message.observables) {
      (observable, _) throws(QubusError) in try ObservableSpec(wire: observable)
    }
    observablesShape = try readShape(
      message.n_observables_shape, message.observables_shape, field: "\(path).observables_shape")
    if message.shots_choice_case == QUBUS__V1__PUB__SHOTS_CHOICE_SHOTS { shots = message.shots }
    for (index, kind) in [Qubus__V1__OutputKind](wire: message.n_outputs, message.outputs)
      .enumerated()
    {
      guard let output = OutputKind(rawValue: UInt8(clamping: kind.rawValue)) else {
        throw .field(
          .invalidEnumValue, "\(path).outputs[\(index)]", "\(kind.rawValue) is no output",
          limit: "1 to \(OutputKind.allCases.count)")
      }
      outputs.append(output)
    }
    if message.precision_choice_case == QUBUS__V1__PUB__PRECISION_CHOICE_TARGET_PRECISION {
      targetPrecision = message.target_precision
    }
  }
}

extension ParameterArray {
  init(wire message: Qubus__V1__ParameterArray, path: String) throws(QubusError) {
    self.init(
      name: String(wire: message.name),
      shape: try readShape(message.n_shape, message.shape, field: "\(path).shape"),
      values: [Double](wire: message.n_values, message.values))
  }
}

extension ExecutionSpec {
  init(wire message: Qubus__V1__Execution, path: String) throws(QubusError) {
    self.init()
    priorityClass = try readEnum(message.priority_class.rawValue, field: path + ".priority_class")
    device = String(wire: message.device)
    deviceFamily = String(wire: message.device_family)
    devicePolicy = try readEnum(message.device_policy.rawValue, field: path + ".device_policy")
    allowSimulatorFallback = message.allow_simulator_fallback != 0
    if message.max_error_choice_case == QUBUS__V1__EXECUTION__MAX_ERROR_CHOICE_MAX_ERROR {
      maxError = message.max_error
    }
    if message.deadline_choice_case == QUBUS__V1__EXECUTION__DEADLINE_CHOICE_DEADLINE_SECONDS {
      deadlineSeconds = message.deadline_seconds
    }
    if message.ttl_choice_case == QUBUS__V1__EXECUTION__TTL_CHOICE_TTL_SECONDS {
      ttlSeconds = message.ttl_seconds
    }
    if message.expected_choice_case == QUBUS__V1__EXECUTION__EXPECTED_CHOICE_EXPECTED_SECONDS {
      expectedSeconds = message.expected_seconds
    }
    if message.max_run_choice_case == QUBUS__V1__EXECUTION__MAX_RUN_CHOICE_MAX_RUN_SECONDS {
      maxRunSeconds = message.max_run_seconds
    }
    if message.max_cost_choice_case == QUBUS__V1__EXECUTION__MAX_COST_CHOICE_MAX_COST {
      maxCost = message.max_cost
    }
    if message.seed_choice_case == QUBUS__V1__EXECUTION__SEED_CHOICE_SEED { seed = message.seed }
    // Unspecified is double.
    precision =
      message.precision.rawValue == 0
      ? .double : try readEnum(message.precision.rawValue, field: path + ".precision")
    mitigation = readPairs(message.n_mitigation, message.mitigation)
  }
}

func readEnum<Value: RawRepresentable<UInt8>>(
  _ raw: UInt32, field: String
) throws(QubusError) -> Value {
  guard let value = UInt8(exactly: raw).flatMap(Value.init(rawValue:)) else {
    throw .field(.invalidEnumValue, field, "\(raw) is not known")
  }
  return value
}

extension ExperimentSpec {
  init(wire message: Qubus__V1__Experiment) {
    self.init()
    id = String(wire: message.id)
    name = String(wire: message.name)
    tags = readTexts(message.n_tags, message.tags)
    experimentClass = String(wire: message.experiment_class)
    citation = String(wire: message.citation)
  }
}
