internal import Glibc
internal import QubusCompiler
package import QubusCore

/// Whole states set, copied and read.
extension BlockedState {
  private var amplitudeBytes: Int { precision.bytesPerAmplitude }

  /// Sets |0…0⟩ with qubit q at position q.
  package func reset(_ context: KernelContext) throws(QubusError) {
    try reset(liveCount: bitCount, context)
  }

  /// Sets |0…0⟩ for an executor that activates the positions from `liveCount` on by itself.
  func reset(liveCount: Int, _ context: KernelContext) throws(QubusError) {
    try clear(0..<1 << min(liveCount, dirtyCount), context)
    if liveCount >= dirtyCount { dirtyCount = 0 }
    for qubit in positions.indices { positions[qubit] = UInt8(qubit) }
    self.liveCount = liveCount
    self[0] = Amplitude(1, 0)
  }

  /// Makes 2^count amplitudes valid; for counts within one chunk.
  func extendLive(to count: Int) {
    if count <= liveCount { return }
    let lanes = 1 << precision.laneBits
    let start = max(lanes, 1 << liveCount)
    let end = min(1 << count, 1 << dirtyCount)
    if start < end {
      memset(memory + start * amplitudeBytes, 0, (end - start) * amplitudeBytes)
    }
    liveCount = count
  }

  /// Makes the system provide the memory of 2^count amplitudes. A chunk may touch every huge page
  /// of a state; doing it here spreads the system's work over the team and keeps it cancelable.
  /// - Throws: `execution_canceled`.
  func touch(to count: Int, _ context: KernelContext) throws(QubusError) {
    let page = 2 << 20
    let first = ((amplitudeBytes << dirtyCount) + page - 1) / page
    let pages = (amplitudeBytes << count) / page
    if count <= dirtyCount || pages - first < 2 { return }
    let memory = memory
    try context.forRuns(pages - first, grain: 1) { run in
      for index in run {
        memory.storeBytes(of: 0, toByteOffset: (first + index) * page, as: UInt8.self)
      }
    }
  }

  /// Writes the zeros above 2^liveCount that the memory does not hold yet.
  func makeWhole(_ context: KernelContext) throws(QubusError) {
    if liveCount < dirtyCount { try clear(1 << liveCount..<1 << dirtyCount, context) }
    liveCount = bitCount
  }

  /// Zeros in a range of amplitudes whose bounds are multiples of a block (or which is all below
  /// one block, and then the whole block is cleared).
  private func clear(_ range: Range<Int>, _ context: KernelContext) throws(QubusError) {
    let block = 1 << precision.laneBits
    let start = range.lowerBound & ~(block - 1)
    let end = (range.upperBound + block - 1) & ~(block - 1)
    let (memory, bytes) = (memory, amplitudeBytes)
    try context.forBlocks(end - start) { range in
      memset(memory + (start + range.lowerBound) * bytes, 0, range.count * bytes)
    }
  }

  /// Takes over the amplitudes and positions of a state of the same size and precision.
  package func copy(_ other: BlockedState, _ context: KernelContext) throws(QubusError) {
    precondition(other.qubitCount == qubitCount && other.precision == precision)
    let (target, source, bytes) = (memory, other.memory, amplitudeBytes)
    try context.forBlocks(count) { range in
      let start = range.lowerBound * bytes
      memcpy(target + start, source + start, range.count * bytes)
    }
    positions = other.positions
    liveCount = other.liveCount
    dirtyCount = bitCount
  }

  /// Sets the amplitudes in order of basis states, with qubit q at position q.
  /// - Parameter numbers: 2^(qubitCount + 1) numbers: re, im, re, im, …
  package func set(interleaved numbers: [Double], _ context: KernelContext) throws(QubusError) {
    precondition(numbers.count == 2 << qubitCount)
    try numbers.withUnsafeBufferPointer { (numbers) throws(QubusError) in
      nonisolated(unsafe) let numbers = numbers
      try fill(context) { index in Amplitude(numbers[2 * index], numbers[2 * index + 1]) }
    }
  }

  /// Sets a product state, with qubit q at position q.
  /// - Parameter factors: the amplitudes of |0⟩ and |1⟩ of each qubit.
  package func set(
    product factors: [(zero: Amplitude, one: Amplitude)], _ context: KernelContext
  ) throws(QubusError) {
    precondition(factors.count == qubitCount)
    let lowCount = min(qubitCount, qubitCount / 2 + 1)
    let low = Self.products(factors[..<lowCount])
    let high = Self.products(factors[lowCount...])
    try fill(context) { index in
      let (a, b) = (low[index & (low.count - 1)], high[index >> lowCount])
      return Amplitude(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x)
    }
  }

  private static func products(
    _ factors: ArraySlice<(zero: Amplitude, one: Amplitude)>
  ) -> [Amplitude] {
    var result = [Amplitude(1, 0)]
    for factor in factors {
      result =
        result.map { $0.times(factor.zero) } + result.map { $0.times(factor.one) }
    }
    return result
  }

  private func fill(
    _ context: KernelContext, _ amplitude: (Int) -> Amplitude
  ) throws(QubusError) {
    for qubit in positions.indices { positions[qubit] = UInt8(qubit) }
    if qubitCount < bitCount { try clear(0..<count, context) }
    liveCount = bitCount
    dirtyCount = bitCount
    let lanes = 1 << precision.laneBits
    let precision = precision
    nonisolated(unsafe) let memory = memory
    try context.forBlocks(1 << qubitCount) { range in
      for index in range {
        let value = amplitude(index)
        let place = (index & ~(lanes - 1)) * 2 + index & (lanes - 1)
        if precision == .double {
          let reals = memory.assumingMemoryBound(to: Double.self)
          reals[place] = value.x
          reals[place + lanes] = value.y
        } else {
          let reals = memory.assumingMemoryBound(to: Float.self)
          reals[place] = Float(value.x)
          reals[place + lanes] = Float(value.y)
        }
      }
    }
  }

  /// The amplitudes in order of basis states (qubit q is bit q) as 2^(qubitCount + 1) numbers: re,
  /// im, re, im, …
  package func interleaved() -> [Double] {
    let size = 1 << qubitCount
    return [Double](unsafeUninitializedCapacity: 2 * size) { target, initialized in
      interleave(0..<size, into: target.baseAddress.unsafelyUnwrapped)
      initialized = 2 * size
    }
  }

  /// The same by all threads.
  /// - Throws: `execution_canceled`.
  func interleaved(_ context: KernelContext) throws(QubusError) -> [Double] {
    let size = 1 << qubitCount
    var failure: QubusError?
    let numbers = [Double](unsafeUninitializedCapacity: 2 * size) { target, initialized in
      nonisolated(unsafe) let start = target.baseAddress.unsafelyUnwrapped
      do throws(QubusError) {
        try context.forBlocks(size) { interleave($0, into: start) }
        initialized = 2 * size
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return numbers
  }

  /// Writes the same to room for 2^(qubitCount + 1) numbers.
  func write(to target: UnsafeMutablePointer<Double>) {
    interleave(0..<1 << qubitCount, into: target)
  }

  private func interleave(_ range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
    let isOrdered = hasIdentityPositions
    for basis in range {
      let value = self[isOrdered ? basis : index(ofBasisState: UInt64(basis))]
      target[2 * basis] = value.x
      target[2 * basis + 1] = value.y
    }
  }
}
