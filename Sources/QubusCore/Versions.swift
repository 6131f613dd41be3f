/// Numbers that programs compare, in one place.
package enum Versions {
  /// The release, semantic.
  package static let server = "0.1.0"
  /// Wire protocol of the envelope.
  package static let `protocol`: UInt32 = 1
  /// Raised whenever the bits of a result may change.
  package static let engine: UInt32 = 3
  package static let compiler = "1"
  /// Payload schema of requests, manifests and provenance.
  package static let schema: UInt32 = 1
  /// Version of the fingerprint's definition.
  package static let fingerprint: UInt32 = 1
}
