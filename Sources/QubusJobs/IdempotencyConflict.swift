package import QubusCore

extension QubusError {
  /// The same idempotency key with another request.
  package static func idempotencyConflict(
    key: String, of kind: String = "job", existing: Identifier, existingFingerprint: [UInt8],
    fingerprint: [UInt8]
  ) -> QubusError {
    let (old, new) = (hex(existingFingerprint), hex(fingerprint))
    return QubusError(
      .idempotencyConflict,
      "idempotency key \(key) belongs to \(kind) \(existing) with fingerprint \(old);"
        + " this request has fingerprint \(new)",
      details: [
        "existing_\(kind)_id": existing.description, "existing_fingerprint": old,
        "fingerprint": new,
      ])
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
