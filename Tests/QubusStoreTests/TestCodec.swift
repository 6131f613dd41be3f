import QubusCore
import QubusJobs

/// A codec of its own for the store's tests: fields one after the other, numbers as 8 bytes. It
/// keeps what the tests set; the product's codec is protobuf.
struct TestCodec: JobCodec {
  func decodeRequest(_ bytes: [UInt8]) throws(QubusError) -> JobSpec { JobSpec() }
  func encode(_ spec: JobSpec) -> [UInt8] { [] }

  func encode(_ manifest: ResultManifest) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(manifest.jobID.high)
    writer.put(manifest.jobID.low)
    writer.put(UInt64(manifest.attempt))
    writer.put(manifest.shotsDone)
    writer.put(manifest.isPartial ? 1 : 0)
    writer.put(manifest.executionHash)
    writer.put(UInt64(manifest.items.count))
    for item in manifest.items {
      writer.put(item.name)
      writer.put(UInt64(item.pub))
      writer.put(UInt64(item.dataType.rawValue))
      writer.put(UInt64(item.shape.count))
      for extent in item.shape { writer.put(extent) }
      writer.put(item.bytes)
      writer.put(item.sha256)
      writer.put(UInt64(item.chunks.count))
      for chunk in item.chunks {
        writer.put(chunk.offset)
        writer.put(chunk.bytes)
        writer.put(chunk.sha256)
      }
    }
    return writer.bytes
  }

  func decodeManifest(_ bytes: [UInt8]) throws(QubusError) -> ResultManifest {
    var reader = ByteReader(bytes: bytes)
    let id = Identifier(high: try reader.number(), low: try reader.number())
    var manifest = ResultManifest(jobID: id, attempt: UInt32(try reader.number()))
    manifest.shotsDone = try reader.number()
    manifest.isPartial = try reader.number() == 1
    manifest.executionHash = try reader.blob()
    for _ in 0..<(try reader.number()) {
      var item = ResultItem(
        name: try reader.text(), pub: UInt32(try reader.number()),
        dataType: DataType(rawValue: UInt8(try reader.number())) ?? .uint8, shape: [], bytes: 0,
        sha256: [], chunks: [])
      for _ in 0..<(try reader.number()) { item.shape.append(try reader.number()) }
      item.bytes = try reader.number()
      item.sha256 = try reader.blob()
      for _ in 0..<(try reader.number()) {
        item.chunks.append(
          ResultChunkInfo(
            offset: try reader.number(), bytes: try reader.number(), sha256: try reader.blob()))
      }
      manifest.items.append(item)
    }
    return manifest
  }

  func encode(_ provenance: Provenance) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(provenance.jobID.high)
    writer.put(provenance.jobID.low)
    writer.put(provenance.device)
    writer.put(provenance.seed)
    return writer.bytes
  }

  func decodeProvenance(_ bytes: [UInt8]) throws(QubusError) -> Provenance {
    var reader = ByteReader(bytes: bytes)
    var provenance = Provenance(
      jobID: Identifier(high: try reader.number(), low: try reader.number()))
    provenance.device = try reader.text()
    provenance.seed = try reader.number()
    return provenance
  }

  func encode(_ body: JobEventBody) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(body.device)
    writer.put(body.queuePosition.map { $0 + 1 } ?? 0)
    return writer.bytes
  }

  func decodeEventBody(_ bytes: [UInt8]) throws(QubusError) -> JobEventBody {
    var reader = ByteReader(bytes: bytes)
    var body = JobEventBody()
    body.device = try reader.text()
    let position = try reader.number()
    body.queuePosition = position == 0 ? nil : position - 1
    return body
  }

  func encode(_ error: QubusError) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(UInt64(error.code.rawValue))
    writer.put(error.message)
    return writer.bytes
  }

  func decodeError(_ bytes: [UInt8]) throws(QubusError) -> QubusError {
    var reader = ByteReader(bytes: bytes)
    let number = try reader.number()
    return QubusError(ErrorCode(rawValue: Int32(number)) ?? .internalError, try reader.text())
  }
}

private struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func put(_ number: UInt64) {
    for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(i)))) }
  }
  mutating func put(_ blob: [UInt8]) {
    put(UInt64(blob.count))
    bytes += blob
  }
  mutating func put(_ text: String) { put(Array(text.utf8)) }
}

private struct ByteReader {
  var bytes: [UInt8]
  var index = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func number() throws(QubusError) -> UInt64 {
    guard index + 8 <= bytes.count else { throw QubusError(.invariantViolated, "short") }
    defer { index += 8 }
    return (0..<8).reduce(0) { $0 | UInt64(bytes[index + $1]) << (8 * UInt64($1)) }
  }
  mutating func blob() throws(QubusError) -> [UInt8] {
    let count = Int(try number())
    guard index + count <= bytes.count else { throw QubusError(.invariantViolated, "short") }
    defer { index += count }
    return Array(bytes[index..<index + count])
  }
  mutating func text() throws(QubusError) -> String { String(decoding: try blob(), as: UTF8.self) }
}
