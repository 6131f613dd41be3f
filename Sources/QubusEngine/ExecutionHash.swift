internal import Crypto
internal import QubusDevices

/// SHA-256 over the results of all rows in order, in the canonical form of `docs/determinism.md`:
/// independent of chunks, threads and storage.
struct ExecutionHash {
  private var hasher = SHA256()
  /// Small rows that wait: handing each to the hasher by itself costs more than hashing it.
  private var waiting: [UInt8] = []
  private static let waitingBytes = 4096

  mutating func add(_ row: RowResult, pub: Int, row index: Int) {
    for number in [UInt64(pub), UInt64(index)] {
      withUnsafeBytes(of: number.littleEndian) { waiting.append(contentsOf: $0) }
    }
    row.appendCanonicalBytes(to: &waiting)
    if waiting.count >= Self.waitingBytes { flush() }
  }

  private mutating func flush() {
    hasher.update(data: waiting)
    waiting.removeAll(keepingCapacity: waiting.count <= 4 * Self.waitingBytes)
  }

  consuming func digest() -> [UInt8] {
    flush()
    return Array(hasher.finalize())
  }
}
