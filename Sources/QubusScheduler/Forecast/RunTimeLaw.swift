internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How a run time that is not known yet is spread: log-normal, by its median and its p90.
struct RunTimeLaw: Sendable {
  /// Of the natural logarithm of microseconds.
  private let mean: Double
  private let deviation: Double

  /// The standard normal's p90.
  private static let normalP90 = 1.281_551_565_5
  /// Median where nothing is known, in microseconds.
  private static let unknownMedian = 1e6
  private static let unknownRatio = 10.0

  /// - Parameters:
  ///   - median: microseconds; 0 when nothing is known.
  ///   - long: its p90.
  init(median: Microseconds, long: Microseconds) {
    guard median > 0 else {
      mean = log(Self.unknownMedian)
      deviation = log(Self.unknownRatio) / Self.normalP90
      return
    }
    mean = log(Double(median))
    let ratio = Double(max(long, median)) / Double(median)
    deviation = max(0.01, log(ratio) / Self.normalP90)
  }

  /// A run time, at least 1 µs.
  /// - Parameters:
  ///   - elapsed: it is longer than this for sure.
  ///   - uniform: in (0, 1): the part of such runs that is shorter.
  func time(longerThan elapsed: Microseconds, _ uniform: Double) -> Microseconds {
    var past = 0.0
    if elapsed > 0 {
      past = 0.5 * erfc(-(log(Double(elapsed)) - mean) / deviation / 2.0.squareRoot())
      // Longer than the law can tell: one that ran past everything known runs as long again.
      if past > 0.999_999 { return Self.clamped(Double(elapsed) * (1 - log(1 - uniform))) }
    }
    let part = min(max(past + uniform * (1 - past), 1e-12), 1 - 1e-12)
    return max(elapsed + 1, Self.clamped(exp(mean + deviation * Self.normalQuantile(part))))
  }

  private static func clamped(_ time: Double) -> Microseconds {
    Microseconds(min(max(1, time), 0x1p55))
  }

  /// Relative error below 1.2e-9.
  /// - Source: Acklam 2003, "An algorithm for computing the inverse normal cumulative distribution
  ///   function".
  static func normalQuantile(_ part: Double) -> Double {
    let a = [
      -39.696_830_286_653_76, 220.946_098_424_520_5, -275.928_510_446_968_7,
      138.357_751_867_269, -30.664_798_066_147_16, 2.506_628_277_459_239,
    ]
    let b = [
      -54.476_098_798_224_06, 161.585_836_858_040_9, -155.698_979_859_886_6,
      66.801_311_887_719_72, -13.280_681_552_885_72, 1,
    ]
    let c = [
      -0.007_784_894_002_430_293, -0.322_396_458_041_136_5, -2.400_758_277_161_838,
      -2.549_732_539_343_734, 4.374_664_141_464_968, 2.938_163_982_698_783,
    ]
    let d = [
      0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996,
      3.754_408_661_907_416, 1,
    ]
    func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
      coefficients.reduce(0) { $0 * x + $1 }
    }
    let edge = 0.024_25
    if part < edge || part > 1 - edge {
      let q = (-2 * log(min(part, 1 - part))).squareRoot()
      let tail = polynomial(c, q) / polynomial(d, q)
      return part < edge ? tail : -tail
    }
    let q = part - 0.5
    return q * polynomial(a, q * q) / polynomial(b, q * q)
  }
}
