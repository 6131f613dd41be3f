internal import CQubusKernels
package import QubusCircuit
internal import QubusCompiler
package import QubusCore

/// An observable of I and Z only, as its value for every basis state: one pass over the state
/// however many terms there are. Worth its memory (8 bytes an amplitude) where one cost function is
/// evaluated many times.
package final class DiagonalTable: Sendable {
  private let positions: [UInt8]
  private let values: [Double]

  /// - Parameter bitCount: index bits of the states to come, padding included.
  /// - Throws: `invalid_observable` when a term has an X or Y; `execution_canceled`.
  /// - Complexity: O(n 2^n), once.
  package init(
    _ observable: PauliSum, positions: [UInt8], bitCount: Int, _ context: KernelContext
  ) throws(QubusError) {
    guard observable.terms.allSatisfy({ $0.x == 0 }) else {
      throw QubusError(.invalidObservable, "a cost function by table has I and Z only")
    }
    self.positions = positions
    var values = [Double](repeating: 0, count: 1 << bitCount)
    for term in observable.terms {
      var (rest, index) = (term.z, 0)
      while rest != 0 {
        index |= 1 << Int(positions[rest.trailingZeroBitCount])
        rest &= rest - 1
      }
      values[index] += term.coefficient
    }
    try values.withUnsafeMutableBufferPointer { (values) throws(QubusError) in
      try Self.transform(values.baseAddress.unsafelyUnwrapped, bitCount, context)
    }
    self.values = values
  }

  /// Walsh–Hadamard transform, chunk by chunk and then across chunks.
  private static func transform(
    _ values: UnsafeMutablePointer<Double>, _ bitCount: Int, _ context: KernelContext
  ) throws(QubusError) {
    nonisolated(unsafe) let values = values
    let bits = min(bitCount, Int(QR_CHUNK_BITS))
    try context.forRuns(1 << (bitCount - bits), grain: 1) { run in
      for chunk in run { Reductions.table.transform(values + chunk << bits, UInt32(bits)) }
    }
    for bit in bits..<max(bits, bitCount) {
      let run = 1 << bit
      try context.forRuns(1 << (bitCount - 1), grain: 1 << bits) { pairs in
        let first = (pairs.lowerBound & ~(run - 1)) << 1 | pairs.lowerBound & (run - 1)
        for index in first..<first + pairs.count {
          let (a, b) = (values[index], values[index + run])
          values[index] = a + b
          values[index + run] = a - b
        }
      }
    }
  }

  /// The value of the cost function for one basis state, given as an index.
  package subscript(index: Int) -> Double { values[index] }

  /// Σ|a|² value.
  package func value(_ state: BlockedState, _ context: KernelContext) throws(QubusError) -> Double {
    precondition(state.positions == positions && state.count == values.count)
    var sums = [Double](repeating: 0, count: state.chunkCount)
    return try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      nonisolated(unsafe) let sums = sums
      try values.withUnsafeBufferPointer { (values) throws(QubusError) in
        nonisolated(unsafe) let start = values.baseAddress.unsafelyUnwrapped
        try context.forRuns(sums.count, grain: BlockedState.chunkGrain) { run in
          for chunk in run {
            sums[chunk] = state.dot(chunk: chunk, start + chunk << state.chunkBits)
          }
        }
      }
      return foldByHalves(sums.baseAddress.unsafelyUnwrapped, count: sums.count)
    }
  }
}

extension BlockedState {
  fileprivate func dot(chunk: Int, _ values: UnsafePointer<Double>) -> Double {
    switch precision {
    case .double: Reductions.table.dot_f64(doubles(chunk: chunk), chunkOctets, values)
    case .single: Reductions.table.dot_f32(floats(chunk: chunk), chunkOctets, values)
    }
  }
}
