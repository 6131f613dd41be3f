import QubusCore
import QubusJobs

/// Values with every field set, none at its default.
enum Samples {
  static let id = Identifier("018f3f5e-7c1a-7000-8000-0123456789ab")!
  static let bell = Array(
    ("OPENQASM 3.0;\ninclude \"stdgates.inc\";\nqubit[2] q;\nbit[2] c;\n"
      + "h q[0];\ncx q[0], q[1];\nc = measure q;\n").utf8)

  static let spec: JobSpec = {
    var spec = JobSpec()
    spec.clientJobID = "client-1"
    spec.idempotencyKey = "key ü"
    var pub = PubSpec(program: bell)
    pub.parameters = [
      ParameterArray(
        name: "θ", shape: [2, 3], values: [0, -0.0, .pi, 1e300, -1, .leastNonzeroMagnitude]),
      ParameterArray(name: "s", shape: [], values: [4]),
    ]
    pub.observables = [
      ObservableSpec(terms: [
        .init(pauli: "ZZ", coefficient: 1), .init(pauli: "XI", coefficient: -0.5),
      ]),
      ObservableSpec(terms: []),
    ]
    pub.observablesShape = [2, 1]
    pub.shots = 1024
    pub.outputs = OutputKind.allCases
    pub.targetPrecision = 0.01
    spec.pubs = [pub, PubSpec(program: [1, 0, 255])]
    spec.execution.priorityClass = .batch
    spec.execution.device = "sim.statevector"
    spec.execution.deviceFamily = "sim"
    spec.execution.devicePolicy = .bestFidelity
    spec.execution.allowSimulatorFallback = true
    spec.execution.maxError = 0.1
    spec.execution.deadlineSeconds = 10
    spec.execution.ttlSeconds = 20
    spec.execution.expectedSeconds = 0
    spec.execution.maxRunSeconds = 5
    spec.execution.maxCost = -1
    spec.execution.seed = .max
    spec.execution.precision = .single
    spec.execution.mitigation = ["a": "1", "b": ""]
    spec.experiment.id = "e1"
    spec.experiment.name = "bell"
    spec.experiment.tags = ["x", "y"]
    spec.experiment.experimentClass = "demo"
    spec.experiment.citation = "doi:10"
    spec.after = [id, Identifier(high: .max, low: 0)]
    spec.afterOK = [Identifier(high: 0, low: 1)]
    return spec
  }()

  static let phases: PhaseLedger = {
    var phases = PhaseLedger()
    phases.acceptedAt = 1
    phases.compiledAt = 2
    phases.queuedAt = 3
    phases.reservedAt = 4
    phases.startedAt = 5
    phases.deviceMicroseconds = 0
    phases.finishedAt = 7
    phases.storedAt = .max
    return phases
  }()

  static let manifest: ResultManifest = {
    var manifest = ResultManifest(jobID: id, attempt: 2)
    let hash = Array(UInt8(0)..<32)
    manifest.items = [
      ResultItem(
        name: "counts.keys", pub: 0, dataType: .uint64, shape: [2, 1], bytes: 16, sha256: hash,
        chunks: [ResultChunkInfo(offset: 0, bytes: 16, sha256: hash)]),
      ResultItem(
        name: "statevector", pub: 1, dataType: .complex128, shape: [4], bytes: 64, sha256: hash,
        chunks: [
          ResultChunkInfo(offset: 0, bytes: 32, sha256: hash),
          ResultChunkInfo(offset: 32, bytes: 32, sha256: hash.reversed()),
        ], measurementBasis: "x"),
    ]
    manifest.pubs = [
      PubSummary(
        pub: 0, qubitCount: 2, bitCount: 2, shape: [3, 1], shots: 1024, normDrift: 0,
        registers: [BitRegister(name: "c", offset: 1, size: 2)])
    ]
    manifest.isPartial = true
    manifest.executionHash = hash
    manifest.shotsDone = 1 << 40
    return manifest
  }()

  static let provenance: Provenance = {
    var value = Provenance(jobID: id)
    value.device = "sim.statevector"
    value.calibrationID = "ideal"
    value.calibrationAgeSeconds = 0
    value.engine = "statevector"
    value.engineVersion = 1
    value.compilerVersion = "1"
    value.protocolVersion = 1
    value.serverVersion = "0.1.0"
    value.clientVersion = "libqubus 0.1.0"
    value.instructionSet = "baseline"
    value.compileOptions = ["level": "2"]
    value.programHashes = [[1, 2], [3]]
    value.circuitHashes = [[], [4]]
    value.parameters = [ParameterArray(name: "a", shape: [1], values: [.infinity])]
    value.shots = [1, 1 << 33]
    value.seed = 7
    value.mitigation = ["m": "n"]
    value.fallbackUsed = true
    value.phases = phases
    value.executionHash = [9, 8]
    value.attempt = 3
    value.fingerprint = "00ff"
    value.fingerprintVersion = 2
    value.numericPrecision = "single"
    value.replayOf = id.description
    return value
  }()

  static let error = QubusError(
    .programSyntaxError, "expected ';'",
    location: SourceLocation(line: 3, column: 7, text: "cx", excerpt: "h q cx\n    ^"),
    violations: [FieldViolation(field: "pubs[0].program", explanation: "syntax", limit: "1")],
    retryAfterMilliseconds: 0, details: ["k": "v"])

  static let eventBody: JobEventBody = {
    var body = JobEventBody()
    body.progress = JobProgress(
      shotsDone: 1, shotsTotal: 2, rowsDone: 3, rowsTotal: 4, evolution: 0.25)
    body.counts = PartialCounts(
      pub: 1, row: 2, shotsDone: 3, entries: [(bits: "01", count: 4), (bits: "", count: 0)],
      isTruncated: true)
    body.queuePosition = 0
    body.device = "sim.statevector"
    body.error = error
    body.details = ["a": "b"]
    return body
  }()
}
