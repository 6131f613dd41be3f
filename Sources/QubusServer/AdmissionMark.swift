internal import QubusTenancy

#if canImport(Glibc)
  internal import Glibc
#endif

/// What every message of an admitted peer carries (ZeroMQ's `User-Id`, set by our answer to its
/// handshake): a secret of this life of the daemon, and the credential. Where nobody answers for a
/// peer, libzmq lets it choose its own User-Id; the secret is what it cannot choose.
struct AdmissionMark {
  /// 32 hexadecimal digits and a space.
  private let secret: [CChar]

  init() {
    var generator = SystemRandomNumberGenerator()
    let digits = Array("0123456789abcdef".utf8)
    secret = (0..<32).map { _ in CChar(digits[Int.random(in: 0..<16, using: &generator)]) } + [32]
  }

  func text(_ credential: Credential) -> String {
    String(decoding: secret.map { UInt8($0) }, as: UTF8.self) + credential.text
  }

  /// The credential behind the mark; nil when there is no mark of ours.
  func credential(_ text: UnsafePointer<CChar>) -> Credential? {
    guard strncmp(text, secret, secret.count) == 0 else { return nil }
    return Credential(text: String(cString: text + secret.count))
  }
}
