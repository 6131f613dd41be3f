internal import QubusCore

extension Philox {
  /// The numbers of one row of one step, as `docs/determinism.md` says.
  init(seed: UInt64, sequence: UInt64, row: UInt32) {
    let session = Philox(seed: seed)
    let words = Philox.block(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: sequence), UInt32(truncatingIfNeeded: sequence >> 32),
        UInt32(Purpose.step.rawValue) << 8, row),
      key0: session.key0, key1: session.key1)
    self.init(seed: UInt64(words.y) << 32 | UInt64(words.x))
  }

  var seed: UInt64 { UInt64(key1) << 32 | UInt64(key0) }
}
