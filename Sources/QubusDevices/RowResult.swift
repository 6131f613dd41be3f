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
    forCanonicalPieces { bytes += $0 }
    return bytes
  }

  /// The same in pieces of about 64 KiB, one after the other.
  package func forCanonicalPieces<Failure: Error>(
    _ body: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    var pieces = CanonicalPieces()
    pieces.append(byte: 1)
    if let counts {
      pieces.append(byte: 1)
      pieces.append(UInt64(counts.bitCount))
      pieces.append(UInt64(counts.values.count))
      let words = counts.wordsPerKey
      for (index, value) in counts.values.enumerated() {
        for word in 0..<words { pieces.append(counts.keys[index * words + word]) }
        pieces.append(value)
        if pieces.isFull { try pieces.flush(body) }
      }
    }
    if let memory {
      pieces.append(byte: 2)
      pieces.append(UInt64(memory.count))
      try pieces.append(memory.count, body) { memory.withUnsafeBytes($0) }
    }
    for (tag, numbers) in [(3, probabilities), (4, stateVector), (5, expectationValues)] {
      guard let numbers else { continue }
      pieces.append(byte: UInt8(tag))
      pieces.append(UInt64(numbers.count))
      #if _endian(little)
        try pieces.append(8 * numbers.count, body) { numbers.withUnsafeBytes($0) }
      #else
        for number in numbers {
          pieces.append(number.bitPattern)
          if pieces.isFull { try pieces.flush(body) }
        }
      #endif
    }
    try pieces.flush(body)
  }
}

/// Bytes gathered until they are a piece.
private struct CanonicalPieces {
  private static let size = 1 << 16
  private var bytes: [UInt8] = []

  var isFull: Bool { bytes.count >= Self.size }

  mutating func append(byte: UInt8) { bytes.append(byte) }

  mutating func append(_ number: UInt64) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func flush<Failure: Error>(
    _ body: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    if bytes.isEmpty { return }
    try body(bytes)
    bytes.removeAll(keepingCapacity: true)
  }

  /// Appends `count` bytes as they lie in memory.
  /// - Parameter access: calls what it is given with them.
  mutating func append<Failure: Error>(
    _ count: Int, _ body: ([UInt8]) throws(Failure) -> Void,
    _ access: ((UnsafeRawBufferPointer) -> Void) -> Void
  ) throws(Failure) {
    var start = 0
    while start < count {
      let end = min(count, start + Self.size)
      access { bytes.append(contentsOf: $0[start..<end]) }
      if isFull { try flush(body) }
      start = end
    }
  }
}
