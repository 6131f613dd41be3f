internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Turns a request into a job that is known to run: compiled, shapes broadcast, memory estimated.
struct JobPreparation: Sendable {
  let configuration: EngineConfiguration
  let devices: [any Device]
  let programs: ProgramCache
  /// Knows which devices belong to one tenant alone.
  var ledger: LedgerBook?

  private var limits: Limits { configuration.limits }

  /// - Parameter principal: whose job it is to be; nil: it was accepted already, and keeps its
  ///   device whoever's that is now.
  /// - Throws: what is wrong with the request, by field; every error of the front end.
  func prepare(_ spec: JobSpec, for principal: Principal? = nil) throws(QubusError) -> PreparedJob {
    try SpecValidation(limits: limits).check(spec)
    let device = try device(for: spec.execution, among: devices.open(to: principal, ledger))
    var pubs: [PreparedPub] = []
    pubs.reserveCapacity(spec.pubs.count)
    for (index, pub) in spec.pubs.enumerated() {
      pubs.append(try prepare(pub, "pubs[\(index)]", device, spec.execution.amplitudes))
    }
    let bytes = pubs.reduce(UInt64(0)) { $0.addingClamped($1.resultBytes) }
    guard bytes <= configuration.resultBytes else {
      throw .field(
        .resultTooLarge, "pubs", "the result would take up to \(bytes) bytes",
        limit: "\(configuration.resultBytes) bytes")
    }
    let memory = (pubs.map { memoryBytes($0, device) }.max() ?? 0).addingClamped(bytes)
    guard memory <= configuration.memoryBytes else {
      throw QubusError(
        .insufficientMemory,
        "the job would need \(memory) bytes of memory (limit: \(configuration.memoryBytes) bytes)",
        details: [
          "memory_bytes": String(memory), "limit_bytes": String(configuration.memoryBytes),
        ])
    }
    let seconds = pubs.reduce(0) { $0 + $1.estimatedSeconds }
    var notices = notices(spec, pubs)
    let lane = lane(spec.execution, seconds: seconds, memory: memory, notices: &notices)
    return PreparedJob(
      spec: spec, device: device, pubs: pubs, lane: lane, cores: cores(seconds, in: lane),
      memoryBytes: memory, estimatedSeconds: seconds,
      fingerprint: fingerprint(spec, pubs, device), notices: notices)
  }

  /// What running the pub takes beside its result; small rows may run on all threads, each with a
  /// plan of its own.
  func memoryBytes(_ pub: PreparedPub, _ device: any Device) -> UInt64 {
    let isSmall = pub.program.circuit.qubitCount <= device.ownRowQubits
    let plans = isSmall ? min(pub.rows, max(1, configuration.computeThreads)) : 1
    return pub.estimate.memoryBytes
      .addingClamped(pub.estimate.planBytes.multipliedClamped(by: UInt64(max(plans, 1))))
  }

  /// The device asked for by name or family; the first is the default.
  /// - Throws: `unknown_device`, listing the known ones.
  private func device(
    for execution: ExecutionSpec, among devices: [any Device]
  ) throws(QubusError) -> any Device {
    let found: (any Device)?
    if !execution.device.isEmpty {
      found = devices.first { $0.name == execution.device }
    } else if !execution.deviceFamily.isEmpty {
      found = devices.first { $0.name.hasPrefix(execution.deviceFamily + ".") }
    } else {
      found = devices.first
    }
    if let found { return found }
    guard !devices.isEmpty else {
      throw QubusError(.unknownDevice, "there is no device that is open to you")
    }
    let known = devices.map(\.name).joined(separator: ", ")
    let isNamed = !execution.device.isEmpty
    let name = isNamed ? execution.device : execution.deviceFamily
    throw .field(
      .unknownDevice, isNamed ? "execution.device" : "execution.device_family",
      "'\(name)' is not configured here", limit: "one of: \(known)")
  }

