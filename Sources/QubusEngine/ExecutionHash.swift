internal import Crypto
internal import QubusJobs
internal import QubusSimulator

/// SHA-256 over the results of all rows in order, in the canonical form of `docs/determinism.md`:
/// independent of chunks, threads and storage.
struct ExecutionHash {
  private var hasher = SHA256()

  init() { hasher.update(data: Array("qubus execution 1".utf8)) }

  mutating func add(_ row: RowResult, pub: Int, row index: Int) {
    var bytes = CanonicalBytes()
    bytes.append(UInt64(pub))
    bytes.append(UInt64(index))
    bytes.append(row.counts != nil)
    if let counts = row.counts {
      bytes.append(UInt64(counts.bitCount))
      add(words: counts.keys, &bytes)
      add(words: counts.values, &bytes)
    }
    bytes.append(row.memory != nil)
    if let memory = row.memory { bytes.append(run: memory) }
    for numbers in [row.probabilities, row.stateVector, row.expectationValues] {
      bytes.append(numbers != nil)
      if let numbers { bytes.append(numbers) }
    }
    hasher.update(data: bytes.bytes)
  }

  private func add(words: [UInt64], _ bytes: inout CanonicalBytes) {
    bytes.append(UInt64(words.count))
    for word in words { bytes.append(word) }
  }

  consuming func digest() -> [UInt8] { Array(hasher.finalize()) }
}
