import Foundation
import QubusCore
import Testing

@testable import QubusTenancy

@Suite("Keys of tokens")
struct TokenKeysTests {
  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  private func write(_ text: String, _ path: String, mode: Int = 0o600) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func code(_ path: String) -> ErrorCode? {
    Result { () throws(QubusError) in try TokenKeys(path: path) }.failure?.code
  }

  @Test("the key is made at first use, for its owner only, and read again by the next life")
  func first() throws {
    let fixture = try TokenFixture()
    #expect(try mode(fixture.path) == 0o600)
    let before = try Data(contentsOf: URL(fileURLWithPath: fixture.path))
    let token = try fixture.issued()
    let again = TokenVerifier(
      keys: try TokenKeys(path: fixture.path), service: fixture.service,
      directory: fixture.directory)
    let connection = try fixture.connection()
    #expect(
      try again.identity(token, over: connection).principal
        == DirectoryFixture.alice)
    #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.path)) == before)
    #expect(!FileManager.default.fileExists(atPath: fixture.path + ".new"))
  }

  @Test(
    "a file that others may read or write is refused, and left as it is",
    arguments: [
      0o604, 0o640, 0o620, 0o602, 0o644, 0o666, 0o610, 0o777,
    ])
  func openToOthers(_ mode: Int) throws {
    let fixture = try TokenFixture()
    try FileManager.default.setAttributes(
      [.posixPermissions: mode], ofItemAtPath: fixture.path)
    let error = Result { () throws(QubusError) in try TokenKeys(path: fixture.path) }.failure
    #expect(error?.code == .invalidKey)
    #expect(error?.message.contains("0" + String(mode, radix: 8)) == true)
    #expect(error?.message.contains(fixture.path) == true)
    #expect(try self.mode(fixture.path) == mode)
  }

  @Test("a link, a folder, a long file and one that is no key are refused")
  func malformed() throws {
    let fixture = try TokenFixture()
    let path = fixture.folder.path + "/other.key"
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: fixture.path)
    #expect(code(path) == .invalidKey)
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    #expect(code(path) == .invalidKey)
    try FileManager.default.removeItem(atPath: path)
    let digits = String(repeating: "0f", count: 32)
    let good = "secret = \"\(digits)\"\n"
    for text in [
      "", "# nothing\n", "secret = \(digits)\n", "secret = \"\(digits.dropLast())\"\n",
      "secret = \"\(digits.uppercased())\"\n", "secret = \"\(digits)\" 7\n", good + good,
      good + "previous = \"\(digits)\"\n", good + "previous = \"\(digits)\" soon\n",
      good + "other = \"\(digits)\"\n", good + "\0", "secret=\"\(digits)\"\n",
      good + String(repeating: "#", count: 5000),
    ] {
      try write(text, path)
      #expect(code(path) == .invalidKey, "\(text.prefix(100))")
    }
    try write(good, path)
    #expect(code(path) == nil)
    #expect(code(fixture.folder.path + "/none/token.key") == .storageUnavailable)
  }

  @Test(
    "after a rotation tokens of the key before are good until they expire, also after a restart")
  func rotation() throws {
    let fixture = try TokenFixture()
    let old = try fixture.issued()
    let before = try fixture.stolenKey
    try fixture.keys.rotate(now: fixture.directory.now())
    let new = try fixture.issued()
    #expect(old.split(separator: ".")[0] != new.split(separator: ".")[0])
    #expect(try mode(fixture.path) == 0o600)
    let connection = try fixture.connection()
    let restarted = TokenVerifier(
      keys: try TokenKeys(path: fixture.path), service: fixture.service,
      directory: fixture.directory)
    for verifier in [fixture.verifier, restarted] {
      for token in [old, new] {
        _ = try verifier.identity(token, over: connection)
      }
    }
    // The key that is gone signs nothing any more, 15 minutes later not even for those who have it.
    fixture.clock.advance(seconds: 900)
    let late = try fixture.issued()
    var claims = try TokenFixture.claims(late)
    _ = try fixture.verify(late)
    claims["aud"] = "qubus"
    let forged = try TokenFixture.signed(claims, like: old, with: before)
    for verifier in [fixture.verifier, restarted] {
      #expect(throws: QubusError.tokenInvalid) {
        try verifier.identity(forged, over: connection)
      }
    }
    // Keys whose time is over leave the file with the next rotation.
    try fixture.keys.rotate(now: fixture.directory.now())
    let text = try String(contentsOfFile: fixture.path, encoding: .utf8)
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("previous") }.count == 1)
  }

  @Test("bytes become text and bytes again, and no other text becomes them")
  func base64() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("TokenKeysTests.base64: seed \(seed)")
    var random = SplitMix(state: seed)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let text = Base64URL.encode(bytes)
      #expect(Base64URL.decode(text) == bytes)
      let foundation = Data(bytes).base64EncodedString()
        .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
      #expect(String(decoding: text, as: UTF8.self) == foundation)
    }
    for bad in ["A", "AB", "AAB", "AA=", "AA==", "A A", "AAA+", "AAAAA"] {
      #expect(Base64URL.decode(bad.utf8) == nil, "\(bad)")
    }
    #expect(Base64URL.decode("AA".utf8) == [0])
  }
}