  private func prepare(
    _ pub: PubSpec, _ field: String, _ device: any Device, _ precision: Precision
  ) throws(QubusError) -> PreparedPub {
    let program: CompiledProgram
    do throws(QubusError) {
      program = try programs.program(pub.program)
    } catch {
      throw error.within(field + ".program")
    }
    let circuit = program.circuit
    let parameters = try parameters(of: pub, circuit, field)
    guard let shape = Broadcast.shape(parameters.map(\.shape)), let rows = Broadcast.count(shape)
    else {
      let shapes = parameters.map { "\($0.name): \($0.shape)" }.joined(separator: ", ")
      throw .field(
        .invalidParameterShape, field + ".parameters", "shapes do not broadcast (\(shapes))")
    }
    guard rows <= limits.rowsPerPub else {
      throw .field(
        .invalidParameterShape, field + ".parameters", "broadcast to \(rows) rows",
        limit: String(limits.rowsPerPub))
    }
    let outputs = pub.requestedOutputs
    if circuit.bitCount == 0, outputs.contains(.counts) || outputs.contains(.memory) {
      throw .field(
        .invalidOutputs, field + ".outputs",
        "the program declares no classical bits, so it has no counts and no memory")
    }
    let (observables, observablesShape, expectationShape) = try observables(
      of: pub, circuit, shape, field)
    let exact = ExactOutputs(
      probabilities: outputs.contains(.probabilities), stateVector: outputs.contains(.stateVector),
      observables: observables)
    let estimate: ResourceEstimate
    do throws(QubusError) {
      estimate = try device.estimate(
        program, precision: precision, outputs: exact, wantsShots: pub.shots != nil,
        memoryLimitBytes: configuration.memoryBytes)
    } catch {
      throw error.within(field)
    }
    let prepared = PreparedPub(
      program: program, parameters: parameters, shape: shape, rows: rows,
      observables: observables, observablesShape: observablesShape,
      expectationShape: expectationShape, shots: UInt64(pub.shots ?? 0), outputs: outputs,
      targetPrecision: pub.targetPrecision, estimate: estimate)
    try checkValues(prepared, pub, field)
    return prepared
  }

  /// The arrays in the program's order.
  private func parameters(
    of pub: PubSpec, _ circuit: Circuit, _ field: String
  ) throws(QubusError) -> [ParameterArray] {
    let declared = circuit.inputs.map(\.name).joined(separator: ", ")
    let names = Set(circuit.inputs.map(\.name))
    var given: [String: ParameterArray] = [:]
    for (index, parameter) in pub.parameters.enumerated() {
      let place = "\(field).parameters[\(index)]"
      guard names.contains(parameter.name) else {
        throw .field(
          .unknownParameter, place, "'\(parameter.name)' is no input of the program",
          limit: declared.isEmpty ? "the program declares no inputs" : "inputs: \(declared)")
      }
      guard given.updateValue(parameter, forKey: parameter.name) == nil else {
        throw .field(.invalidRequest, place, "'\(parameter.name)' is given twice")
      }
    }
    let missing = circuit.inputs.map(\.name).filter { given[$0] == nil }
    guard missing.isEmpty else {
      throw .field(
        .parameterCountMismatch, field + ".parameters",
        "no value for \(missing.joined(separator: ", "))", limit: "inputs: \(declared)")
    }
    return circuit.inputs.compactMap { given[$0.name] }
  }

  private func observables(
    of pub: PubSpec, _ circuit: Circuit, _ shape: [Int], _ field: String
  ) throws(QubusError) -> ([PauliSum], [Int], [Int]) {
    guard !pub.observables.isEmpty else { return ([], [], []) }
    var sums: [PauliSum] = []
    sums.reserveCapacity(pub.observables.count)
    for (index, observable) in pub.observables.enumerated() {
      sums.append(
        try PauliSum(
          observable.terms.map { ($0.pauli, $0.coefficient) }, qubitCount: circuit.qubitCount,
          field: "\(field).observables[\(index)]"))
    }
    let isScalar = pub.observablesShape.isEmpty && sums.count == 1
    let own = !pub.observablesShape.isEmpty ? pub.observablesShape : isScalar ? [] : [sums.count]
    guard let joint = Broadcast.shape([shape, own]), let count = Broadcast.count(joint) else {
      throw .field(
        .invalidObservable, field + ".observables",
        "shape \(own) does not broadcast against the parameters' \(shape)")
    }
    guard count <= limits.rowsPerPub else {
      throw .field(
        .invalidObservable, field + ".observables", "broadcast to \(count) values",
        limit: String(limits.rowsPerPub))
    }
    return (sums, own, joint)
  }

  /// Every value must fit its declared type, so that no row fails while it runs.
  private func checkValues(
    _ pub: PreparedPub, _ spec: PubSpec, _ field: String
  ) throws(QubusError) {
    for (input, parameter) in zip(pub.program.circuit.inputs, pub.parameters) {
      if case .float = input.type { continue }
      for (index, value) in parameter.values.enumerated() {
        do throws(QubusError) {
          _ = try Value.input(value, type: input.type, name: input.name)
        } catch {
          let place = spec.parameters.firstIndex { $0.name == parameter.name } ?? 0
          var error = error
          error.violations = []
          throw error.within("\(field).parameters[\(place)].values[\(index)]")
        }
      }
    }
  }

  private func fingerprint(
    _ spec: JobSpec, _ pubs: [PreparedPub], _ device: any Device
  ) -> [UInt8] {
    Fingerprint.compute(
      pubs: pubs.map { pub in
        Fingerprint.Pub(
          circuitHash: pub.program.circuitHash,
          parameters: pub.parameters.map { ($0.shape, $0.values) }, observables: pub.observables,
          observablesShape: pub.observablesShape, shots: pub.shots, outputs: pub.outputs,
          targetPrecision: pub.targetPrecision)
      }, execution: spec.execution, device: device.name, after: spec.after, afterOK: spec.afterOK)
  }
}

