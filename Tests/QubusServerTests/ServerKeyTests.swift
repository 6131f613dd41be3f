import Foundation
import QubusCore
import Testing

@testable import QubusServer

@Suite("Server: key files")
struct ServerKeyTests {
  private let directory = Fixture.makeDirectory()

  private func refusal() -> QubusError? {
    do {
      _ = try ServerKey(name: "server", directory: directory)
      return nil
    } catch {
      return error
    }
  }

  private func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test("a key is made once, private, its public half beside it")
  func made() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let key = try ServerKey(name: "server", directory: directory)
    #expect(key.publicKey.utf8.count == 40 && key.secretKey.utf8.count == 40)
    #expect(try mode("server.key") == 0o600)
    #expect(try mode("server.pub") == 0o644)
    let again = try ServerKey(name: "server", directory: directory)
    #expect(again.publicKey == key.publicKey && again.secretKey == key.secretKey)
    #expect(try ServerKey(name: "next", directory: directory).publicKey != key.publicKey)
    let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    #expect(names == ["next.key", "next.pub", "server.key", "server.pub"])
  }

  @Test("a key that others may read is refused with its mode", arguments: [0o640, 0o604, 0o660])
  func readable(mode: Int) throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    _ = try ServerKey(name: "server", directory: directory)
    let path = "\(directory)/server.key"
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    let error = try #require(refusal())
    #expect(error.code == .invalidKey)
    #expect(error.message.contains(String(mode, radix: 8)) && error.message.contains(path))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    #expect(refusal() == nil)
  }

  @Test("what is no key, a link and a folder are refused, and the message never shows the contents")
  func malformed() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = "\(directory)/server.key"
    for text in ["", "short", String(repeating: "~", count: 40), String(repeating: "a", count: 41)]
    {
      try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: path))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      let error = try #require(refusal(), "\(text)")
      #expect(error.code == .invalidKey)
      #expect(text.isEmpty || !error.message.contains(text))
    }
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: "\(directory)/elsewhere")
    #expect(refusal()?.code == .invalidKey)
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(refusal()?.code == .invalidKey)
  }

  @Test("a directory that is not there is told")
  func unwritable() throws {
    try FileManager.default.removeItem(atPath: directory)
    #expect(refusal()?.code == .storageUnavailable)
  }
}
