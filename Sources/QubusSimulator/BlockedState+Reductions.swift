internal import CQubusKernels
internal import QubusCompiler
package import QubusCore

/// Sums over amplitudes: chunks of 2^12 by the kernels, chunk sums by a tree over the chunk number.
/// The order depends on amplitude indices only, never on threads or instruction sets.
extension BlockedState {
  /// Index bits of a chunk.
  var chunkBits: Int { min(bitCount, Int(QR_CHUNK_BITS)) }
  var chunkCount: Int { 1 << (bitCount - chunkBits) }
  /// Octets of 8 amplitudes in a chunk.
  var chunkOctets: Int { 1 << (chunkBits - 3) }
  /// Chunks that one task takes: a chunk alone is below the cost of handing it over.
  static var chunkGrain: Int { 8 }

  func doubles(chunk: Int) -> UnsafeMutablePointer<Double> { doubles + chunk << (chunkBits + 1) }
  func floats(chunk: Int) -> UnsafeMutablePointer<Float> { floats + chunk << (chunkBits + 1) }

  /// Σ|a|² of one chunk.
  func chunkNorm(_ chunk: Int) -> Double {
    switch precision {
    case .double: Reductions.table.norm_f64(doubles(chunk: chunk), chunkOctets)
    case .single: Reductions.table.norm_f32(floats(chunk: chunk), chunkOctets)
    }
  }

  /// Σ|a|² of every chunk.
  func chunkNorms(_ context: KernelContext) throws(QubusError) -> [Double] {
    var norms = [Double](repeating: 0, count: chunkCount)
    try norms.withUnsafeMutableBufferPointer { (norms) throws(QubusError) in
      nonisolated(unsafe) let norms = norms
      try context.forRuns(norms.count, grain: Self.chunkGrain) { run in
        for chunk in run { norms[chunk] = chunkNorm(chunk) }
      }
    }
    return norms
  }

  /// Σ|a|².
  package func normSquared(_ context: KernelContext) throws(QubusError) -> Double {
    if chunkCount == 1 { return chunkNorm(0) }
    var norms = try chunkNorms(context)
    return norms.withUnsafeMutableBufferPointer {
      foldByHalves($0.baseAddress.unsafelyUnwrapped, count: $0.count)
    }
  }

  /// The same without allocations.
  /// - Parameter sums: room for one number for each chunk.
  func normSquared(
    _ sums: UnsafeMutablePointer<Double>, _ context: KernelContext
  ) throws(QubusError) -> Double {
    if chunkCount == 1 { return chunkNorm(0) }
    nonisolated(unsafe) let sums = sums
    try context.forRuns(chunkCount, grain: Self.chunkGrain) { run in
      for chunk in run { sums[chunk] = chunkNorm(chunk) }
    }
    return foldByHalves(sums, count: chunkCount)
  }

  /// Probabilities (before normalisation) that `qubit` is 0 and 1.
  package func probabilities(
    qubit: Int, _ context: KernelContext
  ) throws(QubusError) -> (zero: Double, one: Double) {
    let position = Int(positions[qubit])
    if position >= chunkBits {
      // Every chunk lies on one side.
      let norms = try chunkNorms(context)
      let side = 1 << (position - chunkBits)
      var sides = norms.indices.map { $0 & side == 0 ? norms[$0] : 0 }
      let zero = sides.withUnsafeMutableBufferPointer {
        foldByHalves($0.baseAddress.unsafelyUnwrapped, count: $0.count)
      }
      sides = norms.indices.map { $0 & side == 0 ? 0 : norms[$0] }
      let one = sides.withUnsafeMutableBufferPointer {
        foldByHalves($0.baseAddress.unsafelyUnwrapped, count: $0.count)
      }
      return (zero, one)
    }
    if chunkCount == 1 { return split(chunk: 0, position: position) }
    let chunks = chunkCount
    var sums = [Double](repeating: 0, count: 2 * chunks)
    return try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      nonisolated(unsafe) let start = sums.baseAddress.unsafelyUnwrapped
      try context.forRuns(chunks, grain: Self.chunkGrain) { run in
        for chunk in run {
          (start[chunk], start[chunks + chunk]) = split(chunk: chunk, position: position)
        }
      }
      return (foldByHalves(start, count: chunks), foldByHalves(start + chunks, count: chunks))
    }
  }

  private func split(chunk: Int, position: Int) -> (zero: Double, one: Double) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2) { sums in
      switch precision {
      case .double:
        Reductions.table.split_f64(
          doubles(chunk: chunk), chunkOctets, UInt32(position), sums.baseAddress)
      case .single:
        Reductions.table.split_f32(
          floats(chunk: chunk), chunkOctets, UInt32(position), sums.baseAddress)
      }
      return (sums[0], sums[1])
    }
  }

  // MARK: Projection

  /// Keeps the amplitudes with `qubit` equal to `outcome`, times `scale`.
  package func collapse(
    qubit: Int, outcome: Bool, scale: Double, _ context: KernelContext
  ) throws(QubusError) {
    try project(qubit, outcome, place: outcome, scale, context)
  }

  /// As `collapse`, and brings the qubit to |0⟩.
  package func collapseToZero(
    qubit: Int, outcome: Bool, scale: Double, _ context: KernelContext
  ) throws(QubusError) {
    try project(qubit, outcome, place: false, scale, context)
  }

  private func project(
    _ qubit: Int, _ outcome: Bool, place: Bool, _ scale: Double, _ context: KernelContext
  ) throws(QubusError) {
    let position = Int(positions[qubit])
    let (from, to) = (outcome ? 1 : 0, place ? 1 : 0)
    if position < chunkBits {
      try context.forRuns(chunkCount, grain: Self.chunkGrain) { run in
        for chunk in run { project(chunk: chunk, position, from, to, scale) }
      }
      return
    }
    let side = 1 << (position - chunkBits)
    try context.forRuns(chunkCount / 2, grain: Self.chunkGrain) { run in
      for pair in run {
        let chunk = (pair & ~(side - 1)) << 1 | pair & (side - 1)
        moveChunk(from: chunk + from * side, to: chunk + to * side, scale)
        clearChunk(chunk + (1 - to) * side)
      }
    }
  }

  private func project(
    chunk: Int, _ position: Int, _ outcome: Int, _ place: Int, _ scale: Double
  ) {
    switch precision {
    case .double:
      Reductions.table.collapse_f64(
        doubles(chunk: chunk), chunkOctets, UInt32(position), UInt32(outcome), UInt32(place), scale)
    case .single:
      Reductions.table.collapse_f32(
        floats(chunk: chunk), chunkOctets, UInt32(position), UInt32(outcome), UInt32(place), scale)
    }
  }

  private func moveChunk(from source: Int, to target: Int, _ scale: Double) {
    let count = 2 << chunkBits
    switch precision {
    case .double:
      let (source, target) = (doubles(chunk: source), doubles(chunk: target))
      for index in 0..<count { target[index] = source[index] * scale }
    case .single:
      let (source, target, factor) = (floats(chunk: source), floats(chunk: target), Float(scale))
      for index in 0..<count { target[index] = source[index] * factor }
    }
  }

  private func clearChunk(_ chunk: Int) {
    switch precision {
    case .double: doubles(chunk: chunk).update(repeating: 0, count: 2 << chunkBits)
    case .single: floats(chunk: chunk).update(repeating: 0, count: 2 << chunkBits)
    }
  }
}
