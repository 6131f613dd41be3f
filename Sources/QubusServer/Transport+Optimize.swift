internal import QubusCore
internal import QubusEngine
internal import QubusWire

extension Transport {
  func optimize(_ call: Call, _ request: OptimizeRequest) throws(QubusError) {
    let watch = OptimizeWatch(
      key: call.key, outbox: outbox, sessions: sessions, mayReport: call.credit.maySend)
    call.observation = watch
    call.state = .optimizing(OptimizeStream(watch: watch))
    switch request {
    case .start(let start):
      sessions.optimize(
        Self.spec(start), holder: UInt64(call.key.connection), context: call.context,
        watcher: watch)
    case .watch(let session, let optimization, let after):
      sessions.watchOptimization(
        optimization, session: session, after: after, context: call.context, watcher: watch)
    }
  }

  private static func spec(_ start: OptimizeStart) -> OptimizeSpec {
    var spec = OptimizeSpec(
      session: start.session, method: start.method, initial: start.initial)
    spec.lower = start.lower
    spec.upper = start.upper
    spec.options = start.options
    spec.observable = start.observable
    spec.maxIterations = start.maxIterations
    spec.maxEvaluations = start.maxEvaluations
    spec.maxShots = start.maxShots
    spec.maxSeconds = start.maxSeconds
    spec.maxDeviceSeconds = start.maxDeviceSeconds
    spec.maxCost = start.maxCost
    spec.shots = start.shots
    spec.targetError = start.targetError
    spec.seed = start.seed
    return spec
  }

  func optimization(_ call: Call, _ news: OptimizationNews) {
    guard case .optimizing(let stream) = call.state else { return }
    switch news {
    case .started(let id):
      // Tells the id before the first iteration, by a report of none.
      stream.append(OptimizationProgress(id: id, firstIteration: 1))
    case .progressed(let progress): stream.append(progress)
    case .ended(let result):
      stream.ending = result
      // It has ended: there is nothing left to stop watching.
      call.observation = nil
    }
    pumpOptimization(call, stream)
  }

  /// Sends reports within the credit, the FINAL behind the last of them.
  func pumpOptimization(_ call: Call, _ stream: OptimizeStream) {
    while call.credit.maySend, mayStream(call), let (report, rows) = stream.take() {
      let count = report.values.count
      let columns = count == 0 ? 0 : report.parameters.count / count
      sendPartial(
        call, body: Responses.progress(report, rows: rows),
        attachments: [
          Attachment(report.values[rows], shape: [rows.count]),
          Attachment(report.gradientNorms[rows], shape: [rows.count]),
          Attachment(
            report.parameters[rows.lowerBound * columns..<rows.upperBound * columns],
            shape: [rows.count, columns]),
        ])
      // The client may be gone, and the call with it.
      guard self.call(call.key) != nil else { return }
    }
    guard stream.isDrained else { return }
    switch stream.ending {
    case nil: stream.watch.setMayReport(call.credit.maySend)
    case .failure(let error)?: finish(call, Answer(error))
    case .success(let report)?:
      var answer = Answer { Responses.optimized(report) }
      answer.attachments = [
        Attachment(report.best, shape: [report.best.count]),
        Attachment(report.last, shape: [report.last.count]),
      ]
      finish(call, answer)
    }
  }
}
