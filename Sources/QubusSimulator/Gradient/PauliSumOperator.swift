internal import CQubusKernels
internal import Glibc
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// An observable as an operator on states.
final class PauliSumOperator: Sendable {
  /// Those of I and Z only, and the others.
  private let diagonal: [qr_string]
  private let strings: [qr_string]
  private let positions: [UInt8]

  init(_ observable: PauliSum, positions: [UInt8], bitCount: Int) {
    let bits = UInt64(min(bitCount, Int(QR_CHUNK_BITS)))
    let low = (UInt64(1) << bits) - 1
    self.positions = positions
    let strings = observable.terms.map { term in
      let x = PreparedPauliSum.permute(term.x, positions)
      let z = PreparedPauliSum.permute(term.z, positions)
      // (Pψ)_i = (-i)^k (-1)^{z·i} ψ_{i^x} with k the number of Ys.
      let quarter = (x & z).nonzeroBitCount & 3
      return qr_string(
        weight: quarter == 1 || quarter == 2 ? -term.coefficient : term.coefficient,
        x_high: x >> bits, z_high: z >> bits, x_low: UInt32(x & low), z_low: UInt32(z & low),
        part: UInt32(quarter & 1))
    }
    // Strings of one class are applied together; within it those from the same chunk.
    let order = strings.indices.sorted { a, b in
      let (x, y) = (strings[a], strings[b])
      return (x.x_low & 7, x.part, x.x_high, a) < (y.x_low & 7, y.part, y.x_high, b)
    }
    let sorted = order.map { strings[$0] }
    diagonal = sorted.filter { $0.x_low == 0 && $0.x_high == 0 }
    self.strings = sorted.filter { $0.x_low != 0 || $0.x_high != 0 }
  }

  /// Sets `target` to O `source`.
  func apply(
    _ source: BlockedState, to target: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    precondition(source.positions == positions)
    let octets = source.chunkOctets
    try context.forRuns(source.chunkCount, grain: 1) { run in
      for chunk in run {
        switch source.precision {
        case .double:
          Reductions.table.diagonal_apply_f64(
            target.doubles, source.doubles, octets, UInt64(chunk), diagonal, diagonal.count)
          Reductions.table.pauli_apply_f64(
            target.doubles, source.doubles, octets, UInt64(chunk), strings, strings.count)
        case .single:
          Reductions.table.diagonal_apply_f32(
            target.floats, source.floats, octets, UInt64(chunk), diagonal, diagonal.count)
          Reductions.table.pauli_apply_f32(
            target.floats, source.floats, octets, UInt64(chunk), strings, strings.count)
        }
      }
    }
    target.setPositions(source.positions)
    target.liveCount = source.liveCount
    target.dirtyCount = source.bitCount
  }
}
