internal import Crypto
internal import QubusCore
internal import QubusJobs

/// Results on their way back from archives: chunks wait here until all of them are there. What
/// waits is lost with the service; whoever restores begins again.
final class RestorationDesk: Sendable {
  enum Outcome: Sendable {
    /// So many chunks are not here yet.
    case missing(Int)
    /// The bytes of every item, in order.
    case whole([[UInt8]])
  }

  private struct Restoration: Sendable {
    /// By item and chunk; nil: not here yet.
    var chunks: [[[UInt8]?]]
    var missing: Int
    var bytes = 0
    var touchedAt: Microseconds
  }

  private let restorations = Lock<[Identifier: Restoration]>([:])

  static let atOnce = 4
  /// Of all that wait together; a single result may have more.
  static let bytesLimit = 1 << 30
  /// After which a restoration that nobody goes on with makes room.
  static let idleMicroseconds: Microseconds = 600_000_000

  /// - Parameter chunk: checked against the manifest before.
  /// - Throws: `server_overloaded` while too many others wait.
  func add(
    _ chunk: ArchivedChunk, of manifest: ResultManifest, now: Microseconds
  ) throws(QubusError) -> Outcome {
    try restorations.withLock {
      (all: inout [Identifier: Restoration]) throws(QubusError) -> Outcome in
      all = all.filter { now - $0.value.touchedAt < Self.idleMicroseconds }
      let isFull = all.reduce(chunk.data.count) { $0 + $1.value.bytes } > Self.bytesLimit
      let isFirst = all[chunk.jobID] == nil
      guard !(isFirst && all.count >= Self.atOnce), !isFull || all.count - (isFirst ? 0 : 1) == 0
      else {
        throw QubusError(
          .serverOverloaded, "other results are being restored (limit: \(Self.atOnce) at once)",
          retryAfterMilliseconds: 1000)
      }
      var own = all[chunk.jobID] ?? Self.begin(manifest, now)
      own.touchedAt = now
      if own.chunks[chunk.item][chunk.chunk] == nil {
        own.chunks[chunk.item][chunk.chunk] = chunk.data
        own.missing -= 1
        own.bytes += chunk.data.count
      }
      guard own.missing == 0 else {
        all[chunk.jobID] = own
        return .missing(own.missing)
      }
      all[chunk.jobID] = nil
      return .whole(own.chunks.map { item in item.flatMap { $0 ?? [] } })
    }
  }

  private static func begin(_ manifest: ResultManifest, _ now: Microseconds) -> Restoration {
    Restoration(
      chunks: manifest.items.map { Array(repeating: nil, count: $0.chunks.count) },
      missing: manifest.items.reduce(0) { $0 + $1.chunks.count }, touchedAt: now)
  }
}

extension ArchivedChunk {
  /// - Throws: `archive_conflict` for a chunk of another result, `archive_damaged` for other bytes
  ///   than the job had.
  func check(against manifest: ResultManifest) throws(QubusError) {
    guard executionHash == manifest.executionHash else {
      throw QubusError(
        .archiveConflict,
        "the archive has another result than job \(jobID): the execution hash differs")
    }
    guard manifest.items.indices.contains(item),
      manifest.items[item].chunks.indices.contains(chunk)
    else {
      throw QubusError(
        .archiveDamaged, "the result of job \(jobID) has no chunk \(chunk) of item \(item)",
        details: ["item": String(item), "chunk": String(chunk)])
    }
    guard manifest.items[item].chunks[chunk].sha256.elementsEqual(SHA256.hash(data: data)) else {
      throw QubusError(
        .archiveDamaged,
        "chunk \(chunk) of \(manifest.items[item].name) does not match the SHA-256 that job "
          + "\(jobID) kept", details: ["item": String(item), "chunk": String(chunk)])
    }
  }
}
