package import QubusCore

/// Bytes for what the store keeps verbatim; the protobuf implementation lives in QubusWire.
///
/// Decoders accept every released schema version, or throw `unsupported_schema_version`.
package protocol JobCodec: Sendable {
  func decodeRequest(_ bytes: [UInt8]) throws(QubusError) -> JobSpec
  func encode(_ spec: JobSpec) -> [UInt8]
  func encode(_ manifest: ResultManifest) -> [UInt8]
  func decodeManifest(_ bytes: [UInt8]) throws(QubusError) -> ResultManifest
  func encode(_ provenance: Provenance) -> [UInt8]
  func decodeProvenance(_ bytes: [UInt8]) throws(QubusError) -> Provenance
  func encode(_ body: JobEventBody) -> [UInt8]
  func decodeEventBody(_ bytes: [UInt8]) throws(QubusError) -> JobEventBody
  func encode(_ error: QubusError) -> [UInt8]
  func decodeError(_ bytes: [UInt8]) throws(QubusError) -> QubusError
}
