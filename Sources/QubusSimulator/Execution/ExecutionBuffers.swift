internal import CQubusKernels
internal import Glibc
internal import QubusCompiler
internal import QubusCore

/// Memory that the threads of one execution work in, made once.
///
/// `@unchecked Sendable`: a thread uses its own lane's part; the numbers are written before a
/// region and only read in it.
final class ExecutionBuffers: @unchecked Sendable {
  /// The plan's numbers and sorted diagonals in double precision.
  let doubles: UnsafeMutablePointer<Double>
  /// The same for the kernels in single precision.
  let floats: UnsafeMutablePointer<Float>
  let operations: UnsafeMutablePointer<qk_op>
  private let operationsPerLane: Int
  private let scratchStart: Int
  private let scratchPerLane: Int
  private let lanes: Int
  private let chunkBytes: Int
  private let chunks: UnsafeMutableRawPointer?

  /// - Parameters:
  ///   - operations: most operations of a stage.
  ///   - scratch: reals that a thread needs behind the coefficients.
  ///   - chunkBytes: size of a gathered chunk; 0 when none is.
  init(
    lanes: Int, operations: Int, coefficients: Int, scratch: Int, chunkBytes: Int,
    _ precision: Precision
  ) throws(QubusError) {
    // Lanes keep to cache lines of their own.
    operationsPerLane = (operations + 1 + 7) & ~7
    scratchPerLane = (scratch + 15) & ~15
    scratchStart = (coefficients + 15) & ~15
    self.lanes = lanes
    self.chunkBytes = chunkBytes
    let reals = scratchStart + lanes * scratchPerLane
    var memory: UnsafeMutableRawPointer?
    if chunkBytes > 0 {
      // Huge pages: a chunk's lines are spread evenly over the sets of the second-level cache, and
      // strided tiles do not miss the TLB.
      let size = (lanes * chunkBytes + Self.huge - 1) / Self.huge * Self.huge
      guard posix_memalign(&memory, Self.huge, size) == 0 else {
        throw QubusError(.insufficientMemory, "the system refused \(lanes) chunks of amplitudes")
      }
      if let memory { madvise(memory, size, MADV_HUGEPAGE) }
    }
    chunks = memory
    self.operations = .allocate(capacity: lanes * operationsPerLane)
    doubles = Self.allocate(reals)
    floats = Self.allocate(precision == .single ? reals : 16)
  }

  /// Bytes of gathered chunks, whole huge pages.
  var chunkMemory: Int {
    chunks == nil ? 0 : (lanes * chunkBytes + Self.huge - 1) / Self.huge * Self.huge
  }
  private static let huge = 2 << 20

  deinit {
    free(chunks)
    operations.deallocate()
    doubles.deallocate()
    floats.deallocate()
  }

  private static func allocate<Real: BinaryFloatingPoint>(
    _ count: Int
  ) -> UnsafeMutablePointer<Real> {
    UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Real>.stride, alignment: 64)
      .bindMemory(to: Real.self, capacity: count)
  }

  /// Memory of one lane for a gathered chunk.
  func chunk(_ lane: Int) -> UnsafeMutableRawPointer {
    guard let chunks else { preconditionFailure("no stage of this plan gathers") }
    return chunks + lane * chunkBytes
  }

  @inline(__always)
  func scratch(_ lane: Int, _: Double.Type) -> ResolutionScratch<Double> {
    ResolutionScratch(
      operations: operations + lane * operationsPerLane, coefficients: doubles,
      start: scratchStart + lane * scratchPerLane)
  }

  @inline(__always)
  func scratch(_ lane: Int, _: Float.Type) -> ResolutionScratch<Float> {
    ResolutionScratch(
      operations: operations + lane * operationsPerLane, coefficients: floats,
      start: scratchStart + lane * scratchPerLane)
  }
}
