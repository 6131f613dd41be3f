/// Counter-based random numbers: Philox 4×32-10.
///
/// The 128-bit counter is, from its low bits: draw (32), shot (40), purpose (8), pub (16), row or
/// step (32). Any draw can be computed alone, so results do not depend on threads, chunking or
/// order. A block of 128 bits holds two draws of 64 bits: draw `d` is half `d & 1` of the block
/// whose counter carries `d >> 1` in the draw field.
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
    /// The seed of one row of one session step.
    case step = 6
    /// Signs of the perturbations of SPSA.
    case perturbation = 16
  }

  package let key0: UInt32
  package let key1: UInt32

  package init(seed: UInt64) {
    key0 = UInt32(truncatingIfNeeded: seed)
    key1 = UInt32(truncatingIfNeeded: seed >> 32)
  }

  /// The ten-round bijection.
  package static func block(
    counter: SIMD4<UInt32>, key0: UInt32, key1: UInt32
  ) -> SIMD4<UInt32> {
    var words = (counter.x, counter.y, counter.z, counter.w)
    permute(&words, key0, key1)
    return SIMD4(words.0, words.1, words.2, words.3)
  }

  /// The rounds on scalars: twice as fast as on a vector without wide multiplication.
  @inline(__always)
  private static func permute(
    _ c: inout (UInt32, UInt32, UInt32, UInt32), _ key0: UInt32, _ key1: UInt32
  ) {
    var k0 = key0
    var k1 = key1
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(c.0)
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(c.2)
      c = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.1 ^ k0,
        UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c.3 ^ k1,
        UInt32(truncatingIfNeeded: p0)
      )
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
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
    let counter = Self.counter(
      drawBlock: draw >> 1, shot: shot, purpose: purpose, pub: pub, row: row)
    var words = (counter.x, counter.y, counter.z, counter.w)
    Self.permute(&words, key0, key1)
    return draw & 1 == 1 ? Self.uniform(words.2, words.3) : Self.uniform(words.0, words.1)
  }

  /// Draw 0 of consecutive shots: the same numbers as `uniform`, without a call for each.
  package func uniforms(
    shots: Range<UInt64>, purpose: Purpose, pub: UInt16, row: UInt32
  ) -> [Double] {
    [Double](unsafeUninitializedCapacity: shots.count) { numbers, initialized in
      for (index, shot) in shots.enumerated() {
        let counter = Self.counter(drawBlock: 0, shot: shot, purpose: purpose, pub: pub, row: row)
        var words = (counter.x, counter.y, counter.z, counter.w)
        Self.permute(&words, key0, key1)
        numbers.initializeElement(at: index, to: Self.uniform(words.0, words.1))
      }
      initialized = shots.count
    }
  }

  @inline(__always)
  private static func uniform(_ high: UInt32, _ low: UInt32) -> Double {
    Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
  }
}
