internal import QubusCore

/// Draws basis states from a final state by inverting its cumulative distribution.
///
/// A uniform u picks the first chunk, and in it the first amplitude, whose cumulative |a|² in
/// order of index exceeds u·Σ|a|². The sums have one fixed order, so a shot's outcome depends on
/// the state and on its own uniform only.
final class TerminalSampler {
  private let state: StateVector
  /// Cumulative |a|² at the end of every chunk; infinite from the last one that can occur on.
  private let chunkEnds: [Double]
  private let chunkStarts: [Double]
  private let total: Double
  /// Guide into `chunkEnds`, or into `table` when there is one chunk.
  private let guide: [Int32]
  /// The cumulative distribution itself, when it is small.
  private let table: [Double]

  /// - Complexity: O(2^n), once for all chunks of shots.
  init(_ state: StateVector, _ context: KernelContext) throws(QubusError) {
    self.state = state
    let norms = try state.chunkNorms(context)
    var starts = [Double](repeating: 0, count: norms.count)
    var ends = starts
    var running = 0.0
    for (chunk, norm) in norms.enumerated() {
      starts[chunk] = running
      running += norm
      ends[chunk] = running
    }
    Self.closeEnd(&ends) { norms[$0] > 0 }
    total = running
    chunkStarts = starts
    chunkEnds = ends
    if norms.count == 1 {
      table = Self.cumulative(state, chunk: 0, start: 0)
      guide = Self.makeGuide(table, total: running)
    } else {
      table = []
      guide = Self.makeGuide(ends, total: running)
    }
  }

  /// Basis states of `count` shots.
  /// - Parameter draw: the uniforms of a run of shots; called from several threads.
  /// - Complexity: O(2^n + shots) at most, less when few chunks are hit.
  func sample(
    _ count: Int, _ context: KernelContext, draw: (Range<Int>) -> [Double]
  ) throws(QubusError) -> [UInt64] {
    var indices = [UInt64](repeating: 0, count: count)
    var uniforms = [Double](repeating: 0, count: table.isEmpty ? count : 0)
    try indices.withUnsafeMutableBufferPointer { (indices) throws(QubusError) in
      nonisolated(unsafe) let indices = indices
      try uniforms.withUnsafeMutableBufferPointer { (kept) throws(QubusError) in
        nonisolated(unsafe) let kept = kept
        try context.forBlocks(count) { range in
          let drawn = draw(range)
          find(range, drawn, indices)
          if !kept.isEmpty {
            for shot in range { kept[shot] = drawn[shot - range.lowerBound] }
          }
        }
      }
      if table.isEmpty { try resolveInChunks(indices, uniforms, context) }
    }
    return indices
  }

  /// For a run of shots the position in `table`, or the chunk when there are several.
  private func find(
    _ shots: Range<Int>, _ uniforms: [Double], _ indices: UnsafeMutableBufferPointer<UInt64>
  ) {
    let size = Double(guide.count)
    let total = total
    (table.isEmpty ? chunkEnds : table).withUnsafeBufferPointer { ends in
      guide.withUnsafeBufferPointer { guide in
        for shot in shots {
          let uniform = uniforms[shot - shots.lowerBound]
          let target = uniform * total
          var position = Int(guide[Int(uniform * size)])
          while ends[position] <= target { position += 1 }
          indices[shot] = UInt64(position)
        }
      }
    }
  }

  /// Replaces chunk numbers by amplitude indices, chunk by chunk.
  private func resolveInChunks(
    _ indices: UnsafeMutableBufferPointer<UInt64>, _ uniforms: [Double], _ context: KernelContext
  ) throws(QubusError) {
    nonisolated(unsafe) let indices = indices
    var starts = [Int](repeating: 0, count: chunkEnds.count + 1)
    for chunk in indices { starts[Int(chunk) + 1] += 1 }
    for chunk in chunkEnds.indices { starts[chunk + 1] += starts[chunk] }
    var next = starts
    var order = [Int32](repeating: 0, count: uniforms.count)
    for shot in indices.indices {
      let chunk = Int(indices[shot])
      order[next[chunk]] = Int32(shot)
      next[chunk] += 1
    }
    let (shotsOfChunk, sorted) = (starts, order)
    try context.forChunks(chunkEnds.count) { chunk in
      let shots = sorted[shotsOfChunk[chunk]..<shotsOfChunk[chunk + 1]]
      if shots.isEmpty { return }
      let ends = Self.cumulative(state, chunk: chunk, start: chunkStarts[chunk])
      for shot in shots {
        let target = uniforms[Int(shot)] * total
        var (low, high) = (0, ends.count - 1)
        while low < high {
          let middle = (low + high) / 2
          if ends[middle] > target { high = middle } else { low = middle + 1 }
        }
        indices[Int(shot)] = UInt64(chunk * StateVector.chunkSize + low)
      }
    }
  }

  /// Running sums of |a|² in one chunk; infinite from the last amplitude that can occur on.
  private static func cumulative(_ state: StateVector, chunk: Int, start: Double) -> [Double] {
    let size = min(state.count, StateVector.chunkSize)
    let amplitudes = state.amplitudes + chunk * size
    var sums = [Double](repeating: 0, count: size)
    var running = start
    for i in 0..<size {
      running += norm(amplitudes[i])
      sums[i] = running
    }
    closeEnd(&sums) { norm(amplitudes[$0]) > 0 }
    return sums
  }

  /// Rounding must never push a uniform beyond the last outcome that can occur.
  private static func closeEnd(_ sums: inout [Double], _ canOccur: (Int) -> Bool) {
    var last = sums.count - 1
    while last > 0 && !canOccur(last) { last -= 1 }
    for index in last..<sums.count { sums[index] = .infinity }
  }

  /// For u in [j/g, (j+1)/g) the search may begin at entry j.
  private static func makeGuide(_ ends: [Double], total: Double) -> [Int32] {
    var size = 1
    while size < ends.count { size *= 2 }
    var guide = [Int32](repeating: 0, count: size)
    var position = 0
    for j in 0..<size {
      let target = Double(j) / Double(size) * total
      while ends[position] <= target { position += 1 }
      guide[j] = Int32(position)
    }
    return guide
  }
}
