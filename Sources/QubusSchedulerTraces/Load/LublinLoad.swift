internal import Foundation
package import QubusCore

/// A synthetic load of rigid parallel jobs: sizes and run times of the Lublin–Feitelson model, its
/// gamma-distributed gaps between arrivals without the daily cycle, scaled to a load.
/// - Source: Lublin & Feitelson 2003, "The workload on parallel supercomputers: modeling the
///   characteristics of rigid jobs", batch parameters of table 4.
package struct LublinLoad: Sendable, Hashable {
  package var jobs = 10_000
  package var users = 1
  package var processors = 256
  /// Processor time of the jobs per processor time of the machine; the model's own when nil.
  package var load: Double?
  package var seed: UInt64 = 1

  package init() {}

  /// - Throws: `invalid_request` for a number outside its range.
  package func trace() throws(QubusError) -> Trace {
    let ranges: [(String, Double, ClosedRange<Double>)] = [
      ("jobs", Double(jobs), 2...10_000_000), ("users", Double(users), 1...100_000),
      ("processors", Double(processors), 8...1_000_000), ("load", load ?? 1, 0.01...10),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw .field(
        .invalidRequest, name, "is \(value)",
        limit: "\(range.lowerBound) to \(range.upperBound)")
    }
    var random = LoadRandom(seed: seed)
    var seconds = 0.0
    var drawn: [(at: Double, run: Double, size: Int, user: Int)] = []
    for _ in 0..<jobs {
      let size = Self.size(&random, processors: processors)
      let run = Self.runTime(&random, size: size)
      drawn.append((seconds, run, size, Int.random(in: 0..<users, using: &random)))
      seconds += exp(Self.gamma(&random, shape: 10.2303, scale: 0.4871, below: 13))
    }
    var scale = 1.0
    if let load, let last = drawn.last?.at, last > 0 {
      let work = drawn.reduce(0) { $0 + $1.run * Double($1.size) }
      scale = work / (load * Double(processors) * last)
    }
    let loaded = drawn.enumerated().map { index, job in
      TraceJob(
        number: index + 1, submitted: Microseconds(job.at * scale * 1e6),
        runTime: Microseconds(job.run * 1e6), processors: job.size, user: job.user)
    }
    return try Trace(name: "lublin-model", processors: processors, jobs: loaded)
  }

  /// Serial with probability 0.244, else a two-stage uniform logarithm, often a power of two.
  private static func size(_ random: inout LoadRandom, processors: Int) -> Int {
    if random.uniform() < 0.244 { return 1 }
    let high = log2(Double(processors))
    let middle = high - 2.5
    let range = random.uniform() < 0.86 ? (min(0.8, middle), middle) : (middle, high)
    var exponent = range.0 + random.uniform() * (range.1 - range.0)
    if random.uniform() < 0.576 { exponent = exponent.rounded() }
    return min(processors, max(1, Int(exp2(exponent).rounded())))
  }

  /// Hyper-gamma in the logarithm: larger jobs are more often of the long kind. Seconds.
  private static func runTime(_ random: inout LoadRandom, size: Int) -> Double {
    let isShort = random.uniform() < 0.78 - 0.0054 * Double(size)
    let logarithm =
      isShort
      ? gamma(&random, shape: 4.2, scale: 0.94, below: 12)
      : gamma(&random, shape: 312, scale: 0.03, below: 12)
    return max(1, exp(logarithm).rounded())
  }

  private static func gamma(
    _ random: inout LoadRandom, shape: Double, scale: Double, below limit: Double
  ) -> Double {
    while true {
      let value = random.gamma(shape: shape, scale: scale)
      if value < limit { return value }
    }
  }
}
