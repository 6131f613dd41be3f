/// A public key of 32 bytes as text in Z85.
/// - Source: ZeroMQ RFC 32.
package enum PublicKeyText {
  /// Characters.
  package static let count = 40

  private static let alphabet = Array(
    ("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      + ".-:+=^!/*?&<>()[]{}@%$#").utf8)
  private static let values = Dictionary(
    uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt64($0)) })

  /// Five characters are four bytes, so that not every five of the alphabet mean something.
  package static func isValid(_ text: String) -> Bool {
    let characters = Array(text.utf8)
    guard characters.count == count else { return false }
    return stride(from: 0, to: count, by: 5).allSatisfy { start in
      var word: UInt64 = 0
      for character in characters[start..<start + 5] {
        guard let value = values[character] else { return false }
        word = word * 85 + value
      }
      return word <= UInt64(UInt32.max)
    }
  }
}
