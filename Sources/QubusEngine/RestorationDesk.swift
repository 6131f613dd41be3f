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
    let tenant: String
    /// By item and chunk; nil: not here yet.
    var chunks: [[[UInt8]?]]
    var missing: Int
    var bytes = 0
    /// When it got the last chunk that it lacked.
    var advancedAt: Microseconds
  }

  private let restorations = Lock<[Identifier: Restoration]>([:])

  static let atOnce = 8
  /// Less than all: nobody keeps the others out.
  static let atOncePerTenant = 2
  /// Of all that wait together; a single result may have more.
  static let bytesLimit = 1 << 30
  /// After which a restoration that nobody goes on with makes room.
  static let idleMicroseconds: Microseconds = 60_000_000

  /// - Parameters:
  ///   - chunk: checked against the manifest before.
  ///   - tenant: whose job it is.
  /// - Throws: `server_overloaded` while too many others wait.
  func add(
    _ chunk: ArchivedChunk, of manifest: ResultManifest, tenant: String, now: Microseconds
  ) throws(QubusError) -> Outcome {
    try restorations.withLock {
      (all: inout [Identifier: Restoration]) throws(QubusError) -> Outcome in
      all = all.filter { now - $0.value.advancedAt < Self.idleMicroseconds }
      let others = all.filter { $0.key != chunk.jobID }
      var own: Restoration
      if let begun = all[chunk.jobID] {
        own = begun
      } else {
        own = try Self.begin(manifest, tenant, beside: others.values.map(\.tenant), now)
      }
      let bytes = others.reduce(own.bytes + chunk.data.count) { $0 + $1.value.bytes }
      guard others.isEmpty || bytes <= Self.bytesLimit else {
        throw Self.overloaded("\(Self.bytesLimit >> 20) MiB together")
      }
      if own.chunks[chunk.item][chunk.chunk] == nil {
        own.chunks[chunk.item][chunk.chunk] = chunk.data
        own.missing -= 1
        own.bytes += chunk.data.count
        own.advancedAt = now
      }
      guard own.missing == 0 else {
        all[chunk.jobID] = own
        return .missing(own.missing)
      }
      all[chunk.jobID] = nil
      return .whole(own.chunks.map { item in item.flatMap { $0 ?? [] } })
    }
  }

  private static func begin(
    _ manifest: ResultManifest, _ tenant: String, beside tenants: [String], _ now: Microseconds
  ) throws(QubusError) -> Restoration {
    guard tenants.count < atOnce else { throw overloaded("\(atOnce) at once") }
    guard tenants.count(where: { $0 == tenant }) < atOncePerTenant else {
      throw overloaded("\(atOncePerTenant) of a tenant at once")
    }
    return Restoration(
      tenant: tenant,
      chunks: manifest.items.map { Array(repeating: nil, count: $0.chunks.count) },
      missing: manifest.items.reduce(0) { $0 + $1.chunks.count }, advancedAt: now)
  }

  private static func overloaded(_ limit: String) -> QubusError {
    QubusError(
      .serverOverloaded, "other results are being restored (limit: \(limit))",
      retryAfterMilliseconds: 1000)
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
