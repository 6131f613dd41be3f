package import Crypto
package import QubusCore

/// The key that wraps the data keys of all tenants: 32 bytes, written as 64 hexadecimal digits. It
/// lies outside of the data directory, or a command supplies it.
package struct MasterKey: Sendable {
  package static let byteCount = 32

  package let key: SymmetricKey
  /// 8 bytes that tell keys apart and nothing about them.
  package let id: [UInt8]

  /// A new one.
  package init() { self.init(key: SymmetricKey(size: .bits256)) }

  private init(key: SymmetricKey) {
    self.key = key
    let mark = HMAC<SHA256>.authenticationCode(for: Array("qubus master key id".utf8), using: key)
    id = Array(mark.prefix(8))
  }

  /// - Parameter source: what messages call it.
  /// - Throws: `invalid_key` unless the text is 64 hexadecimal digits, with white space around
  ///   them.
  package init(text: [UInt8], source: String) throws(QubusError) {
    var digits = text[...].drop(while: Self.isSpace)
    while let last = digits.last, Self.isSpace(last) { digits.removeLast() }
    guard let bytes = Hexadecimal.bytes(String(decoding: digits, as: UTF8.self)),
      bytes.count == Self.byteCount
    else {
      throw QubusError(
        .invalidKey, "the master key of \(source) is not \(2 * Self.byteCount) hexadecimal digits")
    }
    self.init(key: SymmetricKey(data: bytes))
  }

  /// - Throws: `invalid_key` when the file is missing, open to others, or holds no key;
  ///   `storage_unavailable` when it cannot be read.
  package init(file path: String) throws(QubusError) {
    guard let text = try SecretFile.contents(of: path) else {
      throw .invalidKey(path, "does not exist")
    }
    try self.init(text: text, source: path)
  }

  /// The form of key files.
  package var text: String {
    Hexadecimal.text(key.withUnsafeBytes { Array($0) })
  }

  package var idText: String { Hexadecimal.text(id) }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
