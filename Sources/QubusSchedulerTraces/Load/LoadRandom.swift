internal import Foundation

/// The random numbers of a synthetic load: SplitMix64, so that a seed gives the same load anywhere.
/// - Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
package struct LoadRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in (0, 1).
  package mutating func uniform() -> Double {
    (Double(next() >> 11) + 0.5) * 0x1p-53
  }

  package mutating func exponential(mean: Double) -> Double { -mean * log(uniform()) }

  package mutating func normal() -> Double {
    sqrt(-2 * log(uniform())) * cos(2 * Double.pi * uniform())
  }

  /// - Source: Marsaglia & Tsang 2000, "A simple method for generating gamma variables".
  package mutating func gamma(shape: Double, scale: Double) -> Double {
    if shape < 1 {
      let boost = pow(uniform(), 1 / shape)
      return gamma(shape: shape + 1, scale: scale) * boost
    }
    let d = shape - 1 / 3
    let c = 1 / sqrt(9 * d)
    while true {
      let x = normal()
      let v = pow(1 + c * x, 3)
      if v > 0, log(uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v * scale }
    }
  }
}
