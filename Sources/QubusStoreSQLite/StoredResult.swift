internal import Crypto
internal import QubusCore
internal import QubusJobs

/// A result in the form of its rows; large items are already durable files.
struct StoredResult: Sendable {
  /// Numbers of the schema.
  enum Encoding: Int64, Sendable {
    case plain = 0
    case zlib = 1
    case file = 2
    /// As `file`; what lies at the offset is sealed.
    case sealedFile = 3
  }

  struct Chunk: Sendable {
    var item: Int
    var chunk: Int
    var bytes: UInt64
    var sha256: [UInt8]
    var encoding: Encoding
    var content: [UInt8]?
    var file: [UInt8]?
    var offset: UInt64
    /// Keeps the file until the row is committed.
    var claim: BlobClaim?
  }

  var manifest: [UInt8]
  var provenance: [UInt8]
  /// SHA-256 of manifest and provenance.
  var sha256: [UInt8]
  /// All chunks when they are few bytes; `chunks` is empty then.
  var packedChunks: [UInt8]?
  var chunks: [Chunk] = []

  /// Manifest, provenance and chunks up to here share one row, which fits one page of 4 KiB.
  private static let rowBytes = 3500

  /// Compresses what becomes rows and writes what becomes files; with a key both are sealed.
  /// - Parameter inlineLimit: a result of more bytes keeps only its smallest items in rows.
  init(
    _ result: JobResult, codec: any JobCodec, blobs: BlobFiles, inlineLimit: Int, key: DataKey?
  ) throws(SQLiteFailure) {
    try self.init(plain: result, codec: codec, blobs: blobs, inlineLimit: inlineLimit, key: key)
    guard let key else { return }
    do throws(QubusError) {
      try seal(of: result.manifest.jobID, with: key)
    } catch { throw SQLiteFailure(error) }
  }

  /// What becomes rows; files are sealed already.
  private mutating func seal(of job: Identifier, with key: DataKey) throws(QubusError) {
    manifest = try key.seal(manifest, at: .manifest(job))
    provenance = try key.seal(provenance, at: .provenance(job))
    if let packed = packedChunks { packedChunks = try key.seal(packed, at: .chunks(job)) }
    for i in chunks.indices {
      guard let content = chunks[i].content else { continue }
      chunks[i].content = try key.seal(
        content, at: .chunk(job, item: chunks[i].item, chunk: chunks[i].chunk))
    }
  }

  private init(
    plain result: JobResult, codec: any JobCodec, blobs: BlobFiles, inlineLimit: Int,
    key: DataKey?
  ) throws(SQLiteFailure) {
    manifest = codec.encode(result.manifest)
    provenance = codec.encode(result.provenance)
    sha256 = Checksum.of(manifest, provenance)
    packedChunks = Self.pack(
      result, limit: min(inlineLimit, Self.rowBytes - manifest.count - provenance.count))
    guard packedChunks == nil else { return }
    let inFiles = Self.itemsForFiles(result, inlineLimit: inlineLimit)
    for (index, item) in result.manifest.items.enumerated() {
      let data = result.data[index]
      let isFile = inFiles.contains(index)
      if isFile, let key {
        chunks += try Self.writeSealed(
          data, item: index, item.chunks, of: result.manifest.jobID, to: blobs, with: key)
        continue
      }
      let claim = isFile ? try blobs.write(data, sha256: item.sha256) : nil
      for (number, info) in item.chunks.enumerated() {
        var chunk = Chunk(
          item: index, chunk: number, bytes: info.bytes, sha256: info.sha256,
          encoding: .file, content: nil, file: isFile ? item.sha256 : nil, offset: info.offset,
          claim: claim)
        if !isFile {
          let range = Int(info.offset)..<Int(info.offset + info.bytes)
          let compressed = Compression.compress(data[range])
          chunk.encoding = compressed == nil ? .plain : .zlib
          chunk.content = compressed ?? Array(data[range])
        }
        chunks.append(chunk)
      }
    }
  }

  /// Writes an item as a file of sealed chunks, one after the other.
  static func writeSealed(
    _ data: [UInt8], item: Int, _ infos: [ResultChunkInfo], of job: Identifier,
    to blobs: BlobFiles, with key: DataKey
  ) throws(SQLiteFailure) -> [Chunk] {
    let name = key.fileName(job, item: item)
    var file: [UInt8] = []
    file.reserveCapacity(data.count + infos.count * DataKey.overhead)
    var chunks: [Chunk] = []
    for (number, info) in infos.enumerated() {
      chunks.append(
        Chunk(
          item: item, chunk: number, bytes: info.bytes, sha256: info.sha256,
          encoding: .sealedFile, content: nil, file: name, offset: UInt64(file.count)))
      let range = Int(info.offset)..<Int(info.offset + info.bytes)
      do throws(QubusError) {
        file += try key.seal(data[range], at: .chunk(job, item: item, chunk: number))
      } catch { throw SQLiteFailure(error) }
    }
    let claim = try blobs.write(file, sha256: name)
    for i in chunks.indices { chunks[i].claim = claim }
    return chunks
  }

  /// Of a validated result: every SHA-256 has its 32 bytes.
  private static func pack(_ result: JobResult, limit: Int) -> [UInt8]? {
    var bytes = 0
    for item in result.manifest.items {
      bytes += Int(clamping: item.bytes) + PackedChunks.headBytes * item.chunks.count
      guard bytes <= limit else { return nil }
    }
    guard bytes > 0 else { return nil }
    var packed: [UInt8] = []
    packed.reserveCapacity(bytes)
    for (index, item) in result.manifest.items.enumerated() {
      for (number, info) in item.chunks.enumerated() {
        let range = Int(info.offset)..<Int(info.offset + info.bytes)
        PackedChunks.append(
          item: index, chunk: number, sha256: info.sha256, bytes: result.data[index][range],
          to: &packed)
      }
    }
    return packed
  }

  /// Everything stays in rows up to the limit; above it, the largest items leave until the rest
  /// fits.
  private static func itemsForFiles(_ result: JobResult, inlineLimit: Int) -> Set<Int> {
    var inline = result.data.reduce(0) { $0 + $1.count }
    var files: Set<Int> = []
    let bySize = result.data.indices.sorted { result.data[$0].count > result.data[$1].count }
    for index in bySize where inline > inlineLimit {
      files.insert(index)
      inline -= result.data[index].count
    }
    return files
  }
}

enum Checksum {
  static func of(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

  /// Of two pieces, one after the other.
  static func of(_ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: first)
    hash.update(data: second)
    return Array(hash.finalize())
  }
}
