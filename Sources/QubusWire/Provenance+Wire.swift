package import CQubusProto
internal import QubusCore
package import QubusJobs

extension MessageBuilder {
  package func provenance(
    _ value: Provenance
  ) -> UnsafeMutablePointer<Qubus__V1__Provenance> {
    let message = make(qubus__v1__provenance__init)
    message.pointee.schema_version = value.schemaVersion
    message.pointee.job_id = text(value.jobID.description)
    message.pointee.device = text(value.device)
    message.pointee.calibration_id = text(value.calibrationID)
    if let age = value.calibrationAgeSeconds {
      message.pointee.calibration_age_choice_case =
        QUBUS__V1__PROVENANCE__CALIBRATION_AGE_CHOICE_CALIBRATION_AGE_SECONDS
      message.pointee.calibration_age_seconds = age
    }
    message.pointee.engine = text(value.engine)
    message.pointee.engine_version = value.engineVersion
    message.pointee.compiler_version = text(value.compilerVersion)
    message.pointee.protocol_version = value.protocolVersion
    message.pointee.server_version = text(value.serverVersion)
    message.pointee.client_version = text(value.clientVersion)
    message.pointee.instruction_set = text(value.instructionSet)
    (message.pointee.n_compile_options, message.pointee.compile_options) = pairs(
      value.compileOptions)
    (message.pointee.n_program_hashes, message.pointee.program_hashes) = binaries(
      value.programHashes)
    (message.pointee.n_circuit_hashes, message.pointee.circuit_hashes) = binaries(
      value.circuitHashes)
    (message.pointee.n_parameters, message.pointee.parameters) = list(value.parameters) {
      parameterArray($0)
    }
    (message.pointee.n_shots, message.pointee.shots) = numbers(value.shots)
    message.pointee.seed = value.seed
    (message.pointee.n_mitigation, message.pointee.mitigation) = pairs(value.mitigation)
    message.pointee.fallback_used = value.fallbackUsed ? 1 : 0
    message.pointee.phases = phases(value.phases)
    message.pointee.execution_hash = data(value.executionHash)
    message.pointee.attempt = value.attempt
    message.pointee.fingerprint = text(value.fingerprint)
    message.pointee.fingerprint_version = value.fingerprintVersion
    message.pointee.numeric_precision = text(value.numericPrecision)
    message.pointee.replay_of = text(value.replayOf)
    return message
  }
}

extension Provenance {
  init(wire message: Qubus__V1__Provenance) throws(QubusError) {
    try checkSchemaVersion(message.schema_version, field: "schema_version")
    self.init(jobID: try readIdentifier(message.job_id, field: "job_id"))
    schemaVersion = message.schema_version
    device = String(wire: message.device)
    calibrationID = String(wire: message.calibration_id)
    if message.calibration_age_choice_case
      == QUBUS__V1__PROVENANCE__CALIBRATION_AGE_CHOICE_CALIBRATION_AGE_SECONDS
    {
      calibrationAgeSeconds = message.calibration_age_seconds
    }
    engine = String(wire: message.engine)
    engineVersion = message.engine_version
    compilerVersion = String(wire: message.compiler_version)
    protocolVersion = message.protocol_version
    serverVersion = String(wire: message.server_version)
    clientVersion = String(wire: message.client_version)
    instructionSet = String(wire: message.instruction_set)
    compileOptions = readPairs(message.n_compile_options, message.compile_options)
    programHashes = [ProtobufCBinaryData](wire: message.n_program_hashes, message.program_hashes)
      .map { [UInt8](wire: $0) }
    circuitHashes = [ProtobufCBinaryData](wire: message.n_circuit_hashes, message.circuit_hashes)
      .map { [UInt8](wire: $0) }
    parameters = try readList(message.n_parameters, message.parameters) {
      (array, index) throws(QubusError) in
      try ParameterArray(wire: array, path: "parameters[\(index)]")
    }
    shots = [UInt64](wire: message.n_shots, message.shots)
    seed = message.seed
    mitigation = readPairs(message.n_mitigation, message.mitigation)
    fallbackUsed = message.fallback_used != 0
    if let phases = message.phases?.pointee { self.phases = PhaseLedger(wire: phases) }
    executionHash = [UInt8](wire: message.execution_hash)
    attempt = message.attempt
    fingerprint = String(wire: message.fingerprint)
    fingerprintVersion = message.fingerprint_version
    numericPrecision = String(wire: message.numeric_precision)
    replayOf = String(wire: message.replay_of)
  }
}
