internal import Glibc
internal import Logging
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusEngine
internal import QubusJobs
internal import QubusQASM
internal import QubusScheduler
internal import QubusServer
internal import QubusStoreSQLite
internal import QubusTenancy
internal import QubusWire

/// The parts of the service, put together: store, engine with its devices, server.
final class Daemon: Sendable {
  private static let chunkGraceMicroseconds: Microseconds = 2_000_000

  private let store: SQLiteJobStore
  private let tenancy: Tenancy
  private let engine: Engine
  private let server: Server

  /// Where it listens, with the real ports.
  var endpoints: [String] { server.endpoints }
  /// Public keys of the curve endpoints, in their order.
  var serverKeys: [String] { server.endpoints.compactMap { server.publicKeys[$0] } }
  var instanceID: String { server.instanceID }
  /// Public keys of the curve endpoints, by endpoint.
  var publicKeys: [String: String] { server.publicKeys }

  /// Opens the store, takes up what an earlier life left, and serves clients when it returns.
  /// - Throws: `data_directory_locked` and the store's other errors, `endpoint_in_use`,
  ///   `invalid_configuration`, `invalid_key`.
  init(_ configuration: Configuration, logger: Logger) throws(QubusError) {
    try StateVectorDevice.checkEnvironment()
    let clock = SystemClock()
    let limits = Limits()
    let codec = ProtobufJobCodec(limits: limits)
    let places = ThreadPlaces(
      dataDirectory: configuration.dataDirectory,
      keepsAwake: configuration.keepAwakeMicroseconds > 0)
    var storeOptions = StoreOptions()
    storeOptions.writerProcessor = places.writer
    storeOptions.onFatal = { error in
      logger.critical(
        "the disk cannot be trusted any more", metadata: ["error": "\(error.logText)"])
      _exit(DaemonExit.inputOutput.rawValue)
    }
    storeOptions.masterKey = try configuration.masterKey?.read()
    storeOptions.onSealed = { values in
      logger.notice(
        "what was stored before encryption is sealed", metadata: ["count": "\(values)"])
    }
    storeOptions.onLostNote = { entry, error in
      logger.error(
        "evidence was not written",
        metadata: [
          "method": "\(entry.method)", "subject": "\(entry.subject)",
          "error": "\(error.logText)",
        ])
    }
    store = try SQLiteJobStore(
      directory: configuration.dataDirectory, codec: codec, clock: clock, options: storeOptions)
    let identifiers = IdentifierSource(clock: clock)
    tenancy = try Self.opening(store) { (store) throws(QubusError) in
      try AuditAtStart.look(store, now: clock.now(), logger: logger)
      return try Tenancy(
        configuration, store: store, clock: clock, identifiers: identifiers, logger: logger)
    }
    let device = StateVectorDevice(limits: limits)
    var engineConfiguration = EngineConfiguration()
    engineConfiguration.limits = limits
    engineConfiguration.computeThreads = configuration.threads
    engineConfiguration.memoryBytes = configuration.memoryBytes
    engineConfiguration.sessions.sessions = configuration.sessionLimit
    engineConfiguration.sessions.sessionsPerPrincipal = configuration.sessionLimitPerPrincipal
    engineConfiguration.sessions.memoryBytes = configuration.sessionMemoryBytes
    engineConfiguration.sessions.leaseShare = Double(configuration.sessionSharePercent) / 100
    engineConfiguration.sessions.stepInPlaceSeconds =
      Double(configuration.stepInPlaceMicroseconds) / 1e6
    engineConfiguration.retention = configuration.retention
    engineConfiguration.fairness.weights = configuration.weights
    let programs = ProgramCache(bytes: engineConfiguration.programCacheBytes) {
      (source) throws(QubusError) -> CompiledProgram in
      ProgramCompiler.compile(try OpenQASM.compile(source, limits: limits), source: source)
    }
    engine = Engine(
      configuration: engineConfiguration, store: store, codec: codec, devices: [device],
      programs: programs, clock: clock, identifiers: identifiers,
      logger: logger, sessionStore: store, sessionCodec: codec,
      retentionStore: store, useStore: store, quoteStore: store, audit: store,
      ledger: tenancy.ledger, quotas: tenancy.quotas, approvalPolicies: tenancy.approvalPolicies,
      weights: tenancy.weights, exportPolicies: tenancy.exportPolicies,
      drains: tenancy.drains, reservations: tenancy.reservations)
    var serverConfiguration = ServerConfiguration(
      endpoints: configuration.effectiveEndpoints.map(\.description))
    serverConfiguration.socketGroup = configuration.socketGroup
    serverConfiguration.keyDirectory = configuration.dataDirectory
    serverConfiguration.memoryCapBytes = configuration.residentMemoryCap
    serverConfiguration.unadmittedAtOnce = 1024
    serverConfiguration.limits = limits
    serverConfiguration.keepAwakeMicroseconds = Int64(configuration.keepAwakeMicroseconds)
    serverConfiguration.messageProcessor = places.messages
    serverConfiguration.storeSchemaVersion = UInt32(store.schemaVersion)
    serverConfiguration.instructionSet = device.instructionSet
    try engine.start()
    do throws(QubusError) {
      server = try Server(
        configuration: serverConfiguration, service: engine, sessions: engine,
        tenancy: tenancy.service(engine), admission: tenancy.admission,
        quotas: tenancy.quotas, clock: clock, logger: logger)
    } catch {
      engine.stop(graceMicroseconds: 0)
      // The server's error is the one to tell; the store has nothing new to lose.
      try? store.close()
      throw error
    }
    tenancy.serves(keys: serverKeys)
    tellEncryption(storeOptions.masterKey?.idText, logger)
    logger.notice(
      "ready",
      metadata: [
        "endpoints": "\(server.endpoints.joined(separator: " "))",
        "data_dir": "\(configuration.dataDirectory)", "threads": "\(configuration.threads)",
        "memory_bytes": "\(configuration.memoryBytes)", "version": "\(Versions.server)",
      ])
  }

  private func tellEncryption(
    _ master: String?, _ logger: Logger
  ) {
    logger.notice(
      "data at rest",
      metadata: [
        "encryption": master == nil ? "off" : "on", "master_key": "\(master ?? "none")",
      ])
    for tenant in store.tenantsWithBrokenKeys {
      logger.error(
        "the data key of a tenant cannot be opened; other tenants go on",
        metadata: ["tenant": "\(tenant)"])
    }
  }

  /// What is made of a store; without it the store is closed again.
  private static func opening<Part>(
    _ store: SQLiteJobStore, _ make: (SQLiteJobStore) throws(QubusError) -> Part
  ) throws(QubusError) -> Part {
    do throws(QubusError) {
      return try make(store)
    } catch {
      // The error of the part is the one to tell; the store has nothing new to lose.
      try? store.close()
      throw error
    }
  }

  /// Stops taking work, tells clients, gives running chunks 2 s, and makes everything durable.
  /// - Throws: what the store throws when the last commit fails.
  func stop() throws(QubusError) {
    server.announceStop()
    engine.stop(graceMicroseconds: Self.chunkGraceMicroseconds)
    server.close()
    tenancy.end()
    try store.close()
  }
}
