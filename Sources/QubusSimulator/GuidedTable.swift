internal import CQubusKernels

/// A cumulative distribution with an index into it, so that a lookup takes a step or two.
final class GuidedTable: Sendable {
  private let ends: [Double]
  private let cells: [UInt32]
  private let scale: Double

  /// - Parameter cells: size of the index.
  init(_ ends: [Double], cells cellCount: Int) {
    self.ends = ends
    let total = ends[ends.count - 1]
    let scale = total > 0 ? Double(cellCount) / total : 0
    self.scale = scale
    cells = [UInt32](unsafeUninitializedCapacity: cellCount) { cells, initialized in
      ends.withUnsafeBufferPointer { ends in
        var guide = qr_guide(
          ends: ends.baseAddress, cells: nil, start: 0, scale: scale,
          cell_count: UInt32(cellCount))
        qr_guide_fill(&guide, ends.count, cells.baseAddress)
      }
      initialized = cellCount
    }
  }

  private func withGuide<T>(_ body: (UnsafePointer<qr_guide>) -> T) -> T {
    ends.withUnsafeBufferPointer { ends in
      cells.withUnsafeBufferPointer { cells in
        var guide = qr_guide(
          ends: ends.baseAddress, cells: cells.baseAddress, start: 0, scale: scale,
          cell_count: UInt32(cells.count))
        return body(&guide)
      }
    }
  }

  /// counts[entry] += 1 for every uniform, in either of two tables of `stride` entries.
  func tally(
    _ uniforms: UnsafeBufferPointer<Double>, _ total: Double,
    _ counts: UnsafeMutablePointer<UInt32>, stride: Int
  ) {
    withGuide { qr_guide_tally($0, total, uniforms.baseAddress, uniforms.count, counts, stride) }
  }

  /// Writes the entry that each uniform selects.
  func find(
    _ uniforms: UnsafeBufferPointer<Double>, _ total: Double,
    _ entries: UnsafeMutablePointer<UInt32>
  ) {
    withGuide { qr_guide_find($0, total, uniforms.baseAddress, uniforms.count, entries) }
  }

  /// Calls `body` with the offset of each uniform and the entry it selects.
  func find(
    _ uniforms: UnsafeBufferPointer<Double>, _ total: Double, _ body: (Int, Int) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: uniforms.count) { entries in
      find(uniforms, total, entries.baseAddress.unsafelyUnwrapped)
      for offset in uniforms.indices { body(offset, Int(entries[offset])) }
    }
  }
}
