package import QubusCore

package typealias EvolutionProgress = @Sendable (Double) -> Void

/// Who does a kernel's work and who may stop it.
package struct KernelContext: Sendable {
  package let team: ComputeTeam
  package let cancellation: CancellationFlag
  /// Told now and then how much of an evolution is done, 0 ... 1, by the thread that called for it:
  /// a chance to report that costs nothing where there is one chunk.
  package let progress: EvolutionProgress?

  package init(
    team: ComputeTeam, cancellation: CancellationFlag, progress: EvolutionProgress? = nil
  ) {
    self.team = team
    self.cancellation = cancellation
    self.progress = progress
  }

  /// Loop indices of one block: the unit that threads take and after which cancellation is polled
  /// (below a millisecond of work).
  static let blockSize = 1 << 14

  /// Runs `body` over `0 ..< count` in blocks of fixed size.
  /// - Throws: `execution_canceled`; the state is then undefined.
  func forBlocks(_ count: Int, _ body: (Range<Int>) -> Void) throws(QubusError) {
    if count <= Self.blockSize {
      body(0..<count)
      return
    }
    let blocks = (count + Self.blockSize - 1) / Self.blockSize
    team.run(parts: blocks) { block, _ in
      if cancellation.isCanceled { return }
      let start = block * Self.blockSize
      body(start..<min(start + Self.blockSize, count))
    }
    try check()
  }

  /// Runs `body` for every reduction chunk.
  /// - Throws: `execution_canceled`.
  func forChunks(_ count: Int, _ body: (Int) -> Void) throws(QubusError) {
    if count <= Self.blockSize / ReferenceStateVector.chunkSize {
      for chunk in 0..<count { body(chunk) }
      return
    }
    team.run(parts: count) { chunk, _ in
      if !cancellation.isCanceled { body(chunk) }
    }
    try check()
  }

  /// - Throws: `execution_canceled` once the flag is set.
  func check() throws(QubusError) { try cancellation.check() }
}
