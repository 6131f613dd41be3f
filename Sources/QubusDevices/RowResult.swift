package import QubusCore
package import QubusSimulator

/// A row's result put together from its chunks.
package struct RowResult: Sendable {
  package var counts: Counts?
  package var memory: [UInt8]?
  package var probabilities: [Double]?
  package var stateVector: [Double]?
  package var expectationValues: [Double]?
  package var normDrift: Double?
  package var deviceMicroseconds: Microseconds = 0
  /// The plans that ran, each once.
  package var planHashes: [[UInt8]] = []

  package init() {}

  /// Adds a chunk. Chunks with memory must come in order of shots; others in any order.
  package mutating func merge(_ chunk: ChunkResult) {
    if let more = chunk.counts {
      if counts == nil { counts = more } else { counts?.merge(more) }
    }
    if let more = chunk.memory { memory = (memory ?? []) + more }
    probabilities = chunk.probabilities ?? probabilities
    stateVector = chunk.stateVector ?? stateVector
    expectationValues = chunk.expectationValues ?? expectationValues
    note(chunk)
  }

  /// Adds what a chunk says of how it was made, and leaves its results alone.
  package mutating func note(_ chunk: ChunkResult) {
    if let drift = chunk.normDrift { normDrift = max(normDrift ?? 0, drift) }
    deviceMicroseconds += chunk.deviceMicroseconds
    for hash in chunk.planHashes where !planHashes.contains(hash) { planHashes.append(hash) }
  }

  /// The content as bytes that do not depend on chunks, time or threads: the execution hash is
  /// SHA-256 over these of all rows.
  ///
  /// Version byte 1, then for each item present, in order of its tag: tag (1 byte), number of
  /// entries (8 bytes), entries. 1: counts, preceded by the number of bits (8 bytes), each entry
  /// the outcome's words and its count; 2: memory, bytes; 3, 4, 5: probabilities, state vector,
  /// expectation values, doubles by bit pattern. All numbers little-endian.
  package var canonicalBytes: [UInt8] {
    var bytes: [UInt8] = []
    appendCanonicalBytes(to: &bytes)
    return bytes
  }

  package func appendCanonicalBytes(to bytes: inout [UInt8]) {
    bytes.append(1)
    if let counts {
      bytes.append(1)
      Self.append(UInt64(counts.bitCount), to: &bytes)
      Self.append(UInt64(counts.values.count), to: &bytes)
      let words = counts.wordsPerKey
      for (index, value) in counts.values.enumerated() {
        for word in counts.keys[index * words..<(index + 1) * words] {
          Self.append(word, to: &bytes)
        }
        Self.append(value, to: &bytes)
      }
    }
    if let memory {
      bytes.append(2)
      Self.append(UInt64(memory.count), to: &bytes)
      bytes.append(contentsOf: memory)
    }
    for (tag, numbers) in [(3, probabilities), (4, stateVector), (5, expectationValues)] {
      guard let numbers else { continue }
      bytes.append(UInt8(tag))
      Self.append(UInt64(numbers.count), to: &bytes)
      Self.append(numbers, to: &bytes)
    }
  }

  private static func append(_ numbers: [Double], to bytes: inout [UInt8]) {
    #if _endian(little)
      numbers.withUnsafeBytes { bytes.append(contentsOf: $0) }
    #else
      for number in numbers { append(number.bitPattern, to: &bytes) }
    #endif
  }

  private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
