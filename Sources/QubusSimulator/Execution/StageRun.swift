internal import CQubusKernels
internal import Glibc
internal import QubusCompiler
internal import QubusCore
internal import Synchronization

/// A kind of real number that kernels exist for.
protocol KernelReal: BinaryFloatingPoint, Sendable {
  static func scratch(_ buffers: ExecutionBuffers, _ lane: Int) -> ResolutionScratch<Self>
  static func apply(
    _ kernels: KernelTable, _ chunk: UnsafeMutableRawPointer, bits: Int,
    _ operations: UnsafePointer<qk_op>, count: Int, _ coefficients: UnsafePointer<Self>)
}

extension Double: KernelReal {
  @inline(__always)
  static func scratch(_ buffers: ExecutionBuffers, _ lane: Int) -> ResolutionScratch<Double> {
    buffers.scratch(lane, Double.self)
  }
  @inline(__always)
  static func apply(
    _ kernels: KernelTable, _ chunk: UnsafeMutableRawPointer, bits: Int,
    _ operations: UnsafePointer<qk_op>, count: Int, _ coefficients: UnsafePointer<Double>
  ) {
    kernels.apply(
      chunk.assumingMemoryBound(to: Double.self), bits: bits, operations, count: count,
      coefficients)
  }
}

extension Float: KernelReal {
  @inline(__always)
  static func scratch(_ buffers: ExecutionBuffers, _ lane: Int) -> ResolutionScratch<Float> {
    buffers.scratch(lane, Float.self)
  }
  @inline(__always)
  static func apply(
    _ kernels: KernelTable, _ chunk: UnsafeMutableRawPointer, bits: Int,
    _ operations: UnsafePointer<qk_op>, count: Int, _ coefficients: UnsafePointer<Float>
  ) {
    kernels.apply(
      chunk.assumingMemoryBound(to: Float.self), bits: bits, operations, count: count,
      coefficients)
  }
}

/// One stage at work on one state.
///
/// `@unchecked Sendable`: lives for one region; chunks are disjoint, lanes have their own memory.
struct StageRun<Real: KernelReal>: @unchecked Sendable {
  let stage: PreparedStage
  let shared: StageNumbers
  let kernels: KernelTable
  let buffers: ExecutionBuffers
  let memory: UnsafeMutableRawPointer
  let cancellation: CancellationFlag
  let bytesPerAmplitude: Int
  /// Amplitudes that hold something when the stage starts, and that memory has been written for.
  let liveAmplitudes: Int
  let dirtyAmplitudes: Int
  /// The part of the evolution that this stage is.
  let share: ClosedRange<Double>

  /// Amplitude operations between two looks at the cancellation flag: below 50 ms of dense blocks.
  private static var operationBatch: Int { 1 << 20 }

  func run(_ context: KernelContext) throws(QubusError) {
    let chunks = stage.chunkCount
    // Where all chunks run the same, what the caller resolves serves every lane.
    let scratch = Real.scratch(buffers, 0)
    let fixedCount = stage.isVariable ? 0 : stage.resolve(base: 0, shared, scratch)
    func run(_ chunk: Int, _ lane: Int) {
      if stage.isVariable {
        runVariable(chunk, lane)
      } else {
        runOperations(chunk, lane, fixedCount, scratch)
      }
    }
    if chunks == 1 {
      run(0, 0)
    } else {
      let done = Atomic<Int>(0)
      context.team.run(parts: chunks) { chunk, lane in
        run(chunk, lane)
        guard let progress = context.progress else { return }
        let count = done.add(1, ordering: .relaxed).newValue
        if lane == 0 { report(count, of: chunks, progress) }
      }
    }
    try context.check()
  }

  private func report(_ done: Int, of chunks: Int, _ progress: EvolutionProgress) {
    let part = Double(done) / Double(chunks)
    progress(share.lowerBound + part * (share.upperBound - share.lowerBound))
  }

  private func runVariable(_ chunk: Int, _ lane: Int) {
    let base = UInt64(chunk).deposited(into: stage.outerMask)
    let scratch = Real.scratch(buffers, lane)
    let count = Int(base) < liveAmplitudes ? stage.resolve(base: base, shared, scratch) : 0
    runOperations(chunk, lane, count, scratch)
  }

