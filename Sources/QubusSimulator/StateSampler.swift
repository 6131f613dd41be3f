internal import CQubusKernels
internal import QubusCore

/// Draws basis states from a final state by inverting its cumulative distribution.
///
/// A shot with uniform u gives the first index (in order of positions) whose cumulative |a|²
/// exceeds u·Σ|a|². The distribution has one fixed value for every index, so an outcome depends on
/// the state and on the shot's own uniform only, whichever of the two ways below finds it: a table
/// of the whole distribution, or for larger states shots sorted by chunk first.
final class StateSampler {
  let state: BlockedState
  /// Cumulative |a|² at the end of every chunk.
  let chunkEnds: [Double]
  var total: Double { chunkEnds[chunkEnds.count - 1] }
  /// The distribution itself, when it is small.
  private let table: GuidedTable?

  /// States up to here are sampled from a table of the whole distribution.
  static let tableBits = 14

  /// - Complexity: O(2^n), once for all runs of shots.
  init(_ state: BlockedState, _ context: KernelContext) throws(QubusError) {
    self.state = state
    var ends = try state.chunkNorms(context)
    var running = 0.0
    for chunk in ends.indices {
      running += ends[chunk]
      ends[chunk] = running
    }
    chunkEnds = ends
    if state.bitCount <= Self.tableBits {
      let cumulative = [Double](unsafeUninitializedCapacity: state.count) { table, initialized in
        let start = table.baseAddress.unsafelyUnwrapped
        for chunk in ends.indices {
          state.cumulate(chunk: chunk, ends, to: start + chunk << state.chunkBits)
        }
        initialized = state.count
      }
      table = GuidedTable(cumulative, cells: 8 * cumulative.count)
    } else {
      table = nil
    }
  }

  /// Samples a run of shots.
  /// - Parameters:
  ///   - positions: of the measured qubits; bit j of an outcome is index bit `positions[j]`.
  ///   - memory: whether each shot's outcome is wanted, too.
  /// - Complexity: O(2^n + shots) at most, less when few chunks are hit.
  func sample(
    first: UInt64, count: Int, _ source: ShotSource, positions: [Int], memory: Bool,
    _ context: KernelContext
  ) throws(QubusError) -> SampledOutcomes {
    let keys = OutcomeKeys(positions: positions, bitCount: state.bitCount)
    if let table {
      return try sample(
        from: table, ShotRun(first: first, count: count, source), keys, memory: memory, context)
    }
    var result = SampledOutcomes(memory: memory)
    var done = 0
    while done < count {
      // Bounds the memory that uniforms take; outcomes do not depend on it.
      let size = min(count - done, 1 << 22)
      let run = ShotRun(first: first + UInt64(done), count: size, source)
      let partition = try ShotPartition(run, self, memory: memory, context)
      result.merge(try partition.outcomes(keys, context))
      done += size
    }
    return result
  }

  private func sample(
    from table: GuidedTable, _ run: ShotRun, _ keys: OutcomeKeys, memory: Bool,
    _ context: KernelContext
  ) throws(QubusError) -> SampledOutcomes {
    var shotKeys = [UInt64](repeating: 0, count: memory ? run.count : 0)
    // Whole numbers: it does not matter which thread adds first.
    let totals = Lock([UInt64](repeating: 0, count: keys.outcomeCount))
    let total = total
    let stride = state.count
    let tasks = min((run.count + 0xFFFF) >> 16, 4 * context.team.threadCount)
    let grain = tasks == 0 ? 1 : min(1 << 30, (run.count + tasks - 1) / tasks)
    try shotKeys.withUnsafeMutableBufferPointer { (shotKeys) throws(QubusError) in
      nonisolated(unsafe) let shotKeys = shotKeys
      try context.forRuns(run.count, grain: grain) { shots in
        var counts = [UInt32](repeating: 0, count: 2 * stride)
        run.forPieces(shots) { piece, uniforms in
          if context.cancellation.isCanceled { return }
          counts.withUnsafeMutableBufferPointer { counts in
            if memory {
              table.find(uniforms, total) { offset, index in
                counts[index] += 1
                shotKeys[piece.lowerBound + offset] = keys.key(UInt64(index))
              }
            } else {
              table.tally(uniforms, total, counts.baseAddress.unsafelyUnwrapped, stride: stride)
            }
          }
        }
        totals.withLock { totals in
          for index in 0..<stride {
            let count = counts[index] + counts[stride + index]
            if count > 0 { totals[Int(keys.key(UInt64(index)))] += UInt64(count) }
          }
        }
      }
    }
    try context.check()
    var result = SampledOutcomes(memory: memory)
    for (key, count) in totals.withLock({ $0 }).enumerated() where count > 0 {
      result.keys.append(UInt64(key))
      result.values.append(count)
    }
    if memory { result.shotKeys = shotKeys }
    return result
  }
}

