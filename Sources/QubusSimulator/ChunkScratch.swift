internal import CQubusKernels

/// Memory of one thread that resolves shots within chunks.
final class ChunkScratch {
  private let size: Int
  private let bits: Int
  /// The chunk's cumulative distribution.
  let ends: UnsafeMutablePointer<Double>
  /// The entry in the chunk of each shot.
  private(set) var entries: UnsafeMutablePointer<UInt32>
  private var capacity = 0
  private let cells: UnsafeMutablePointer<UInt32>
  /// Shots per entry; all 0 between chunks.
  private let tally: UnsafeMutablePointer<UInt32>
  /// From here on an index into the distribution is worth making.
  private static let guideShots = 512

  init(_ state: BlockedState) {
    bits = state.chunkBits
    size = 1 << bits
    ends = .allocate(capacity: size)
    cells = .allocate(capacity: size)
    tally = .allocate(capacity: size)
    tally.update(repeating: 0, count: size)
    entries = .allocate(capacity: 0)
  }

  deinit {
    ends.deallocate()
    cells.deallocate()
    tally.deallocate()
    entries.deallocate()
  }

  func reserve(_ count: Int) {
    if count <= capacity { return }
    entries.deallocate()
    entries = .allocate(capacity: count)
    capacity = count
  }

  /// Finds the entry of each uniform, by either of two ways that agree.
  func find(
    _ uniforms: UnsafePointer<Double>, _ count: Int, _ chunk: Int, _ chunkEnds: [Double],
    _ total: Double
  ) {
    if count < Self.guideShots {
      qr_bisect(ends, size, total, uniforms, count, entries)
      return
    }
    let start = chunk == 0 ? 0 : chunkEnds[chunk - 1]
    let width = chunkEnds[chunk] - start
    var guide = qr_guide(
      ends: ends, cells: cells, start: start, scale: width > 0 ? Double(size) / width : 0,
      cell_count: UInt32(size))
    qr_guide_fill(&guide, size, cells)
    qr_guide_find(&guide, total, uniforms, count, entries)
  }

  /// Writes the distinct indices among the first `count` entries, ascending, and how often each
  /// occurs.
  /// - Returns: how many there are.
  func emit(
    _ chunk: Int, _ count: Int, _ indices: UnsafeMutablePointer<UInt64>,
    _ counts: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let base = UInt64(chunk << bits)
    var found = 0
    if count < 128 {
      var sorted = UnsafeMutableBufferPointer(start: entries, count: count)
      sorted.sort()
      for place in 0..<count {
        if place > 0 && entries[place] == entries[place - 1] {
          counts[found - 1] += 1
        } else {
          indices[found] = base | UInt64(entries[place])
          counts[found] = 1
          found += 1
        }
      }
      return found
    }
    for place in 0..<count { tally[Int(entries[place])] &+= 1 }
    return qr_emit(tally, size, base, indices, counts, count)
  }
}
