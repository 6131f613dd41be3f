/// One complex amplitude: re, im.
package typealias Amplitude = SIMD2<Double>

extension Amplitude {
  /// Complex product.
  @inline(__always)
  func times(_ other: Amplitude) -> Amplitude {
    Amplitude(x * other.x - y * other.y, x * other.y + y * other.x)
  }
}

/// |a|².
@inline(__always)
func norm(_ amplitude: Amplitude) -> Double {
  amplitude.x * amplitude.x + amplitude.y * amplitude.y
}
