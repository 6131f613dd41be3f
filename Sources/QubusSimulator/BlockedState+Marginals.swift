internal import CQubusKernels
internal import QubusCompiler
package import QubusCore

extension BlockedState {
  /// Probabilities of the outcomes of some qubits.
  /// - Parameter qubits: distinct; bit j of an outcome is `qubits[j]`.
  /// - Returns: 2^k sums of |a|².
  /// - Complexity: O(2^n + 2^k).
  package func probabilities(
    qubits: [Int], _ context: KernelContext
  ) throws(QubusError) -> [Double] {
    let places = qubits.map { Int(positions[$0]) }
    let sorted = places.sorted()
    let sums = try marginal(sorted.reduce(0) { $0 | 1 << $1 }, context)
    if places == sorted { return sums }
    // Bit j of an outcome is bit `spread[j]` of an index into the sums.
    let spread = BitMap(sources: places.map { place in sorted.firstIndex(of: place) ?? 0 })
    var result = [Double](repeating: 0, count: sums.count)
    for (index, sum) in sums.enumerated() { result[Int(spread.map(UInt64(index)))] = sum }
    return result
  }

  /// Sums of |a|² over all positions that are not in `keep`, in order of the kept bits.
  private func marginal(_ keep: Int, _ context: KernelContext) throws(QubusError) -> [Double] {
    let bits = chunkBits
    let low = UInt32(keep & ((1 << bits) - 1))
    let lowCount = 1 << low.nonzeroBitCount
    let keptHigh = keep >> bits
    let summedHigh = (chunkCount - 1) & ~keptHigh
    let outcomes = 1 << keptHigh.nonzeroBitCount
    let summed = 1 << summedHigh.nonzeroBitCount
    // Chunks of one outcome are added in this many runs, then the runs: enough tasks for a team
    // where few outcomes are kept.
    let runs = min(summed, max(1, 64 / outcomes))
    var sums = [Double](repeating: 0, count: outcomes * runs * lowCount)
    try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      nonisolated(unsafe) let start = sums.baseAddress.unsafelyUnwrapped
      try context.forRuns(outcomes * runs, grain: max(1, outcomes * runs / 256)) { tasks in
        for task in tasks {
          let high = Self.deposit(task / runs, into: keptHigh)
          for part in summed / runs * (task % runs)..<summed / runs * (task % runs + 1) {
            if context.cancellation.isCanceled { return }
            addMarginal(
              chunk: high | Self.deposit(part, into: summedHigh), keep: low,
              to: start + task * lowCount)
          }
        }
      }
    }
    if runs == 1 { return sums }
    return [Double](unsafeUninitializedCapacity: outcomes * lowCount) { result, initialized in
      for outcome in 0..<outcomes {
        for index in 0..<lowCount {
          var sum = 0.0
          for run in 0..<runs { sum += sums[(outcome * runs + run) * lowCount + index] }
          result[outcome * lowCount + index] = sum
        }
      }
      initialized = outcomes * lowCount
    }
  }

  private func addMarginal(chunk: Int, keep: UInt32, to sums: UnsafeMutablePointer<Double>) {
    switch precision {
    case .double: Reductions.table.marginal_f64(doubles(chunk: chunk), chunkOctets, keep, sums)
    case .single: Reductions.table.marginal_f32(floats(chunk: chunk), chunkOctets, keep, sums)
    }
  }

  /// The bits of `value`, lowest first, at the set bits of `mask`.
  static func deposit(_ value: Int, into mask: Int) -> Int {
    var (rest, mask, result) = (value, mask, 0)
    while rest != 0 && mask != 0 {
      let bit = mask & -mask
      if rest & 1 == 1 { result |= bit }
      mask ^= bit
      rest >>= 1
    }
    return result
  }
}