  private func runOperations(
    _ chunk: Int, _ lane: Int, _ count: Int, _ scratch: ResolutionScratch<Real>
  ) {
    if cancellation.isCanceled { return }
    let base = Int(UInt64(chunk).deposited(into: stage.outerMask))
    if base >= liveAmplitudes {
      // Zeros stay zeros.
      clear(base)
    } else if stage.isInPlace {
      apply(memory + base * bytesPerAmplitude, count, scratch)
    } else {
      let buffer = buffers.chunk(lane)
      gather(base, into: buffer)
      apply(buffer, count, scratch)
      scatter(buffer, to: base)
    }
  }

  @inline(__always)
  private func apply(
    _ chunk: UnsafeMutableRawPointer, _ count: Int, _ scratch: ResolutionScratch<Real>
  ) {
    let bits = stage.localBits
    let batch = max(1, Self.operationBatch >> bits)
    var first = 0
    while first < count {
      if first > 0 && cancellation.isCanceled { return }
      Real.apply(
        kernels, chunk, bits: bits, scratch.operations + first, count: min(batch, count - first),
        scratch.coefficients)
      first += batch
    }
  }

  // MARK: Moving chunks

  /// Calls `body(place, run)` for the runs of consecutive amplitudes of a chunk, in local order.
  @inline(__always)
  private func forRuns(_ base: Int, _ body: (_ index: Int, _ run: Int) -> Void) {
    let runMask = Int(stage.localMask) & ~((1 << stage.runBits) - 1)
    var offset = 0
    var run = 0
    repeat {
      body(base | offset, run)
      run += 1
      offset = (offset &- runMask) & runMask
    } while offset != 0
  }

  private func gather(_ base: Int, into buffer: UnsafeMutableRawPointer) {
    let bytes = bytesPerAmplitude << stage.runBits
    forRuns(base) { index, run in
      let target = buffer + run * bytes
      if index < liveAmplitudes {
        copyBlocks(to: target, from: memory + index * bytesPerAmplitude, bytes)
      } else {
        memset(target, 0, bytes)
      }
    }
  }

  private func scatter(_ buffer: UnsafeMutableRawPointer, to base: Int) {
    let bytes = bytesPerAmplitude << stage.runBits
    forRuns(base) { index, run in
      copyBlocks(to: memory + index * bytesPerAmplitude, from: buffer + run * bytes, bytes)
    }
  }

  private func clear(_ base: Int) {
    let bytes = bytesPerAmplitude << stage.runBits
    forRuns(base) { index, _ in
      if index < dirtyAmplitudes { memset(memory + index * bytesPerAmplitude, 0, bytes) }
    }
  }
}

/// Copies whole cache lines, both ends aligned to them.
@inline(__always)
private func copyBlocks(
  to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ bytes: Int
) {
  if bytes >= 1024 {
    memcpy(target, source, bytes)
    return
  }
  var offset = 0
  while offset < bytes {
    target.storeBytes(
      of: source.load(fromByteOffset: offset, as: SIMD8<UInt64>.self), toByteOffset: offset,
      as: SIMD8<UInt64>.self)
    offset += 64
  }
}

extension PlanExecutor {
  func run<Real: KernelReal>(
    _ stage: PreparedStage, scale: Double, _ share: ClosedRange<Double>, _ state: BlockedState,
    _ context: KernelContext, _: Real.Type
  ) throws(QubusError) {
    state.extendLive(to: stage.runBits)
    if !stage.isInPlace { try state.touch(to: stage.liveCount, context) }
    let run = StageRun<Real>(
      stage: stage, shared: stageNumbers(scale: scale), kernels: kernels, buffers: buffers,
      memory: state.memory, cancellation: context.cancellation,
      bytesPerAmplitude: state.precision.bytesPerAmplitude, liveAmplitudes: 1 << state.liveCount,
      dirtyAmplitudes: 1 << state.dirtyCount, share: share)
    try run.run(context)
    state.liveCount = max(state.liveCount, stage.liveCount)
    state.dirtyCount = max(state.dirtyCount, stage.liveCount)
  }
}
