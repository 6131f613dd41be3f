import QubusCore
import QubusJobs
import QubusScheduler
import Testing

@testable import QubusEngine

@Suite struct SubmitTests {
  struct Bad: Sendable, CustomTestStringConvertible {
    var code: ErrorCode
    var field: String
    var program = "2 2"
    var edit: @Sendable (inout JobSpec) -> Void
    var testDescription: String { "\(code.name) in \(field)" }
  }

  static let parameter = ParameterArray(name: "a", shape: [], values: [1])
  static func observable(_ pauli: String, _ coefficient: Double = 1) -> ObservableSpec {
    ObservableSpec(terms: [.init(pauli: pauli, coefficient: coefficient)])
  }

  static let bad: [Bad] = [
    Bad(code: .unsupportedSchemaVersion, field: "schema_version") { $0.schemaVersion = 99 },
    Bad(code: .unsupportedSchemaVersion, field: "schema_version") { $0.schemaVersion = 0 },
    Bad(code: .missingField, field: "pubs") { $0.pubs = [] },
    Bad(code: .invalidRequest, field: "pubs") {
      $0.pubs = Array(repeating: $0.pubs[0], count: 1025)
    },
    Bad(code: .missingField, field: "pubs[0].program") { $0.pubs[0].program = [] },
    Bad(code: .programTooLarge, field: "pubs[0].program") {
      $0.pubs[0].program = Array(repeating: 32, count: (16 << 20) + 1)
    },
    Bad(code: .programSyntaxError, field: "pubs[0].program", program: "what is this") { _ in },
    Bad(code: .invalidShots, field: "pubs[0].shots") { $0.pubs[0].shots = 0 },
    Bad(code: .invalidShots, field: "pubs[0].shots") { $0.pubs[0].shots = -1 },
    Bad(code: .invalidShots, field: "pubs[0].shots") { $0.pubs[0].shots = (1 << 32) + 1 },
    Bad(code: .invalidShots, field: "pubs[0].shots") {
      $0.pubs[0].shots = nil
      $0.pubs[0].outputs = [.counts]
    },
    Bad(code: .invalidShots, field: "pubs[0].shots") { $0.pubs[0].outputs = [.probabilities] },
    Bad(code: .invalidOutputs, field: "pubs[0].outputs") { $0.pubs[0].shots = nil },
    Bad(code: .invalidOutputs, field: "pubs[0].outputs", program: "2 0") { _ in },
    Bad(code: .invalidOutputs, field: "pubs[0].outputs") {
      $0.pubs[0].outputs = [.counts, .expectationValues]
    },
    Bad(code: .invalidParameterValue, field: "pubs[0].parameters[0].values[1]") {
      $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [2], values: [1, .nan])]
    },
    Bad(code: .invalidParameterValue, field: "pubs[0].parameters[0].values[0]") {
      $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [1], values: [.infinity])]
    },
    Bad(
      code: .invalidParameterValue, field: "pubs[0].parameters[0].values[0]", program: "2 2 n:int"
    ) {
      $0.pubs[0].parameters = [ParameterArray(name: "n", shape: [], values: [1000])]
    },
    Bad(code: .invalidParameterShape, field: "pubs[0].parameters[0].shape") {
      $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [3], values: [1, 2])]
    },
    Bad(code: .invalidParameterShape, field: "pubs[0].parameters[0].shape") {
      $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [-1, -2], values: [1, 2])]
    },
    Bad(code: .invalidParameterShape, field: "pubs[0].parameters[0].shape") {
      $0.pubs[0].parameters = [ParameterArray(name: "a", shape: [0], values: [])]
    },
    Bad(code: .invalidParameterShape, field: "pubs[0].parameters", program: "2 2 a:float b:float") {
      $0.pubs[0].parameters = [
        ParameterArray(name: "a", shape: [2], values: [1, 2]),
        ParameterArray(name: "b", shape: [3], values: [1, 2, 3]),
      ]
    },
    Bad(code: .invalidParameterShape, field: "pubs[0].parameters", program: "2 2 a:float b:float") {
      let values = Array(repeating: 0.5, count: 2000)
      $0.pubs[0].parameters = [
        ParameterArray(name: "a", shape: [2000], values: values),
        ParameterArray(name: "b", shape: [2000, 1], values: values),
      ]
    },
    Bad(code: .unknownParameter, field: "pubs[0].parameters[0]") {
      $0.pubs[0].parameters = [parameter]
    },
    Bad(code: .parameterCountMismatch, field: "pubs[0].parameters", program: "2 2 a:float") { _ in
    },
    Bad(code: .invalidRequest, field: "pubs[0].parameters[1]", program: "2 2 a:float") {
      $0.pubs[0].parameters = [parameter, parameter]
    },
    Bad(code: .invalidObservable, field: "pubs[0].observables[0].terms[0].pauli") {
      $0.pubs[0].observables = [observable("ZZZ")]
      $0.pubs[0].outputs = [.counts, .expectationValues]
    },
    Bad(code: .invalidObservable, field: "pubs[0].observables[1].terms[0].pauli") {
      $0.pubs[0].observables = [observable("ZZ"), observable("ZQ")]
    },
    Bad(code: .invalidObservable, field: "pubs[0].observables[0].terms[0].coefficient") {
      $0.pubs[0].observables = [observable("ZZ", .nan)]
    },
    Bad(code: .invalidObservable, field: "pubs[0].observables[0]") {
      $0.pubs[0].observables = [ObservableSpec(terms: [])]
    },
    Bad(code: .invalidObservable, field: "pubs[0].observables_shape") {
      $0.pubs[0].observables = [observable("ZZ")]
      $0.pubs[0].observablesShape = [2]
    },
    Bad(code: .unknownDevice, field: "execution.device") { $0.execution.device = "qpu.mars" },
    Bad(code: .unknownDevice, field: "execution.device_family") {
      $0.execution.deviceFamily = "qpu"
    },
    Bad(code: .invalidRequest, field: "execution.ttl_seconds") { $0.execution.ttlSeconds = 0 },
    Bad(code: .invalidRequest, field: "execution.ttl_seconds") { $0.execution.ttlSeconds = .nan },
    Bad(code: .invalidRequest, field: "execution.deadline_seconds") {
      $0.execution.deadlineSeconds = -1
    },
    Bad(code: .invalidRequest, field: "execution.max_run_seconds") {
      $0.execution.maxRunSeconds = .infinity
    },
    Bad(code: .invalidRequest, field: "execution.expected_seconds") {
      $0.execution.expectedSeconds = 0
    },
    Bad(code: .invalidRequest, field: "execution.max_error") { $0.execution.maxError = .nan },
    Bad(code: .invalidRequest, field: "execution.max_cost") { $0.execution.maxCost = -1 },
    Bad(code: .notImplemented, field: "execution.mitigation") {
      $0.execution.mitigation = ["zne": "on"]
    },
    Bad(code: .invalidRequest, field: "pubs[0].target_precision") {
      $0.pubs[0].targetPrecision = 0
    },
    Bad(code: .invalidRequest, field: "client_job_id") {
      $0.clientJobID = String(repeating: "x", count: 257)
    },
    Bad(code: .invalidRequest, field: "idempotency_key") {
      $0.idempotencyKey = String(repeating: "x", count: 257)
    },
    Bad(code: .invalidRequest, field: "experiment.name") {
      $0.experiment.name = String(repeating: "x", count: 257)
    },
    Bad(code: .invalidRequest, field: "experiment.citation") {
      $0.experiment.citation = String(repeating: "x", count: 5000)
    },
    Bad(code: .invalidTags, field: "experiment.tags") {
      $0.experiment.tags = (0..<33).map { "t\($0)" }
    },
    Bad(code: .invalidTags, field: "experiment.tags[1]") { $0.experiment.tags = ["a", "a"] },
    Bad(code: .invalidTags, field: "experiment.tags[0]") { $0.experiment.tags = [""] },
    Bad(code: .invalidTags, field: "experiment.tags[0]") {
      $0.experiment.tags = [String(repeating: "x", count: 257)]
    },
  ]

  @Test("a bad request is refused with its code, naming the field", arguments: bad)
  func refused(bad: Bad) async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec(bad.program, bad.edit)
    let error = await #expect(throws: QubusError.self) { try await harness.submit(spec) }
    #expect(error?.code == bad.code, "\(String(describing: error))")
    #expect(error?.violations.map(\.field) == [bad.field])
    #expect(try harness.store.unfinishedJobs().isEmpty)
    #expect(harness.engine.load().jobsQueued == 0)
    await harness.stop()
  }

  @Test("a program that cannot fit is refused with both figures")
  func memory() async throws {
    let harness = try EngineHarness()
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec("27 2"))
    }
    #expect(error?.code == .insufficientMemory)
    #expect(error?.message.contains(String(16 << 27)) == true)
    #expect(error?.message.contains(String(1 << 30)) == true)
    await harness.stop()
  }

  @Test("unknown devices are answered with the known ones")
  func knownDevices() async throws {
    let harness = try EngineHarness()
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec { $0.execution.device = "x" })
    }
    #expect(error?.violations.first?.limit.contains("sim.fake") == true)
    await harness.stop()
  }

  @Test("the same key and request give the same job; another request conflicts")
  func idempotency() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec { $0.idempotencyKey = "k" }
    let first = try await harness.submit(spec)
    try await harness.finished(first.job.record.id)
    let second = try await harness.submit(spec)
    #expect(second.isDuplicate)
    #expect(second.job.record.id == first.job.record.id)
    #expect(second.job.record.status == .succeeded)
    // The seed is drawn after fingerprinting, so an absent one is no difference; white space and
    // names are none either.
    let spaced = EngineHarness.spec("  2   2 ") { spec in
      spec.idempotencyKey = "k"
      spec.experiment.name = "other"
    }
    #expect(try await harness.submit(spaced).isDuplicate)
    let other = EngineHarness.spec(shots: 1001) { $0.idempotencyKey = "k" }
    let error = await #expect(throws: QubusError.self) { try await harness.submit(other) }
    #expect(error?.code == .idempotencyConflict)
    #expect(harness.engine.load().jobsQueued == 0)
    await harness.stop()
  }

  @Test("a full queue refuses with a retry-after and takes jobs again when it has room")
  func bounded() async throws {
    let harness = try EngineHarness { $0.limits.jobsQueued = 2 }
    harness.engine.drain(true)
    let first = try await harness.submitted()
    _ = try await harness.submitted()
    let error = await #expect(throws: QubusError.self) { try await harness.submitted() }
    #expect(error?.code == .queueCapacityExceeded)
    #expect(error?.retryAfterMilliseconds != nil)
    _ = try await harness.cancel(first)
    // The cancel is posted before it is answered; a later look at the scheduler sees it.
    while harness.engine.scheduler.withScheduler({ $0.queuedCount + $0.promisedCount }) > 1 {
      await Task.yield()
    }
    _ = try await harness.submitted()
    await harness.stop()
  }

  @Test("a store that refuses a submit gives the place back")
  func acceptRefused() async throws {
    let harness = try EngineHarness { $0.limits.jobsQueued = 1 }
    harness.engine.drain(true)
    harness.store.state.signal { $0.acceptFailure = QubusError(.diskFull, "no space") }
    for _ in 0..<3 {
      let error = await #expect(throws: QubusError.self) { try await harness.submitted() }
      #expect(error?.code == .diskFull)
      while harness.engine.scheduler.withScheduler({ $0.promisedCount }) > 0 { await Task.yield() }
    }
    harness.store.state.signal { $0.acceptFailure = nil }
    _ = try await harness.submitted()
    await harness.stop()
  }

  @Test("notices of the front end become events and stay with the job")
  func notices() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted(EngineHarness.spec("2 2 delay"))
    let record = try await harness.finished(id)
    #expect(record.notices == ["pubs[0]: delay is ignored"])
    let notices = try harness.events(id).filter { $0.kind == .notice }
    #expect(notices.map { $0.body.details["message"] } == record.notices)
    await harness.stop()
  }

  @Test("a plan tells rows, memory, time and fingerprint without a job")
  func plan() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec("3 2")
    let report = await withCheckedContinuation { continuation in
      harness.engine.plan(
        spec, context: harness.context, completion: { continuation.resume(returning: $0) })
    }
    let plan = try report.get()
    #expect(plan.device == "sim.fake" && plan.lane == "interactive")
    #expect(plan.pubs.count == 1 && plan.pubs[0].qubitCount == 3)
    #expect(plan.memoryLimitBytes == 1 << 30)
    #expect(try harness.store.unfinishedJobs().isEmpty)
    let id = try await harness.submitted(spec)
    #expect(
      try harness.engine.job(id, context: harness.context).record.fingerprint == plan.fingerprint)
    await harness.stop()
  }

  @Test("the compile cache stays within its bytes and drops the least recently used")
  func cache() throws {
    let cache = ToyPrograms.cache(bytes: 8000)
    let sources = (1...20).map { Array("\($0) 1".utf8) }
    for source in sources {
      _ = try cache.program(source)
      _ = try cache.program(sources[0])
      #expect(cache.bytes <= 8000)
    }
    #expect(cache.cached(sources[0]) != nil)
    #expect(cache.cached(sources[1]) == nil)
    #expect(cache.cached(sources[19]) != nil)
  }
}
