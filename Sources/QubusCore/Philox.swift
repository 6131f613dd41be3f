/// Counter-based random numbers: Philox 4×32-10.
///
/// The 128-bit counter is, from its low bits: draw (32), shot (40), purpose (8), pub (16), row or
/// step (32). Any draw can be computed alone, so results do not depend on threads, chunking or
/// order. A block of 128 bits holds two draws of 64 bits: draw `d` is half `d & 1` of the block whose
/// counter carries `d >> 1` in the draw field.
/// - Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", §3.3; the known
///   answers of the Random123 distribution are checked by `PhiloxTests`.
package struct Philox: Sendable {
  /// What random numbers are drawn for. Numbers are documented in `docs/determinism.md` and never
  /// reused.
  package enum Purpose: UInt8, Sendable, CaseIterable {
    /// One uniform per shot that picks the outcome of terminal measurements.
    case terminalSampling = 1
    /// One uniform per mid-circuit measurement or reset, in program order of the shot.
    case midCircuit = 2
    /// Noise branches (emulated devices).
    case noise = 3
    /// Sampling for estimates from shots.
    case estimation = 4
    /// Readout error.
    case readout = 5
  }

  private let key0: UInt32
  private let key1: UInt32

  package init(seed: UInt64) {
    key0 = UInt32(truncatingIfNeeded: seed)
    key1 = UInt32(truncatingIfNeeded: seed >> 32)
  }

  /// The ten-round bijection.
  package static func block(
    counter: SIMD4<UInt32>, key0: UInt32, key1: UInt32
  ) -> SIMD4<UInt32> {
    var c = counter
    var k0 = key0
    var k1 = key1
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(c.x)
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(c.z)
      c = SIMD4(
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.y ^ k0,
        UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c.w ^ k1,
        UInt32(truncatingIfNeeded: p0))
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return c
  }

  /// The 128-bit counter of one draw block.
  private static func counter(
    drawBlock: UInt32, shot: UInt64, purpose: Purpose, pub: UInt16, row: UInt32
  ) -> SIMD4<UInt32> {
    SIMD4(
      drawBlock,
      UInt32(truncatingIfNeeded: shot),
      UInt32(truncatingIfNeeded: (shot >> 32) & 0xFF) | UInt32(purpose.rawValue) << 8
        | UInt32(pub) << 16,
      row)
  }

  /// Uniform in [0, 1) with 53 random bits.
  /// - Parameters:
  ///   - draw: index of the draw within the shot; two 32-bit words make one draw.
  ///   - shot: index of the shot in its row, below 2^40.
  package func uniform(
    draw: UInt32, shot: UInt64, purpose: Purpose, pub: UInt16, row: UInt32
  ) -> Double {
    let words = Self.block(
      counter: Self.counter(
        drawBlock: draw >> 1, shot: shot, purpose: purpose, pub: pub, row: row),
      key0: key0, key1: key1)
    let odd = draw & 1 == 1
    let high = odd ? words.z : words.x
    let low = odd ? words.w : words.y
    let bits = UInt64(high) << 32 | UInt64(low)
    return Double(bits >> 11) * 0x1p-53
  }
}
