internal import Crypto
internal import Foundation
package import QubusCore
internal import QubusJobs

/// A signed statement that the audit had a certain record with a certain hash. Kept outside of the
/// machine it shows what the chain alone cannot: records cut off at the end, and a chain that was
/// computed anew.
package struct AuditCheckpoint: Sendable, Hashable {
  /// Of the data directory.
  package var service: Identifier
  /// Of the last record then; 0: there was none.
  package var number: UInt64
  /// Of that record.
  package var hash: [UInt8]
  package var time: Microseconds
  /// Ed25519, 32 bytes: to be compared with the one that was noted when the service was set up. It
  /// proves nothing by standing here.
  package var publicKey: [UInt8]
  /// Ed25519 over `signedBytes`.
  package var signature: [UInt8]

  package init(
    service: Identifier, number: UInt64, hash: [UInt8], time: Microseconds, publicKey: [UInt8],
    signature: [UInt8]
  ) {
    self.service = service
    self.number = number
    self.hash = hash
    self.time = time
    self.publicKey = publicKey
    self.signature = signature
  }

  /// Signed: the text `qubus audit checkpoint`, version 1, service, number, hash and time, as
  /// `CanonicalBytes` writes them.
  package var signedBytes: [UInt8] {
    var bytes = CanonicalBytes(capacity: 128)
    bytes.append("qubus audit checkpoint")
    bytes.append(Self.version)
    bytes.append(run: service.bytes)
    bytes.append(number)
    bytes.append(run: hash)
    bytes.append(UInt64(bitPattern: time))
    return bytes.bytes
  }

  private static let version: UInt64 = 1

  /// Whether the key signed exactly this.
  package func isSigned(by publicKey: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
      return false
    }
    return key.isValidSignature(signature, for: signedBytes)
  }

  /// - Throws: `invalid_request` unless it is of this service and signed with its key.
  package func check(service: Identifier, publicKey: [UInt8]) throws(QubusError) {
    guard self.service == service else {
      throw .field(
        .invalidRequest, "checkpoint.service", "it is of service \(self.service)",
        limit: "\(service)")
    }
    guard isSigned(by: publicKey) else {
      throw .field(
        .invalidRequest, "checkpoint.signature", "it is not by the audit key of this service")
    }
  }
}

// MARK: JSON

extension AuditCheckpoint {
  /// The exported form. Bytes are lower-case hexadecimal, the time is microseconds UTC.
  private struct Export: Codable {
    var version: UInt64
    var service: String
    var number: UInt64
    var hash: String
    var time: Int64
    var publicKey: String
    var signature: String

    enum CodingKeys: String, CodingKey {
      case version, service, number, hash, time, signature
      case publicKey = "public_key"
    }
  }

  package var json: String {
    let export = Export(
      version: Self.version, service: service.description, number: number,
      hash: Hexadecimal.text(hash),
      time: time, publicKey: Hexadecimal.text(publicKey), signature: Hexadecimal.text(signature))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    // Text and integers always have a form.
    return (try? encoder.encode(export)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// - Throws: `invalid_request`, naming the field.
  package init(json: String) throws(QubusError) {
    guard json.utf8.count <= 4096,
      let export = try? JSONDecoder().decode(Export.self, from: Data(json.utf8))
    else {
      throw .field(
        .invalidRequest, "checkpoint", "it is not the JSON of an audit checkpoint",
        limit: "4096 bytes")
    }
    guard export.version == Self.version else {
      throw .field(
        .invalidRequest, "checkpoint.version", "\(export.version) is not known",
        limit: "\(Self.version)")
    }
    guard let service = Identifier(export.service) else {
      throw .field(.invalidRequest, "checkpoint.service", "it is no id")
    }
    self.init(
      service: service, number: export.number,
      hash: try Self.bytes(export.hash, 32, "hash"), time: export.time,
      publicKey: try Self.bytes(export.publicKey, 32, "public_key"),
      signature: try Self.bytes(export.signature, 64, "signature"))
  }

  private static func bytes(
    _ text: String, _ count: Int, _ field: String
  ) throws(QubusError) -> [UInt8] {
    guard let bytes = Hexadecimal.bytes(text), bytes.count == count else {
      throw .field(
        .invalidRequest, "checkpoint.\(field)", "it is not \(2 * count) hexadecimal digits")
    }
    return bytes
  }
}
