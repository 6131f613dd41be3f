package import QubusCore

/// Reads back what an opener sent, which the store keeps verbatim; the protobuf implementation is
/// in QubusWire.
package protocol SessionCodec: Sendable {
  /// - Throws: `malformed_frame` and its kin, `unsupported_schema_version`.
  func decodeSession(_ bytes: [UInt8]) throws(QubusError) -> SessionSpec
}
