import QubusCircuit
import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct LifecycleTests {
  @Test("a short job goes through every state in one transaction and leaves its counts")
  func shortJob() async throws {
    // However slow the machine is, the job counts as short.
    let harness = try EngineHarness { $0.announceSeconds = 3600 }
    let report = try await harness.submit(EngineHarness.spec { $0.execution.seed = 7 })
    #expect(report.isDuplicate == false)
    #expect(report.job.record.status == .queued)
    let id = report.job.record.id
    let record = try await harness.finished(id)
    #expect(record.status == .succeeded)
    #expect(record.shotsDone == 1000)
    #expect(
      try harness.statuses(id) == [
        .accepted, .queued, .reserved, .running, .processingResults, .succeeded,
      ])
    #expect(harness.store.state.withLock { $0.updates.count } == 1)
    #expect(try harness.words(id, "counts.values") == [1000])
    #expect(try harness.words(id, "counts.offsets") == [0, 1])
    await harness.stop()
  }

  @Test("a long job is seen running, tells of progress, and its partial counts add up")
  func longJob() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, clock: clock)
    let id = try await harness.submitted()
    try await harness.reached(id) { $0 == .running }
    for chunk in 1...9 {
      clock.advance(microseconds: chunk.isMultiple(of: 3) ? 60_000 : 1000)
      device.permit(1)
      await device.started(chunk + 1)
    }
    device.permit(nil)
    let record = try await harness.finished(id)
    #expect(record.status == .succeeded)
    let partials = try harness.events(id).compactMap(\.body.counts)
    // One report for each 50 ms, whatever the number of chunks.
    #expect(partials.map(\.shotsDone) == [300, 600, 900])
    for partial in partials {
      #expect(partial.entries.reduce(0) { $0 + $1.count } == partial.shotsDone)
    }
    let progress = try harness.events(id).compactMap(\.body.progress)
    #expect(progress.last?.shotsDone == 1000)
    #expect(progress.last?.shotsTotal == 1000)
    #expect(try harness.words(id, "counts.values") == [1000])
    await harness.stop()
  }

  @Test("a device's failure ends the job with that error")
  func failure() async throws {
    let harness = try EngineHarness()
    harness.device.state.signal { $0.failure = QubusError(.divisionByZero, "in line 3") }
    let id = try await harness.submitted()
    let record = try await harness.finished(id)
    #expect(record.status == .failed)
    #expect(record.error?.code == .divisionByZero)
    #expect(try harness.events(id).last?.body.error?.code == .divisionByZero)
    let error = #expect(throws: QubusError.self) {
      try harness.engine.result(id, context: harness.context)
    }
    #expect(error?.code == .divisionByZero)
    await harness.stop()
  }

  @Test("small jobs run side by side, and an interactive one beside a job that has all cores")
  func sideBySide() async throws {
    let device = FakeDevice(permits: 0, seconds: 0.001)
    let harness = try EngineHarness(device: device)
    let batch = EngineHarness.spec { $0.execution.priorityClass = .batch }
    let a = try await harness.submitted(batch)
    let b = try await harness.submitted(batch)
    let c = try await harness.submitted()
    await device.started(3)
    #expect(device.state.withLock { $0.mostActive } == 3)
    #expect(harness.engine.load().jobsRunning == 3)
    device.permit(nil)
    for id in [a, b, c] { #expect(try await harness.finished(id).status == .succeeded) }
    await harness.stop()
  }

  @Test("rows are broadcast and every value lands in its place")
  func broadcast() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec("2 2 a:float b:float") { spec in
      spec.pubs[0].parameters = [
        ParameterArray(name: "b", shape: [2], values: [5, 6]),
        ParameterArray(name: "a", shape: [3, 1], values: [1, 2, 3]),
      ]
      spec.pubs[0].observables = [1.0, 2.0].map {
        ObservableSpec(terms: [.init(pauli: "ZZ", coefficient: $0)])
      }
      spec.pubs[0].outputs = [.counts, .memory, .expectationValues]
    }
    let id = try await harness.submitted(spec)
    #expect(try await harness.finished(id).status == .succeeded)
    let opened = harness.device.state.withLock { $0.opened }
    #expect(opened.count == 6)
    #expect(opened[3] == [.float(2), .float(6)])
    let (_, manifest, _) = try harness.engine.result(id, context: harness.context)
    let item = try #require(manifest.items.first { $0.name == "expectation_values" })
    #expect(item.shape == [3, 2])
    let values = try harness.words(id, "expectation_values").map(Double.init(bitPattern:))
    #expect(values == [101, 201, 102, 202, 103, 203])
    #expect(manifest.items.first { $0.name == "memory" }?.shape == [6, 1000, 1])
    #expect(manifest.pubs[0].shape == [3, 2])
    #expect(try harness.words(id, "counts.offsets") == [0, 1, 2, 3, 4, 5, 6])
    await harness.stop()
  }

  @Test("provenance of a finished job misses nothing")
  func provenance() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec("2 2 a:float") { spec in
      spec.pubs[0].parameters = [ParameterArray(name: "a", shape: [], values: [0.5])]
    }
    let id = try await harness.submitted(spec)
    let record = try await harness.finished(id)
    let replay = try await harness.replay(id).job.record.id
    try await harness.finished(replay)
    let (_, manifest, provenance) = try harness.engine.result(replay, context: harness.context)
    #expect(provenance.executionHash == manifest.executionHash)
    #expect(provenance.seed == record.seed)
    let mayBeEmpty: Set = ["mitigation", "fallbackUsed"]
    for child in Mirror(reflecting: provenance).children {
      let name = child.label ?? ""
      guard !mayBeEmpty.contains(name) else { continue }
      #expect(isFilled(child.value), "provenance.\(name)")
    }
    let phases = provenance.phases
    for child in Mirror(reflecting: phases).children {
      #expect(isFilled(child.value), "phases.\(child.label ?? "")")
    }
    await harness.stop()
  }

  private func isFilled(_ value: Any) -> Bool {
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
      return mirror.children.first.map { isFilledOptional($0.value) } ?? false
    }
    switch value {
    case let text as String: return !text.isEmpty
    case let number as UInt32: return number > 0
    case let number as UInt64: return number > 0
    default:
      return mirror.displayStyle == .collection || mirror.displayStyle == .dictionary
        ? !mirror.children.isEmpty : true
    }
  }

  /// A measured zero is a value; only text can be empty in an optional.
  private func isFilledOptional(_ value: Any) -> Bool {
    (value as? String).map { !$0.isEmpty } ?? true
  }

  @Test("observers see every commit and can pull each event once, also from memory")
  func observe() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(device: device)
    let id = try await harness.submitted()
    let pulled = Monitor<[UInt64]>([])
    let engine = harness.engine
    let observation = try engine.observe(id, context: harness.context) { _, _ in
      pulled.signal { sequences in
        let events =
          engine.recentEvents(
            id, after: sequences.last ?? 0, limit: 2, context: harness.context) ?? []
        sequences += events.map(\.sequence)
      }
    }
    device.permit(nil)
    try await harness.finished(id)
    let last = try #require(try harness.events(id).last?.sequence)
    var seen = pulled.withLock { $0 }
    seen += try engine.events(
      id, after: seen.last ?? 0, limit: 100, context: harness.context
    ).map(\.sequence)
    #expect(seen == Array(1...last))
    observation.end()
    await harness.stop()
  }

  @Test("principals of other projects see nothing of a job")
  func isolation() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted()
    try await harness.finished(id)
    let context = SessionHarness.context(
      Principal(tenant: "default", project: "other", name: EngineHarness.alice.name))
    let engine = harness.engine
    let calls: [() throws -> Void] = [
      { _ = try engine.job(id, context: context) },
      { _ = try engine.result(id, context: context) },
      { _ = try engine.resultChunk(id, item: 0, chunk: 0, context: context) },
      { _ = try engine.events(id, after: 0, limit: 1, context: context) },
      { _ = try engine.observe(id, context: context) { _, _ in } },
      { _ = try engine.compareReplay(id, replay: id, context: context) },
    ]
    for call in calls {
      let error = #expect(throws: QubusError.self) { try call() }
      #expect(error == .jobNotFound(id))
    }
    #expect(engine.recentEvents(id, after: 0, limit: 1, context: context) == nil)
    #expect(engine.recentResult(id, context: context) == nil)
    let error = await #expect(throws: QubusError.self) {
      try await harness.cancel(id, as: context)
    }
    #expect(error?.code == .jobNotFound)
    #expect(try engine.jobs(JobFilter(), context: context).isEmpty)
    await harness.stop()
  }

  @Test("annotations are merged, told as events, and limited")
  func annotate() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted()
    try await harness.finished(id)
    _ = try await harness.annotate(id, ["a": "1"])
    let view = try await harness.annotate(id, ["b": "2"])
    #expect(view.record.annotations == ["a": "1", "b": "2"])
    #expect(try harness.events(id).filter { $0.kind == .annotationAdded }.count == 2)
    for bad in [[:], ["": "x"], ["k": String(repeating: "x", count: 5000)]] {
      await #expect(throws: QubusError.self) { try await harness.annotate(id, bad) }
    }
    await harness.stop()
  }
}