extension JobPreparation {
  private func cores(_ seconds: Double, in lane: Lane) -> CoreDemand {
    seconds >= configuration.allCoresSeconds && lane != .interactive ? .all : .one
  }

  /// The job in the lane that it was given.
  /// - Throws: `invalid_request` for a job that is too large for the lane.
  func placed(_ job: PreparedJob, in lane: Lane) throws(QubusError) -> PreparedJob {
    guard lane != job.lane else { return job }
    guard lane != .interactive || isSmall(job.estimatedSeconds, job.memoryBytes) else {
      throw .field(
        .invalidRequest, "lane",
        "the job is predicted to take \(job.estimatedSeconds) s and \(job.memoryBytes) bytes",
        limit:
          "\(configuration.interactiveSeconds) s and \(configuration.expressMemoryBytes) bytes "
          + "for the interactive lane")
    }
    return moved(job, to: lane)
  }

  /// A job of an earlier life of the service in the lane that it was in.
  func restored(_ job: PreparedJob, in word: String) -> PreparedJob {
    guard let lane = Lane(rawValue: word), Lane.owners.contains(lane), lane != job.lane else {
      return job
    }
    return moved(job, to: lane)
  }

  private func moved(_ job: PreparedJob, to lane: Lane) -> PreparedJob {
    var job = job
    job.lane = lane
    job.cores = cores(job.estimatedSeconds, in: lane)
    return job
  }

  private func isSmall(_ seconds: Double, _ memory: UInt64) -> Bool {
    seconds <= configuration.interactiveSeconds && memory <= configuration.expressMemoryBytes
  }

  /// Small jobs are interactive unless asked otherwise; a large one never is, since it would keep
  /// the small ones waiting.
  private func lane(
    _ execution: ExecutionSpec, seconds: Double, memory: UInt64, notices: inout [String]
  ) -> Lane {
    let isSmall = isSmall(seconds, memory)
    switch execution.priorityClass {
    case .batch: return .batch
    case .automatic: return isSmall ? .interactive : .batch
    case .interactive:
      if !isSmall {
        notices.append(
          "the job is too large for the interactive lane (predicted \(seconds) s and \(memory) "
            + "bytes; limits \(configuration.interactiveSeconds) s and "
            + "\(configuration.expressMemoryBytes) bytes): it runs in the batch lane")
      }
      return isSmall ? .interactive : .batch
    }
  }

  private func notices(_ spec: JobSpec, _ pubs: [PreparedPub]) -> [String] {
    var notices: [String] = []
    for (index, pub) in pubs.enumerated() {
      for notice in pub.program.circuit.notices {
        let place = notice.location.map { " (line \($0.line), column \($0.column))" } ?? ""
        notices.append("pubs[\(index)]: \(notice.message)\(place)")
      }
      if pub.targetPrecision != nil {
        notices.append("pubs[\(index)]: expectation values are exact, target_precision is met")
      }
    }
    return notices
  }
}

extension PreparedPub {
  /// What the pub's result can take; clamped.
  var resultBytes: UInt64 {
    let circuit = program.circuit
    let rows = UInt64(self.rows)
    var perRow: UInt64 = 0
    if outputs.contains(.counts) {
      // Every shot could differ, but a histogram above 2^22 outcomes is rare enough not to refuse
      // the many that stay small.
      let outcomes = min(shots, 1 << UInt64(min(22, circuit.bitCount)))
      let words = UInt64(max(1, (circuit.bitCount + 63) / 64))
      perRow = perRow.addingClamped(outcomes.multipliedClamped(by: 8 * (words + 1)))
    }
    if outputs.contains(.memory) {
      perRow = perRow.addingClamped(shots.multipliedClamped(by: UInt64((circuit.bitCount + 7) / 8)))
    }
    if outputs.contains(.probabilities) {
      let bits = circuit.bitCount == 0 ? circuit.qubitCount : circuit.bitCount
      perRow = perRow.addingClamped(bits < 60 ? 8 << UInt64(bits) : .max)
    }
    if outputs.contains(.stateVector) {
      perRow = perRow.addingClamped(
        circuit.qubitCount < 59 ? 16 << UInt64(circuit.qubitCount) : .max)
    }
    let values = UInt64(observables.isEmpty ? 0 : Broadcast.count(expectationShape) ?? 0)
    return rows.multipliedClamped(by: perRow).addingClamped(8 * values)
  }
}

extension UInt64 {
  func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func multipliedClamped(by other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}

extension QubusError {
  /// The same error, with the request's field that led to it unless it names one.
  func within(_ field: String) -> QubusError {
    guard violations.isEmpty else { return self }
    var error = self
    error.violations = [FieldViolation(field: field, explanation: message)]
    return error
  }
}
