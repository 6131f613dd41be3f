internal import QubusCore

/// The longest that a job can wait, as a formula: docs/scheduling.md derives it.
///
/// A flow of weight w among siblings of weights W in all, below a flow that is sure of the rate R
/// of the device with a delay of at most D device-seconds, is itself sure of the rate r = R·w/W
/// with a delay of d = D·w/W + (n + 1)·L, n siblings and L the longest run in device-seconds. Its
/// next job starts once q device-seconds of its own, queued before, and d are through: within (q +
/// d)/r.
/// - Source: Goyal, Vin & Cheng 1996, theorems 2 to 5.
package struct WaitBound: Sendable, Hashable {
  /// Part of the device that the flow is sure of, 0 to 1.
  package private(set) var rate: Double
  /// Device-seconds.
  package private(set) var delay: Double
  /// Longest run without a border, device-seconds.
  package let longestRun: Double

  /// A whole device that runs nothing for longer than `longestRun` without a border.
  /// - Parameter busy: the part that is surely taken while a job waits whose turn it is: 1 for a
  ///   device that runs one job at a time, (N − c + 1) / N when jobs take up to c of N cores.
  package init(longestRun: Double, busy: Double = 1) {
    rate = busy
    delay = longestRun
    self.longestRun = longestRun
  }

  /// Of one flow among siblings that may wait at the same time.
  package func flow(weight: Double, siblings: [Double]) -> WaitBound {
    var bound = self
    let part = weight / (weight + siblings.reduce(0, +))
    bound.rate = rate * part
    bound.delay = delay * part + Double(siblings.count + 1) * longestRun
    return bound
  }

  /// Of a lane by the policy's shares.
  package func lane(_ lane: Lane, _ policy: FairPolicy) -> WaitBound {
    flow(
      weight: policy.laneShares[lane] ?? 1,
      siblings: Lane.allCases.filter { $0 != lane }.map { policy.laneShares[$0] ?? 1 })
  }

  /// - Parameter ahead: device-seconds of the same flow that are served before.
  package func seconds(ahead: Double) -> Double { (ahead + delay) / rate }

  /// Of any job of a lane, whoever else submits what: after `overdueAfter` it is in the overdue
  /// lane, where only those that were due earlier are before it.
  /// - Parameter ahead: device-seconds of those.
  package static func seconds(
    in lane: Lane, policy: FairPolicy, longestRun: Double, busy: Double = 1, ahead: Double
  ) -> Double {
    let wait = Double(policy.overdueAfter[lane] ?? 0) * 1e-6
    let bound = WaitBound(longestRun: longestRun, busy: busy).lane(.overdue, policy)
    return wait + bound.seconds(ahead: ahead)
  }
}
