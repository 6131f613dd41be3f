internal import CQubusKernels
internal import QubusCompiler
internal import QubusCore

/// Shots of a large state sorted by bucket, a run of chunks, so that each chunk's distribution is
/// computed once however many shots hit it.
///
/// `@unchecked Sendable`: blocks of shots and buckets write disjoint parts of the arrays, which
/// live as long as this object; `StateSamplerTests` compares 1, 2 and 4 threads.
final class ShotPartition: @unchecked Sendable {
  private let sampler: StateSampler
  private let run: ShotRun
  private let hasMemory: Bool
  /// Chunks of a bucket: few enough buckets that their counters stay in cache.
  private let bucketChunks: Int
  private let bucketCount: Int
  /// First sorted shot of every bucket.
  private var starts: [Int] = []
  /// Uniforms by bucket, and the shots they belong to.
  private let uniforms: UnsafeMutablePointer<Double>
  private let shots: UnsafeMutablePointer<UInt32>
  /// Distinct indices found in a bucket and how often, from the bucket's start on.
  private let indices: UnsafeMutablePointer<UInt64>
  private let counts: UnsafeMutablePointer<UInt32>
  private static let blockSize = 1 << 14

  init(
    _ run: ShotRun, _ sampler: StateSampler, memory: Bool, _ context: KernelContext
  ) throws(QubusError) {
    self.run = run
    self.sampler = sampler
    hasMemory = memory
    let chunks = sampler.chunkEnds.count
    bucketChunks = max(1, chunks >> 11)
    bucketCount = chunks / bucketChunks
    uniforms = .allocate(capacity: run.count)
    indices = .allocate(capacity: run.count)
    counts = .allocate(capacity: run.count)
    shots = .allocate(capacity: memory ? run.count : 0)
    try sort(context)
  }

  deinit {
    uniforms.deallocate()
    indices.deallocate()
    counts.deallocate()
    shots.deallocate()
  }

  private func sort(_ context: KernelContext) throws(QubusError) {
    let ends = stride(from: bucketChunks - 1, to: sampler.chunkEnds.count, by: bucketChunks)
      .map { sampler.chunkEnds[$0] }
    let guide = GuidedTable(ends, cells: 8 * ends.count)
    let (total, buckets, run) = (sampler.total, bucketCount, run)
    let blocks = (run.count + Self.blockSize - 1) / Self.blockSize
    let drawn = UnsafeMutablePointer<Double>.allocate(capacity: run.count)
    let bucketOfShot = UnsafeMutablePointer<UInt32>.allocate(capacity: run.count)
    // Row b: how many shots of block b fall into each bucket, then where they go.
    let places = UnsafeMutablePointer<UInt32>.allocate(capacity: blocks * buckets)
    defer {
      drawn.deallocate()
      bucketOfShot.deallocate()
      places.deallocate()
    }
    places.update(repeating: 0, count: blocks * buckets)
    nonisolated(unsafe) let (numbers, chosen, rows) = (drawn, bucketOfShot, places)
    try context.forRuns(run.count, grain: Self.blockSize) { shots in
      run.fill(shots, numbers + shots.lowerBound)
      let uniforms = UnsafeBufferPointer(start: numbers + shots.lowerBound, count: shots.count)
      guide.find(uniforms, total, chosen + shots.lowerBound)
      let row = rows + shots.lowerBound / Self.blockSize * buckets
      for shot in shots { row[Int(chosen[shot])] &+= 1 }
    }
    starts.reserveCapacity(buckets + 1)
    var next: UInt32 = 0
    for bucket in 0..<buckets {
      starts.append(Int(next))
      for block in 0..<blocks {
        let size = rows[block * buckets + bucket]
        rows[block * buckets + bucket] = next
        next += size
      }
    }
    starts.append(Int(next))
    try context.forRuns(run.count, grain: Self.blockSize) { range in
      let row = rows + range.lowerBound / Self.blockSize * buckets
      for shot in range {
        let bucket = Int(chosen[shot])
        let place = Int(row[bucket])
        row[bucket] &+= 1
        uniforms[place] = numbers[shot]
        if hasMemory { shots[place] = UInt32(truncatingIfNeeded: shot) }
      }
    }
  }

  /// Finds and counts the outcomes.
  func outcomes(
    _ keys: OutcomeKeys, _ context: KernelContext
  ) throws(QubusError) -> SampledOutcomes {
    var shotKeys = [UInt64](repeating: 0, count: hasMemory ? run.count : 0)
    var distinct = [Int](repeating: 0, count: bucketCount)
    try shotKeys.withUnsafeMutableBufferPointer { (shotKeys) throws(QubusError) in
      nonisolated(unsafe) let shotKeys = shotKeys
      try distinct.withUnsafeMutableBufferPointer { (distinct) throws(QubusError) in
        nonisolated(unsafe) let distinct = distinct
        try context.forRuns(bucketCount, grain: 1) { buckets in
          for bucket in buckets {
            distinct[bucket] = resolve(bucket) { place, index in
              if hasMemory { shotKeys[Int(shots[place])] = keys.key(index) }
            }
          }
        }
      }
    }
    var result = SampledOutcomes(memory: hasMemory)
    if hasMemory { result.shotKeys = shotKeys }
    if keys.isOrdered {
      (result.keys, result.values) = try gather(distinct, context)
    } else {
      var histogram = KeyHistogram(keys, indexCount: distinct.reduce(0, +))
      for bucket in 0..<bucketCount {
        try context.check()
        let start = starts[bucket]
        histogram.add(indices + start, counts + start, distinct[bucket])
      }
      (result.keys, result.values) = try histogram.sorted(context.cancellation)
    }
    return result
  }

