internal import Crypto
internal import QubusCore
internal import QubusDevices
internal import QubusJobs

/// SHA-256 over the results of all rows in order, in the canonical form of `docs/determinism.md`:
/// independent of chunks, threads and storage.
struct ExecutionHash {
  private var hasher = SHA256()

  /// - Throws: `execution_canceled`; the hash is then as if the row had not been added.
  mutating func add(
    _ row: RowResult, pub: Int, row index: Int, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    var place = CanonicalBytes()
    place.append(UInt64(pub))
    place.append(UInt64(index))
    var hasher = self.hasher
    hasher.update(data: place.bytes)
    try row.forCanonicalPieces { (piece) throws(QubusError) in
      try cancellation.check()
      hasher.update(data: piece)
    }
    self.hasher = hasher
  }

  consuming func digest() -> [UInt8] { Array(hasher.finalize()) }
}
