internal import Crypto
internal import QubusDevices
internal import QubusJobs

/// SHA-256 over the results of all rows in order, in the canonical form of `docs/determinism.md`:
/// independent of chunks, threads and storage.
struct ExecutionHash {
  private var hasher = SHA256()

  mutating func add(_ row: RowResult, pub: Int, row index: Int) {
    var place = CanonicalBytes()
    place.append(UInt64(pub))
    place.append(UInt64(index))
    hasher.update(data: place.bytes)
    hasher.update(data: row.canonicalBytes)
  }

  consuming func digest() -> [UInt8] { Array(hasher.finalize()) }
}
