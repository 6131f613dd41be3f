internal import Crypto
internal import Foundation
internal import QubusCore
internal import QubusTenancy

/// A data key as it lies in the database: sealed by the master key with AES-256-GCM, bound to its
/// tenant, so that the rows of two tenants cannot be exchanged.
struct WrappedKey: Sendable, Hashable {
  /// Of the master key (`MasterKey.id`).
  var master: [UInt8]
  var bytes: [UInt8]

  init(master: [UInt8], bytes: [UInt8]) {
    self.master = master
    self.bytes = bytes
  }

  /// - Throws: `internal_error`; there are random numbers, or nothing starts.
  init(_ key: [UInt8], of tenant: String, under master: MasterKey) throws(QubusError) {
    do {
      let box = try AES.GCM.seal(
        key, using: master.key, authenticating: Self.context(tenant, master.id))
      self.init(master: master.id, bytes: Array(box.nonce) + box.ciphertext + box.tag)
    } catch {
      throw QubusError(
        .internalError, "the key of tenant \(tenant) cannot be wrapped", cause: "\(error)")
    }
  }

  /// A data key that did not exist before, and its wrapped form.
  static func make(
    of tenant: String, under master: MasterKey
  ) throws(QubusError) -> (key: [UInt8], wrapped: WrappedKey) {
    let key = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    return (key, try WrappedKey(key, of: tenant, under: master))
  }

  /// The key; nil when it was changed, is another tenant's, or wrapped with another master key.
  func unwrap(of tenant: String, with master: MasterKey) -> [UInt8]? {
    guard let box = try? AES.GCM.SealedBox(combined: bytes),
      let key = try? AES.GCM.open(
        box, using: master.key, authenticating: Self.context(tenant, master.id)),
      key.count == DataKey.byteCount
    else { return nil }
    return Array(key)
  }

  private static func context(_ tenant: String, _ master: [UInt8]) -> [UInt8] {
    Array("qubus data key 1".utf8) + master + Array(tenant.utf8)
  }
}
