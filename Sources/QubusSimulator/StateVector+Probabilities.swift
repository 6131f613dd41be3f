internal import QubusCompiler
internal import QubusCore

extension StateVector {
  /// The amplitudes as 2^(n+1) numbers: re, im, re, im, …
  package func interleaved() -> [Double] {
    [Double](unsafeUninitializedCapacity: 2 * count) { target, initialized in
      for index in 0..<count {
        target[2 * index] = amplitudes[index].x
        target[2 * index + 1] = amplitudes[index].y
      }
      initialized = 2 * count
    }
  }

  /// Exact probabilities over classical bits, or over all qubits without a map.
  func probabilities(_ map: OutcomeMap?, _ context: KernelContext) throws(QubusError) -> [Double] {
    guard let map else { return try basisProbabilities(context) }
    var result = [Double](repeating: 0, count: 1 << map.bitCount)
    var compact = [Double](repeating: 0, count: 1 << map.qubits.count)
    // In order of index on one thread: several amplitudes may share an outcome.
    for chunk in 0..<chunkCount {
      try context.check()
      for index in chunk * min(count, Self.chunkSize)..<(chunk + 1) * min(count, Self.chunkSize) {
        compact[Int(map.compactKey(UInt64(index)))] += norm(amplitudes[index])
      }
    }
    var words: [UInt64] = []
    for (key, probability) in compact.enumerated() {
      words.removeAll(keepingCapacity: true)
      map.appendWords(UInt64(key), to: &words)
      result[Int(words[0])] = probability
    }
    return result
  }

  private func basisProbabilities(_ context: KernelContext) throws(QubusError) -> [Double] {
    var result = [Double](repeating: 0, count: count)
    let amplitudes = amplitudes
    try result.withUnsafeMutableBufferPointer { (result) throws(QubusError) in
      nonisolated(unsafe) let result = result
      try context.forBlocks(count) { range in
        for index in range { result[index] = norm(amplitudes[index]) }
      }
    }
    return result
  }
}
