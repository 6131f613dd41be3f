internal import Crypto
package import QubusCore

extension AuditEntry {
  /// Version of the canonical bytes. Kept with every record, so that a later one leaves the hashes
  /// of those before it alone.
  package static let encodingVersion: UInt32 = 1

  /// The bytes that a record's hash covers besides the hash before it.
  ///
  /// Version 1, in this order: version, number and time as 8 bytes little-endian; one byte 1 and
  /// tenant, project and name of the principal, or one byte 0; credential, token id, method,
  /// action, subject and tenant; the outcome as 8 bytes; policy, reason and trace id. Every text is
  /// its count of bytes (8 bytes little-endian) and its UTF-8.
  package func canonicalBytes(number: UInt64) -> [UInt8] {
    var bytes = CanonicalBytes(capacity: 384)
    bytes.append(UInt64(Self.encodingVersion))
    bytes.append(number)
    bytes.append(UInt64(bitPattern: time))
    bytes.append(principal != nil)
    if let principal {
      bytes.append(principal.tenant)
      bytes.append(principal.project)
      bytes.append(principal.name)
    }
    for text in [credential, tokenID, method, action, subject, tenant] { bytes.append(text) }
    bytes.append(UInt64(outcome.rawValue))
    for text in [policy, reason, traceID] { bytes.append(text) }
    return bytes.bytes
  }

  /// The entry of a request that was answered with what an earlier one of the same idempotency key
  /// had made: nothing was made again, and nobody is told otherwise.
  package func duplicate(of id: Identifier, kind: String) -> AuditEntry {
    var entry = self
    entry.subject = "\(kind) \(id) (duplicate)"
    return entry
  }
}

extension AuditRecord {
  /// What the first record follows: 32 zeros.
  package static let origin = [UInt8](repeating: 0, count: 32)

  /// The entry in its place of the chain, after the record with the hash `previous`.
  package init(number: UInt64, entry: AuditEntry, after previous: [UInt8]) {
    // Over pointers: the generic way takes longer than the hash.
    var hasher = SHA256()
    previous.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    entry.canonicalBytes(number: number).withUnsafeBytes { hasher.update(bufferPointer: $0) }
    let hash = hasher.finalize().withUnsafeBytes { Array($0) }
    self.init(number: number, entry: entry, hash: hash)
  }
}
