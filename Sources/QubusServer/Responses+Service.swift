internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Responses {
  /// What this version can do beyond calls and answers.
  static let features = [
    "batch", "credit", "inline_results", "resume", "replay", "sessions", "tenancy",
  ]

  static func hello(
    instanceID: String, principal: Principal, configuration: ServerConfiguration
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__hello_response__init)
    message.pointee.protocol_version = Versions.protocol
    message.pointee.server_version = builder.text(Versions.server)
    message.pointee.server_instance_id = builder.text(instanceID)
    (message.pointee.n_features, message.pointee.features) = builder.texts(features)
    (message.pointee.n_methods, message.pointee.methods) = builder.texts(
      Method.allCases.map(\.rawValue))
    (message.pointee.n_limits, message.pointee.limits) = builder.pairs(
      limits(configuration).map { ($0.0, "\($0.1)") })
    message.pointee.principal = builder.text(principal.name)
    message.pointee.tenant = builder.text(principal.tenant)
    message.pointee.project = builder.text(principal.project)
    message.pointee.heartbeat_milliseconds = UInt32(clamping: configuration.heartbeatMilliseconds)
    return MessageBuilder.pack(message)
  }

  private static func limits(_ configuration: ServerConfiguration) -> [(String, Int64)] {
    let limits = configuration.limits
    return [
      ("message_bytes", Int64(limits.messageBytes)),
      ("message_depth", Int64(limits.messageDepth)),
      ("message_fields", Int64(limits.messageFields)),
      ("program_bytes", Int64(limits.programBytes)),
      ("program_operations", Int64(limits.programOperations)),
      ("qubits", Int64(limits.qubits)),
      ("classical_bits", Int64(limits.classicalBits)),
      ("pubs_per_job", Int64(limits.pubsPerJob)),
      ("rows_per_pub", Int64(limits.rowsPerPub)),
      ("shots", limits.shots),
      ("tags", Int64(limits.tags)),
      ("name_bytes", Int64(limits.nameBytes)),
      ("batch_items", Int64(limits.batchItems)),
      ("dependencies", Int64(limits.dependencies)),
      ("calls_in_flight", Int64(limits.callsInFlightPerConnection)),
      ("streams", Int64(limits.streamsPerConnection)),
      ("state_vector_qubits", Int64(limits.stateVectorQubits)),
      ("probability_bits", Int64(limits.probabilityBits)),
      ("inline_result_bytes", Int64(configuration.inlineResultBytes)),
    ]
  }

  static func health(
    load: ServiceLoad, isStopping: Bool, instanceID: String, uptime: Microseconds
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__health_response__init)
    message.pointee.state =
      isStopping
      ? QUBUS__V1__HEALTH_STATE__HEALTH_STATE_STOPPING
      : load.trouble.isEmpty
        ? QUBUS__V1__HEALTH_STATE__HEALTH_STATE_SERVING
        : QUBUS__V1__HEALTH_STATE__HEALTH_STATE_DEGRADED
    message.pointee.server_instance_id = builder.text(instanceID)
    message.pointee.uptime_microseconds = uptime
    message.pointee.jobs_queued = load.jobsQueued
    message.pointee.jobs_running = load.jobsRunning
    if !load.trouble.isEmpty { message.pointee.detail = builder.text(load.trouble) }
    return MessageBuilder.pack(message)
  }

  static func version(storeSchema: UInt32, instructionSet: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__version_response__init)
    message.pointee.server_version = builder.text(Versions.server)
    message.pointee.protocol_version = Versions.protocol
    message.pointee.engine_version = Versions.engine
    message.pointee.compiler_version = builder.text(Versions.compiler)
    message.pointee.schema_version = storeSchema
    message.pointee.error_catalogue_version = UInt32(clamping: ErrorRegistry.catalogueVersion)
    message.pointee.instruction_set = builder.text(instructionSet)
    return MessageBuilder.pack(message)
  }

  static func errorCatalogue() -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__error_catalogue_response__init)
    message.pointee.catalogue_version = UInt32(clamping: ErrorRegistry.catalogueVersion)
    (message.pointee.n_errors, message.pointee.errors) = builder.list(ErrorRegistry.entries) {
      let entry = builder.make(qubus__v1__error_catalogue_entry__init)
      entry.pointee.number = $0.number
      entry.pointee.name = builder.text($0.name)
      entry.pointee.error_class = builder.text($0.errorClass.rawValue)
      entry.pointee.grpc_status = $0.grpcStatus.rawValue
      entry.pointee.http_status = UInt32(clamping: $0.httpStatus)
      entry.pointee.recovery = builder.text($0.recovery.rawValue)
      entry.pointee.action = builder.text($0.action)
      entry.pointee.explanation = builder.text($0.explanation)
      return entry
    }
    return MessageBuilder.pack(message)
  }

  static func devices(_ devices: [DeviceReport]) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_devices_response__init)
    (message.pointee.n_devices, message.pointee.devices) = builder.list(devices) {
      builder.device($0)
    }
    return MessageBuilder.pack(message)
  }

  static func device(_ device: DeviceReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_device_response__init)
    message.pointee.device = builder.device(device)
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func device(_ report: DeviceReport) -> UnsafeMutablePointer<Qubus__V1__Device> {
    let message = make(qubus__v1__device__init)
    message.pointee.name = text(report.name)
    message.pointee.summary = text(report.summary)
    message.pointee.state = QUBUS__V1__DEVICE_STATE__DEVICE_STATE_ONLINE
    message.pointee.qubit_count = report.qubitCount
    (message.pointee.n_native_gates, message.pointee.native_gates) = texts(report.nativeGates)
    message.pointee.is_simulator = report.isSimulator ? 1 : 0
    message.pointee.is_ideal = report.isIdeal ? 1 : 0
    message.pointee.jobs_queued = report.jobsQueued
    message.pointee.jobs_running = report.jobsRunning
    message.pointee.memory_limit_bytes = report.memoryLimitBytes
    message.pointee.instruction_set = text(report.instructionSet)
    message.pointee.supports_mid_circuit_measurement =
      report.supportsMidCircuitMeasurement ? 1 : 0
    (message.pointee.n_outputs, message.pointee.outputs) = numbers(
      report.outputs.map { Qubus__V1__OutputKind(rawValue: UInt32($0.rawValue)) })
    message.pointee.tenant = text(report.tenant ?? "")
    if let drain = report.drain {
      message.pointee.state = QUBUS__V1__DEVICE_STATE__DEVICE_STATE_OFFLINE
      message.pointee.drained_by = text(drain.by.text)
      message.pointee.drain_reason = text(drain.reason)
      message.pointee.drain_choice_case = QUBUS__V1__DEVICE__DRAIN_CHOICE_DRAINED_SINCE
      message.pointee.drained_since = drain.since
    }
    return message
  }
}
