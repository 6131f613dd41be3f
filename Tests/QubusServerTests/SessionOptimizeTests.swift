import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusServer
import QubusWire
import Testing

@Suite("Server: optimizations")
struct SessionOptimizeTests {
  private func report(
    _ first: UInt64, _ count: Int, parameters: Int = 2
  ) -> OptimizationProgress {
    var progress = OptimizationProgress(
      id: FakeSessionService.optimization, firstIteration: first)
    progress.values = (0..<count).map { Double(first) + Double($0) }
    progress.gradientNorms = (0..<count).map { _ in .nan }
    progress.parameters = (0..<count * parameters).map { Double($0) }
    progress.evaluations = first
    return progress
  }

  private func final() -> OptimizationReport {
    var report = OptimizationReport(id: FakeSessionService.optimization, ending: "converged")
    report.best = [1, 2]
    report.bestValue = -1.5
    report.last = [3, 4]
    report.lastValue = -1.25
    report.iterations = 9
    return report
  }

  private struct Progress: Equatable {
    var first: UInt64
    var count: UInt64
  }

  private func progress(_ message: TestClient.Message) throws -> Progress {
    try decoded(message.body, qubus_descriptor_optimize_progress()) {
      (m: Qubus__V1__OptimizeProgress) in
      #expect(
        String(cString: m.optimization_id) == FakeSessionService.optimization.description)
      return Progress(first: m.first_iteration, count: m.count)
    }
  }

  @Test("the id comes at once, then iterations, then the FINAL with the best and the last")
  func stream() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let call = client.call(
      "Optimize", Bodies.optimize(id, bounds: true),
      numbers: [([2], [0.1, 0.2]), ([2], [-.infinity, 0]), ([2], [1, 2])])
    let started = try #require(client.receive())
    #expect(started.envelope.kind == .partial && started.envelope.streamSequence == 1)
    #expect(try progress(started) == Progress(first: 1, count: 0))
    let spec = try #require(fixture.sessions.state.withLock { $0.spec })
    #expect(spec.initial == [0.1, 0.2] && spec.lower == [-.infinity, 0] && spec.upper == [1, 2])
    let watcher = try #require(fixture.sessions.watcher)
    watcher.progressed(report(1, 3))
    let partial = try #require(client.receive())
    #expect(try progress(partial) == Progress(first: 1, count: 3))
    #expect(partial.envelope.attachments.map(\.shape) == [[3], [3], [3, 2]])
    #expect(partial.numbers(0) == [1, 2, 3])
    #expect(partial.numbers(1).filter(\.isNaN).count == 3)
    #expect(partial.numbers(2) == [0, 1, 2, 3, 4, 5])
    watcher.ended(.success(final()))
    let end = try #require(client.receive())
    #expect(end.isOK && end.envelope.callID == call)
    #expect(end.numbers(0) == [1, 2] && end.numbers(1) == [3, 4])
    try decoded(end.body, qubus_descriptor_optimize_response()) {
      (m: Qubus__V1__OptimizeResponse) in
      #expect(m.best_value == -1.5 && m.last_value == -1.25 && m.iterations == 9)
      #expect(String(cString: m.ending) == "converged")
    }
    #expect(fixture.sessions.state.withLock { $0.watchesEnded } == 0)
  }

  @Test("without credit nothing is sent, the engine is told to gather, and the FINAL waits")
  func credit() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let call = client.call(
      "Optimize", Bodies.optimize(id), numbers: [([1], [1])], credit: 0)
    #expect(client.isServed)
    let watcher = try #require(fixture.sessions.watcher)
    #expect(!watcher.mayReport)
    client.send(.credit, call, credit: 1)
    #expect(try progress(#require(client.receive())).count == 0)
    // That PARTIAL took more than it was granted: still no window, once the server is done with it.
    #expect(client.isServed)
    #expect(!watcher.mayReport)
    watcher.progressed(report(1, 50))
    watcher.ended(.success(final()))
    #expect(client.isServed)
    client.send(.credit, call, credit: 1 << 20)
    #expect(try progress(#require(client.receive())) == Progress(first: 1, count: 50))
    #expect(client.receive()?.isOK == true)
  }

  @Test("with a window, reports may come one at a time")
  func window() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.call("Optimize", Bodies.optimize(id), numbers: [([1], [1])], credit: 1 << 30)
    _ = client.receive()
    let watcher = try #require(fixture.sessions.watcher)
    for round in UInt64(1)...50 {
      #expect(client.isServed)
      #expect(watcher.mayReport)
      watcher.progressed(report(round, 1))
      #expect(try progress(#require(client.receive())).first == round)
    }
  }

  @Test("a large report is cut into PARTIALs of at most a mebibyte, without a gap")
  func large() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.call(
      "Optimize", Bodies.optimize(id), numbers: [([1], [1])], credit: 1 << 30)
    _ = client.receive()
    let watcher = try #require(fixture.sessions.watcher)
    watcher.progressed(report(1, 1000, parameters: 998))
    var next: UInt64 = 1
    while next <= 1000 {
      let partial = try #require(client.receive())
      let part = try progress(partial)
      #expect(part.first == next && part.count > 0)
      #expect(partial.frames.dropFirst().reduce(0) { $0 + $1.count } <= 1 << 20)
      #expect(partial.numbers(0).first == Double(next))
      #expect(partial.numbers(2).first == Double((next - 1) * 998))
      next += part.count
    }
    #expect(next == 1001)
  }

  @Test("CANCEL ends the watching only; CancelOptimize stops; another call watches again")
  func endings() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    let call = client.call("Optimize", Bodies.optimize(id), numbers: [([1], [1])])
    _ = client.receive()
    client.send(.cancel, call)
    #expect(client.receive()?.code == .callCanceled)
    #expect(fixture.sessions.state.withLock { $0.watchesEnded } == 1)
    let optimization = FakeSessionService.optimization
    client.call("Optimize", Bodies.optimize(id, watch: optimization, after: 17))
    #expect(client.receive()?.envelope.kind == .partial)
    #expect(fixture.sessions.state.withLock { $0.watched } == 17)
    let canceled = try #require(
      client.ask("CancelOptimize", Bodies.cancelOptimize(id, optimization)))
    try decoded(canceled.body, qubus_descriptor_cancel_optimize_response()) {
      (m: Qubus__V1__CancelOptimizeResponse) in #expect(m.was_running == 1)
    }
    fixture.sessions.watcher?.ended(.failure(QubusError(.optimizerDiverged, "NaN")))
    #expect(client.receive()?.code == .optimizerDiverged)
    client.call("Optimize", Bodies.optimize(id, watch: Identifier(high: 1, low: 1)))
    #expect(client.receive()?.code == .optimizationNotFound)
  }

  @Test("bad requests are refused before the engine sees them")
  func refusals() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.call("Optimize", Bodies.optimize(id))
    #expect(client.receive()?.code == .invalidAttachment)
    client.call("Optimize", Bodies.optimize(id, bounds: true), numbers: [([1], [1])])
    #expect(client.receive()?.code == .invalidAttachment)
    client.call("Optimize", Bodies.optimize(id, method: ""), numbers: [([1], [1])])
    #expect(client.receive()?.code == .missingField)
    client.call("Optimize", Bodies.optimize(id), numbers: [([1, 1], [1])])
    #expect(client.receive()?.code == .invalidAttachment)
    #expect(fixture.sessions.state.withLock { $0.spec } == nil)
    client.call("Optimize", Bodies.optimize(id, method: "refuse"), numbers: [([1], [1])])
    #expect(client.receive()?.code == .invalidOptimizer)
    #expect(
      client.ask("CancelOptimize", Bodies.cancelOptimize(id, Identifier(high: 1, low: 1)))?.code
        == .optimizationNotFound)
  }

  @Test("a server that stops ends the watching")
  func stopping() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    client.call("Optimize", Bodies.optimize(id), numbers: [([1], [1])])
    _ = client.receive()
    fixture.server.announceStop()
    #expect(client.receive()?.envelope.kind == .goAway)
    #expect(client.receive()?.code == .serverShuttingDown)
    #expect(fixture.sessions.state.withLock { $0.watchesEnded } == 1)
  }
}
