internal import Crypto
internal import QubusCore
internal import QubusDevices

/// SHA-256 over the results of all rows in order, in the canonical form of `docs/determinism.md`:
/// independent of chunks, threads and storage.
struct ExecutionHash {
  private var hasher = SHA256()
  /// Small rows that wait: handing each to the hasher by itself costs more than hashing it.
  private var waiting: [UInt8] = []
  private static let waitingBytes = 4096

  /// - Throws: `execution_canceled`; the hash is then as if the row had not been added.
  mutating func add(
    _ row: RowResult, pub: Int, row index: Int, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    let start = waiting.count
    var before: (hasher: SHA256, waiting: [UInt8])?
    do throws(QubusError) {
      for number in [UInt64(pub), UInt64(index)] {
        withUnsafeBytes(of: number.littleEndian) { waiting.append(contentsOf: $0) }
      }
      try row.forCanonicalPieces { (piece) throws(QubusError) in
        try cancellation.check()
        waiting += piece
        guard waiting.count >= Self.waitingBytes else { return }
        if before == nil { before = (hasher, Array(waiting[..<start])) }
        flush()
      }
    } catch {
      if let before {
        (hasher, waiting) = before
      } else {
        waiting.removeLast(waiting.count - start)
      }
      throw error
    }
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
