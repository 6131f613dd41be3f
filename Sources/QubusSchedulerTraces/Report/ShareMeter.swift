/// How far what users got is from the ideal of `FluidShares`.
struct ShareMeter {
  /// Largest service that a user ever lay behind its ideal, in seconds of the whole machine.
  var worstDeviationSeconds = 0.0
  /// Mean over a hundred windows of Jain's index of what users got per what they should have got.
  /// 1 is equal; 1 too when no two users ever had work in the same window.
  var jainIndex = 1.0

  private static let windows = 100

  init(_ trace: Trace, _ result: ReplayResult) {
    let ideal = FluidShares.curves(of: trace)
    let real = Self.curves(of: result, trace)
    for user in 0..<trace.userCount {
      worstDeviationSeconds = max(
        worstDeviationSeconds, Self.worstLag(ideal[user], real[user]) / Double(trace.processors))
    }
    let end = Double(trace.jobs.last?.submitted ?? 0) / 1e6
    if end > 0 { jainIndex = Self.jainIndex(ideal, real, until: end) }
  }

  private static func curves(of result: ReplayResult, _ trace: Trace) -> [ServiceCurve] {
    var changes: [(time: Double, user: Int, processors: Double)] = []
    changes.reserveCapacity(2 * result.spans.count)
    for span in result.spans {
      let job = trace.jobs[span.job]
      let size = Double(job.processors)
      changes.append((Double(span.start + span.switching) / 1e6, job.user, size))
      changes.append((Double(span.end) / 1e6, job.user, -size))
    }
    changes.sort { $0.time < $1.time }
    var curves = Array(repeating: ServiceCurve(), count: trace.userCount)
    for change in changes { curves[change.user].change(by: change.processors, at: change.time) }
    return curves
  }

  /// In processor seconds. Both curves are straight between corners, so that corners are enough.
  private static func worstLag(_ ideal: ServiceCurve, _ real: ServiceCurve) -> Double {
    var worst = 0.0
    var idealReader = ServiceCurve.Reader(ideal)
    var realReader = ServiceCurve.Reader(real)
    for time in (ideal.times + real.times).sorted() {
      worst = max(worst, idealReader.served(at: time) - realReader.served(at: time))
    }
    return worst
  }

  private static func jainIndex(
    _ ideal: [ServiceCurve], _ real: [ServiceCurve], until end: Double
  ) -> Double {
    var idealReaders = ideal.map(ServiceCurve.Reader.init)
    var realReaders = real.map(ServiceCurve.Reader.init)
    var before = Array(repeating: (ideal: 0.0, real: 0.0), count: ideal.count)
    var sum = 0.0
    var count = 0
    for window in 1...windows {
      let time = end * Double(window) / Double(windows)
      var ratios: [Double] = []
      for user in ideal.indices {
        let should = idealReaders[user].served(at: time)
        let got = realReaders[user].served(at: time)
        if should - before[user].ideal > 1e-6 {
          ratios.append((got - before[user].real) / (should - before[user].ideal))
        }
        before[user] = (should, got)
      }
      let squares = ratios.reduce(0) { $0 + $1 * $1 }
      guard ratios.count > 1, squares > 0 else { continue }
      let total = ratios.reduce(0, +)
      sum += total * total / (Double(ratios.count) * squares)
      count += 1
    }
    return count > 0 ? sum / Double(count) : 1
  }
}
