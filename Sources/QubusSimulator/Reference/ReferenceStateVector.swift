internal import Glibc
package import QubusCore

/// The plain state vector that the engine is checked against, one gate and one amplitude at a time:
/// 2^n amplitudes in complex128, re and im interleaved; amplitude `i` belongs to the basis state
/// whose qubit `q` is bit `q` of `i`.
///
/// `@unchecked Sendable`: threads of a team write disjoint blocks of one region; otherwise one
/// thread owns the state at a time. `ParityTests` compares one and two threads bit for bit.
package final class ReferenceStateVector: @unchecked Sendable {
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

extension ReferenceStateVector {
  /// The amplitudes as 2^(n+1) numbers: re, im, re, im, …
  package func interleaved() -> [Double] {
    (0..<count).flatMap { [amplitudes[$0].x, amplitudes[$0].y] }
  }
}