/// Outcomes counted, in ascending order.
struct SampledOutcomes: Sendable {
  var keys: [UInt64] = []
  var values: [UInt64] = []
  /// The outcome of every shot, in order, when it was asked for.
  var shotKeys: [UInt64]?

  init(memory: Bool) { shotKeys = memory ? [] : nil }

  /// Adds the outcomes of the shots that follow.
  mutating func merge(_ other: SampledOutcomes) {
    if let more = other.shotKeys { shotKeys?.append(contentsOf: more) }
    if keys.isEmpty {
      keys = other.keys
      values = other.values
      return
    }
    var (mergedKeys, mergedValues): ([UInt64], [UInt64]) = ([], [])
    mergedKeys.reserveCapacity(keys.count + other.keys.count)
    mergedValues.reserveCapacity(keys.count + other.keys.count)
    var (a, b) = (0, 0)
    while a < keys.count || b < other.keys.count {
      let first = a < keys.count ? keys[a] : .max
      let second = b < other.keys.count ? other.keys[b] : .max
      mergedKeys.append(min(first, second))
      mergedValues.append(
        (first <= second ? values[a] : 0) + (second <= first ? other.values[b] : 0))
      if first <= second { a += 1 }
      if second <= first { b += 1 }
    }
    keys = mergedKeys
    values = mergedValues
  }
}

/// From an index to an outcome: the bits of the measured qubits.
struct OutcomeKeys: Sendable {
  let bitCount: Int
  /// Whether outcomes sort as indices do and differ where indices do.
  let isOrdered: Bool
  private let bits: BitMap

  /// - Parameter bitCount: bits of an index, padding included; padding is 0.
  init(positions: [Int], bitCount: Int) {
    self.bitCount = positions.count
    bits = BitMap(sources: positions)
    isOrdered = bits.isIdentity && positions.count == bitCount
  }

  var outcomeCount: Int { 1 << bitCount }

  @inline(__always)
  func key(_ index: UInt64) -> UInt64 { bits.map(index) }
}

/// Consecutive shots and where their uniforms come from.
struct ShotRun: Sendable {
  let first: UInt64
  let count: Int
  private let philox: Philox
  private let word2: UInt32
  private let row: UInt32

  init(first: UInt64, count: Int, _ source: ShotSource) {
    self.first = first
    self.count = count
    philox = source.philox
    word2 = UInt32(source.purpose.rawValue) << 8 | UInt32(source.pub) << 16
    row = source.row
  }

  /// The same numbers as `Philox.uniforms`.
  func fill(_ shots: Range<Int>, _ uniforms: UnsafeMutablePointer<Double>) {
    Reductions.table.uniforms(
      philox.key0, philox.key1, word2, row, first + UInt64(shots.lowerBound), shots.count, uniforms)
  }

  /// Calls `body` with the uniforms of pieces that fit in the first cache.
  func forPieces(
    _ shots: Range<Int>, _ body: (Range<Int>, UnsafeBufferPointer<Double>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 1024) { buffer in
      var start = shots.lowerBound
      while start < shots.upperBound {
        let piece = start..<min(start + 1024, shots.upperBound)
        fill(piece, buffer.baseAddress.unsafelyUnwrapped)
        body(piece, UnsafeBufferPointer(rebasing: buffer[..<piece.count]))
        start = piece.upperBound
      }
    }
  }
}
