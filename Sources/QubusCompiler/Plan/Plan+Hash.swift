internal import Crypto
package import QubusCore

extension Plan {
  /// SHA-256 over what runs, in which order and where: operations, stages and positions. Numbers
  /// follow from the circuit, its parameters and the planner; they are not part of it.
  ///
  /// Little-endian, each number 8 bytes: 1 (version), qubits, bytes of an amplitude, version of the
  /// cost table; for every stage the end of its operations, local mask, live count; for every
  /// operation kind, control mask and value, factor mask, offset, number of targets, targets; the
  /// positions at the start and at the end.
  /// - Throws: `execution_canceled`.
  package func hash(_ cancellation: CancellationFlag? = nil) throws(QubusError) -> [UInt8] {
    var hasher = WordHasher()
    hasher.append([
      1, UInt64(qubitCount), UInt64(precision.bytesPerAmplitude), UInt64(costs.version),
    ])
    for stage in stages {
      hasher.append([
        UInt64(stage.operations.upperBound), stage.localMask, UInt64(stage.liveCount),
      ])
    }
    for (step, operation) in operations.enumerated() {
      try cancellation.poll(step)
      hasher.append(UInt64(operation.kind.rawValue))
      hasher.append(operation.controlMask)
      hasher.append(operation.controlValue)
      hasher.append(operation.factorMask)
      hasher.append(UInt64(operation.offset))
      hasher.append(UInt64(operation.targets.count))
      for target in operation.targets { hasher.append(UInt64(target)) }
    }
    for position in initialPositions { hasher.append(UInt64(position)) }
    for position in finalPositions { hasher.append(UInt64(position)) }
    return hasher.digest()
  }
}

/// SHA-256 over 64-bit numbers in little-endian order, a few thousand at a time.
private struct WordHasher {
  private var hasher = SHA256()
  private var words: [UInt64] = []

  mutating func append(_ word: UInt64) {
    words.append(word.littleEndian)
    if words.count >= 4096 { flush() }
  }

  mutating func append(_ more: [UInt64]) {
    for word in more { append(word) }
  }

  private mutating func flush() {
    words.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    words.removeAll(keepingCapacity: true)
  }

  mutating func digest() -> [UInt8] {
    flush()
    return Array(hasher.finalize())
  }
}
