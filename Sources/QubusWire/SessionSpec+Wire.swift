package import CQubusProto
internal import QubusCore
package import QubusJobs

extension MessageBuilder {
  package func openSession(
    _ spec: SessionSpec
  ) -> UnsafeMutablePointer<Qubus__V1__OpenSessionRequest> {
    let message = make(qubus__v1__open_session_request__init)
    message.pointee.schema_version = Versions.schema
    message.pointee.program = data(spec.program)
    (message.pointee.n_observables, message.pointee.observables) = list(spec.observables) {
      observable($0)
    }
    (message.pointee.n_outputs, message.pointee.outputs) = numbers(stepOutputs(spec.outputs))
    if let value = spec.shots {
      message.pointee.shots_choice_case = QUBUS__V1__OPEN_SESSION_REQUEST__SHOTS_CHOICE_SHOTS
      message.pointee.shots = value
    }
    if let value = spec.targetError {
      message.pointee.target_error_choice_case =
        QUBUS__V1__OPEN_SESSION_REQUEST__TARGET_ERROR_CHOICE_TARGET_ERROR
      message.pointee.target_error = value
    }
    message.pointee.shares_random_numbers = spec.sharesRandomNumbers ? 1 : 0
    if let value = spec.seed {
      message.pointee.seed_choice_case = QUBUS__V1__OPEN_SESSION_REQUEST__SEED_CHOICE_SEED
      message.pointee.seed = value
    }
    message.pointee.precision = .init(rawValue: UInt32(spec.precision.rawValue))
    message.pointee.device = text(spec.device)
    limits(of: spec, into: message)
    message.pointee.name = text(spec.name)
    (message.pointee.n_tags, message.pointee.tags) = texts(spec.tags)
    message.pointee.idempotency_key = text(spec.idempotencyKey)
    return message
  }

  private func limits(
    of spec: SessionSpec, into message: UnsafeMutablePointer<Qubus__V1__OpenSessionRequest>
  ) {
    if let value = spec.idleSeconds {
      message.pointee.idle_choice_case =
        QUBUS__V1__OPEN_SESSION_REQUEST__IDLE_CHOICE_IDLE_SECONDS
      message.pointee.idle_seconds = value
    }
    if let value = spec.wallSeconds {
      message.pointee.wall_choice_case =
        QUBUS__V1__OPEN_SESSION_REQUEST__WALL_CHOICE_WALL_SECONDS
      message.pointee.wall_seconds = value
    }
    if let value = spec.maxSteps {
      message.pointee.steps_choice_case = QUBUS__V1__OPEN_SESSION_REQUEST__STEPS_CHOICE_MAX_STEPS
      message.pointee.max_steps = value
    }
    if let value = spec.maxDeviceSeconds {
      message.pointee.device_choice_case =
        QUBUS__V1__OPEN_SESSION_REQUEST__DEVICE_CHOICE_MAX_DEVICE_SECONDS
      message.pointee.max_device_seconds = value
    }
    if let value = spec.memoryBytes {
      message.pointee.memory_choice_case =
        QUBUS__V1__OPEN_SESSION_REQUEST__MEMORY_CHOICE_MEMORY_BYTES
      message.pointee.memory_bytes = value
    }
  }

  /// The wire's numbers of what a mask holds, ascending.
  package func stepOutputs(_ outputs: SessionOutputs) -> [Qubus__V1__StepOutput] {
    (UInt32(0)..<4).filter { outputs.rawValue & 1 << $0 != 0 }
      .map { Qubus__V1__StepOutput(rawValue: $0 + 1) }
  }
}

extension SessionSpec {
  init(wire message: Qubus__V1__OpenSessionRequest) throws(QubusError) {
    try checkSchemaVersion(message.schema_version, field: "schema_version")
    self.init(program: [UInt8](wire: message.program))
    observables = try readList(message.n_observables, message.observables) {
      (observable, _) throws(QubusError) in try ObservableSpec(wire: observable)
    }
    for (index, output) in [Qubus__V1__StepOutput](wire: message.n_outputs, message.outputs)
      .enumerated()
    {
      guard (1...4).contains(output.rawValue) else {
        throw .field(
          .invalidEnumValue, "outputs[\(index)]", "\(output.rawValue) cannot be asked for",
          limit: "1 to 4: values, gradients, counts, statevector")
      }
      outputs.insert(SessionOutputs(rawValue: 1 << (output.rawValue - 1)))
    }
    if message.shots_choice_case == QUBUS__V1__OPEN_SESSION_REQUEST__SHOTS_CHOICE_SHOTS {
      shots = message.shots
    }
    if message.target_error_choice_case
      == QUBUS__V1__OPEN_SESSION_REQUEST__TARGET_ERROR_CHOICE_TARGET_ERROR
    {
      targetError = message.target_error
    }
    sharesRandomNumbers = message.shares_random_numbers != 0
    if message.seed_choice_case == QUBUS__V1__OPEN_SESSION_REQUEST__SEED_CHOICE_SEED {
      seed = message.seed
    }
    // Unspecified is double.
    precision =
      message.precision.rawValue == 0
      ? .double : try readEnum(message.precision.rawValue, field: "precision")
    device = String(wire: message.device)
    readLimits(message)
    name = String(wire: message.name)
    tags = readTexts(message.n_tags, message.tags)
    idempotencyKey = String(wire: message.idempotency_key)
  }

  private mutating func readLimits(_ message: Qubus__V1__OpenSessionRequest) {
    if message.idle_choice_case == QUBUS__V1__OPEN_SESSION_REQUEST__IDLE_CHOICE_IDLE_SECONDS {
      idleSeconds = message.idle_seconds
    }
    if message.wall_choice_case == QUBUS__V1__OPEN_SESSION_REQUEST__WALL_CHOICE_WALL_SECONDS {
      wallSeconds = message.wall_seconds
    }
    if message.steps_choice_case == QUBUS__V1__OPEN_SESSION_REQUEST__STEPS_CHOICE_MAX_STEPS {
      maxSteps = message.max_steps
    }
    if message.device_choice_case
      == QUBUS__V1__OPEN_SESSION_REQUEST__DEVICE_CHOICE_MAX_DEVICE_SECONDS
    {
      maxDeviceSeconds = message.max_device_seconds
    }
    if message.memory_choice_case
      == QUBUS__V1__OPEN_SESSION_REQUEST__MEMORY_CHOICE_MEMORY_BYTES
    {
      memoryBytes = message.memory_bytes
    }
  }
}

extension ObservableSpec {
  init(wire message: Qubus__V1__Observable) throws(QubusError) {
    self.init(
      terms: try readList(message.n_terms, message.terms) { (term, _) in
        Term(pauli: String(wire: term.pauli), coefficient: term.coefficient)
      })
  }
}
