/// A stage laid out for execution.
struct PreparedStage {
  /// Among the plan's operations.
  var operations: Range<Int>
  /// Positions inside a chunk; at least the kernels' minimum, the lane bits among them.
  var localMask: UInt64
  /// Positions outside, which number the chunks.
  var outerMask: UInt64
  /// 2^liveCount amplitudes exist from this stage on.
  var liveCount: Int
  /// Lowest positions that are all local: runs of 2^runBits amplitudes lie together.
  var runBits: Int
  /// False when every chunk runs the same operations with the same numbers.
  var isVariable = false
  /// An operation whose numbers may take up any scale, and one that takes up a real one; -1: none.
  var complexFold = -1
  var realFold = -1
  /// Where a folded operation's numbers go in a thread's scratch, in reals.
  var foldScratch = 0

  var localBits: Int { localMask.nonzeroBitCount }
  var chunkCount: Int { 1 << outerMask.nonzeroBitCount }
  /// A chunk is contiguous, so nothing is copied.
  var isInPlace: Bool { runBits == localBits }
}
