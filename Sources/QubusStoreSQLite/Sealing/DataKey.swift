internal import Crypto
internal import Glibc
internal import QubusCore

/// A tenant's data key and what is done with it.
///
/// A sealed value is 8 bytes that mark it, a salt of 16, a nonce of 12, the AES-256-GCM ciphertext
/// and its tag of 16. Each value has a key of its own, HMAC-SHA256 of the salt under the data key:
/// salt and nonce are 224 random bits together, and the chance that 2^64 values of one tenant use
/// the same twice is below 2^-90. With the data key itself and 96 random bits, 2^32 values would be
/// the end of it.
/// - Source: NIST SP 800-38D §8.2.2 and §8.3 for the bound; Gueron and Lindell 2017, "Better Bounds
///   for Block Cipher Modes of Operation via Nonce-Based Key Derivation".
struct DataKey: Sendable {
  static let byteCount = 32
  /// No message of protobuf begins with a zero, and no packed list with such a length.
  static let mark: [UInt8] = [0, 0x71, 0x62, 0x73, 0x65, 0x61, 0x6C, 1]
  private static let saltBytes = 16
  private static let nonceBytes = 12
  private static let tagBytes = 16
  /// What a sealed value is longer than the plain one.
  static let overhead = mark.count + saltBytes + nonceBytes + tagBytes

  private let sealing: SymmetricKey
  private let marking: SymmetricKey

  /// - Parameter bytes: 32.
  init(_ bytes: [UInt8]) {
    precondition(bytes.count == Self.byteCount, "not a data key")
    let root = SymmetricKey(data: bytes)
    sealing = Self.derived(root, Array("qubus values".utf8))
    marking = Self.derived(root, Array("qubus marks".utf8))
  }

  private static func derived(_ key: SymmetricKey, _ text: [UInt8]) -> SymmetricKey {
    SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: text, using: key))
  }

  static func isSealed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: mark) }

  func seal(_ bytes: [UInt8], at place: SealPlace) throws(QubusError) -> [UInt8] {
    try seal(bytes[...], at: place)
  }

  /// - Throws: `internal_error` when the system has no random numbers.
  func seal(_ bytes: ArraySlice<UInt8>, at place: SealPlace) throws(QubusError) -> [UInt8] {
    var random = [UInt8](repeating: 0, count: Self.saltBytes + Self.nonceBytes)
    guard getentropy(&random, random.count) == 0 else {
      throw QubusError(.internalError, "the system has no random numbers")
    }
    let key = Self.derived(sealing, Array(random[..<Self.saltBytes]))
    do {
      let box = try AES.GCM.seal(
        bytes, using: key, nonce: AES.GCM.Nonce(data: random[Self.saltBytes...]),
        authenticating: place.bytes)
      var sealed: [UInt8] = []
      sealed.reserveCapacity(Self.overhead + bytes.count)
      sealed += Self.mark
      sealed += random
      sealed += box.ciphertext
      sealed += box.tag
      return sealed
    } catch {
      throw QubusError(.internalError, "a value cannot be sealed", cause: "\(error)")
    }
  }

  /// The plain value; nil when it was changed, comes from another place or another tenant.
  func open(_ sealed: [UInt8], at place: SealPlace) -> [UInt8]? {
    guard sealed.count >= Self.overhead, Self.isSealed(sealed) else { return nil }
    let salt = Self.mark.count
    let nonce = salt + Self.saltBytes
    let text = nonce + Self.nonceBytes
    let tag = sealed.count - Self.tagBytes
    let key = Self.derived(sealing, Array(sealed[salt..<nonce]))
    guard
      let box = try? AES.GCM.SealedBox(
        nonce: AES.GCM.Nonce(data: sealed[nonce..<text]), ciphertext: sealed[text..<tag],
        tag: sealed[tag...]),
      let plain = try? AES.GCM.open(box, using: key, authenticating: place.bytes)
    else { return nil }
    return Array(plain)
  }

  /// Stands for a text in a column that is looked up: equal texts of one tenant have equal marks.
  func mark(_ text: String, of column: String) -> String {
    Hexadecimal.text(code(column, Array(text.utf8)).prefix(16))
  }

  /// Name of the file of an item: nobody can tell from it whether two tenants have the same result.
  func fileName(_ job: Identifier, item: Int) -> [UInt8] {
    code("file", job.bytes + Array("\(item)".utf8))
  }

  private func code(_ column: String, _ bytes: [UInt8]) -> [UInt8] {
    var hash = HMAC<SHA256>(key: marking)
    hash.update(data: Array(column.utf8) + [0])
    hash.update(data: bytes)
    return Array(hash.finalize())
  }
}
