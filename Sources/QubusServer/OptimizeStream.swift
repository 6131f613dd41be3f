internal import QubusCore
internal import QubusEngine

/// What an optimization tells the transport.
enum OptimizationNews: Sendable {
  case started(Identifier)
  case progressed(OptimizationProgress)
  case ended(Result<OptimizationReport, QubusError>)
}

/// Watches an optimization for one Optimize call.
final class OptimizeWatch: OptimizationWatcher, Observation {
  private let key: CallKey
  private let outbox: Outbox
  private let sessions: any SessionService
  private let window: Lock<Bool>

  init(key: CallKey, outbox: Outbox, sessions: any SessionService, mayReport: Bool) {
    self.key = key
    self.outbox = outbox
    self.sessions = sessions
    window = Lock(mayReport)
  }

  /// True while the client has credit and nothing waits to be sent to it.
  var mayReport: Bool { window.withLock { $0 } }

  func setMayReport(_ mayReport: Bool) { window.withLock { $0 = mayReport } }

  func started(_ id: Identifier) { outbox.push(.optimization(key, .started(id))) }

  func progressed(_ progress: OptimizationProgress) {
    // One report at a time on its way: the transport opens the window again when it was sent.
    setMayReport(false)
    outbox.push(.optimization(key, .progressed(progress)))
  }

  func ended(_ result: Result<OptimizationReport, QubusError>) {
    outbox.push(.optimization(key, .ended(result)))
  }

  func end() { sessions.endWatch(self) }
}

/// The state of one Optimize call; of the transport thread.
final class OptimizeStream {
  let watch: OptimizeWatch
  /// Not sent yet, in order; the engine tells more only while there is nothing.
  private var reports: [OptimizationProgress] = []
  /// Iterations of the first report that were sent.
  private var sentRows = 0
  var ending: Result<OptimizationReport, QubusError>?

  /// Bytes of the arrays of one PARTIAL.
  private static let partialBytes = 1 << 20

  init(watch: OptimizeWatch) { self.watch = watch }

  var isDrained: Bool { reports.isEmpty }

  func append(_ report: OptimizationProgress) { reports.append(report) }

  /// The next iterations to be sent: at least one, and no more than fit in a PARTIAL.
  func take() -> (OptimizationProgress, Range<Int>)? {
    guard let report = reports.first else { return nil }
    let count = report.values.count
    let columns = count == 0 ? 0 : report.parameters.count / count
    let room = max(1, Self.partialBytes / (8 * (columns + 2)))
    let rows = sentRows..<min(count, sentRows + room)
    sentRows = rows.upperBound
    if sentRows == count {
      reports.removeFirst()
      sentRows = 0
    }
    return (report, rows)
  }
}
