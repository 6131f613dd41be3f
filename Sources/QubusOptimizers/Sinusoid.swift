internal import Glibc

/// C + A cos δ + B sin δ through its values at δ = 0 and at two offsets.
struct Sinusoid {
  let constant: Double
  let cosine: Double
  let sine: Double

  /// nil when the offsets lie so close that the curvature drowns in rounding.
  init?(_ values: UnsafeBufferPointer<Double>, _ offsets: (Double, Double)) {
    let determinant = Self.determinant(offsets)
    guard abs(determinant) > 1e-9 else { return nil }
    let (rise0, rise1) = (values[1] - values[0], values[2] - values[0])
    let (cos0, cos1) = (cos(offsets.0) - 1, cos(offsets.1) - 1)
    cosine = (rise0 * sin(offsets.1) - rise1 * sin(offsets.0)) / determinant
    sine = (cos0 * rise1 - cos1 * rise0) / determinant
    constant = values[0] - cosine
  }

  static func determinant(_ offsets: (Double, Double)) -> Double {
    (cos(offsets.0) - 1) * sin(offsets.1) - (cos(offsets.1) - 1) * sin(offsets.0)
  }

  /// Where it is lowest, in [-π, π]; 0 for a constant.
  var minimum: Double { cosine == 0 && sine == 0 ? 0 : atan2(-sine, -cosine) }
  var lowest: Double { constant - (cosine * cosine + sine * sine).squareRoot() }

  func value(at offset: Double) -> Double {
    constant + cosine * cos(offset) + sine * sin(offset)
  }
}