  /// The buckets' finds in one piece; they ascend already.
  private func gather(
    _ distinct: [Int], _ context: KernelContext
  ) throws(QubusError) -> (keys: [UInt64], values: [UInt64]) {
    var places: [Int] = []
    var size = 0
    for count in distinct {
      places.append(size)
      size += count
    }
    let (targets, total) = (places, size)
    var failure: QubusError?
    var values: [UInt64] = []
    let keys = [UInt64](unsafeUninitializedCapacity: total) { keys, keyCount in
      values = [UInt64](unsafeUninitializedCapacity: total) { values, valueCount in
        nonisolated(unsafe) let (keys, values) = (keys, values)
        do throws(QubusError) {
          try context.forRuns(bucketCount, grain: 8) { buckets in
            for bucket in buckets {
              let (place, start) = (targets[bucket], starts[bucket])
              for index in 0..<distinct[bucket] {
                keys[place + index] = indices[start + index]
                values[place + index] = UInt64(counts[start + index])
              }
            }
          }
        } catch { failure = error }
        valueCount = failure == nil ? total : 0
      }
      keyCount = failure == nil ? total : 0
    }
    if let failure { throw failure }
    return (keys, values)
  }

  // MARK: One bucket

  /// Finds the index of every shot in a bucket and counts equal ones.
  /// - Returns: how many distinct indices there are.
  private func resolve(_ bucket: Int, _ body: (Int, UInt64) -> Void) -> Int {
    let range = starts[bucket]..<starts[bucket + 1]
    if range.isEmpty { return 0 }
    if bucketChunks > 1 { sortByChunk(bucket, range) }
    let scratch = ChunkScratch(sampler.state)
    var found = range.lowerBound
    var start = range.lowerBound
    for chunk in bucket * bucketChunks..<(bucket + 1) * bucketChunks {
      let limit = sampler.chunkEnds[chunk]
      var end = start
      if chunk == (bucket + 1) * bucketChunks - 1 {
        end = range.upperBound
      } else {
        while end < range.upperBound && uniforms[end] * sampler.total < limit { end += 1 }
      }
      if start < end {
        resolve(chunk, start..<end, scratch, body)
        found += scratch.emit(chunk, end - start, indices + found, counts + found)
      }
      start = end
    }
    return found - range.lowerBound
  }

  /// Sorts the shots of a bucket by their uniforms' chunks: a few chunks, so by insertion into
  /// counted places.
  private func sortByChunk(_ bucket: Int, _ range: Range<Int>) {
    let first = bucket * bucketChunks
    let total = sampler.total
    var places = [Int](repeating: 0, count: bucketChunks + 1)
    let chunks = range.map { place -> Int in
      let target = uniforms[place] * total
      var (low, high) = (0, bucketChunks - 1)
      while low < high {
        let middle = (low + high) / 2
        if sampler.chunkEnds[first + middle] > target { high = middle } else { low = middle + 1 }
      }
      places[low + 1] += 1
      return low
    }
    for chunk in 0..<bucketChunks { places[chunk + 1] += places[chunk] }
    let oldUniforms = range.map { uniforms[$0] }
    let oldShots = hasMemory ? range.map { shots[$0] } : []
    for (offset, chunk) in chunks.enumerated() {
      let place = range.lowerBound + places[chunk]
      places[chunk] += 1
      uniforms[place] = oldUniforms[offset]
      if hasMemory { shots[place] = oldShots[offset] }
    }
  }

  private func resolve(
    _ chunk: Int, _ range: Range<Int>, _ scratch: ChunkScratch, _ body: (Int, UInt64) -> Void
  ) {
    scratch.reserve(range.count)
    sampler.state.cumulate(chunk: chunk, sampler.chunkEnds, to: scratch.ends)
    scratch.find(uniforms + range.lowerBound, range.count, chunk, sampler.chunkEnds, sampler.total)
    guard hasMemory else { return }
    let base = UInt64(chunk << sampler.state.chunkBits)
    for place in range {
      body(place, base | UInt64(scratch.entries[place - range.lowerBound]))
    }
  }
}

extension BlockedState {
  /// The cumulative distribution of one chunk.
  /// - Parameter ends: cumulative |a|² at the end of every chunk.
  func cumulate(chunk: Int, _ ends: [Double], to cumulative: UnsafeMutablePointer<Double>) {
    let (start, end) = (chunk == 0 ? 0 : ends[chunk - 1], ends[chunk])
    switch precision {
    case .double:
      Reductions.table.cumulate_f64(doubles(chunk: chunk), chunkOctets, start, end, cumulative)
    case .single:
      Reductions.table.cumulate_f32(floats(chunk: chunk), chunkOctets, start, end, cumulative)
    }
  }
}
