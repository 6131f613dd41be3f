internal import Glibc
package import QubusCore

/// One complex amplitude: re, im.
package typealias Amplitude = SIMD2<Double>

/// 2^n amplitudes in complex128, re and im interleaved; amplitude `i` belongs to the basis state
/// whose qubit `q` is bit `q` of `i`.
///
/// `@unchecked Sendable`: threads of a team write disjoint blocks of one region; otherwise one
/// thread owns the state at a time. `ParityTests` compares one and two threads bit for bit.
package final class StateVector: @unchecked Sendable {
  package let qubitCount: Int
  package let count: Int
  /// `count` amplitudes, aligned to a cache line; valid while this object lives.
  package let amplitudes: UnsafeMutablePointer<Amplitude>

  /// Bytes of a state of `qubitCount` qubits.
  package static func byteCount(qubitCount: Int) -> Double {
    Double(sign: .plus, exponent: qubitCount + 4, significand: 1)
  }

  /// Reserves memory; contents are undefined until `reset` or `copy`.
  /// - Throws: `insufficient_memory` when the system refuses.
  package init(qubitCount: Int) throws(QubusError) {
    let bytes = Self.byteCount(qubitCount: qubitCount)
    let size = qubitCount < 48 ? max(64, Int(bytes)) : Int.max
    // Above 2 MiB whole huge pages: fewer faults and fewer TLB misses.
    let isHuge = size >= 2 << 20
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, isHuge ? 2 << 20 : 64, size) == 0, let memory else {
      throw QubusError(
        .insufficientMemory,
        "the system refused \(MemorySize.text(bytes)) for a state of \(qubitCount) qubits")
    }
    if isHuge { madvise(memory, size, MADV_HUGEPAGE) }
    self.qubitCount = qubitCount
    count = 1 << qubitCount
    amplitudes = memory.bindMemory(to: Amplitude.self, capacity: count)
  }

  deinit { free(amplitudes) }
}

/// Sizes as people read them.
package enum MemorySize {
  /// For example `16 GiB`, `1.5 MiB`, `64 bytes`.
  package static func text(_ bytes: Double) -> String {
    var value = bytes
    var index = 0
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024 && index < units.count - 1 {
      value /= 1024
      index += 1
    }
    let rounded = (value * 10).rounded() / 10
    let isWhole = rounded == rounded.rounded() && rounded < 1e15
    return (isWhole ? "\(Int(rounded))" : "\(rounded)") + " " + units[index]
  }
}
