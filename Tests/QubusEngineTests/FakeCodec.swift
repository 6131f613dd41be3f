import QubusCore
import QubusJobs

@testable import QubusEngine

/// Keeps specs in a table; a request's bytes are the index of its spec.
final class FakeCodec: JobCodec {
  private let specs = Monitor<[JobSpec]>([])

  func encode(_ spec: JobSpec) -> [UInt8] {
    let index = specs.signal { specs -> UInt64 in
      specs.append(spec)
      return UInt64(specs.count - 1)
    }
    return withUnsafeBytes(of: index.littleEndian) { Array($0) }
  }

  func decodeRequest(_ bytes: [UInt8]) throws(QubusError) -> JobSpec {
    let index = bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    let spec = specs.withLock { bytes.count == 8 && $0.indices.contains(index) ? $0[index] : nil }
    guard let spec else { throw QubusError(.malformedFrame, "no such request") }
    return spec
  }

  func encode(_ manifest: ResultManifest) -> [UInt8] { [] }
  func decodeManifest(_ bytes: [UInt8]) throws(QubusError) -> ResultManifest { throw unused }
  func encode(_ provenance: Provenance) -> [UInt8] { [] }
  func decodeProvenance(_ bytes: [UInt8]) throws(QubusError) -> Provenance { throw unused }
  func encode(_ body: JobEventBody) -> [UInt8] { [] }
  func decodeEventBody(_ bytes: [UInt8]) throws(QubusError) -> JobEventBody { throw unused }
  func encode(_ error: QubusError) -> [UInt8] { [] }
  func decodeError(_ bytes: [UInt8]) throws(QubusError) -> QubusError { throw unused }

  private var unused: QubusError { QubusError(.internalError, "engine tests decode requests only") }
}
