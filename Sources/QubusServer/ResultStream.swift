internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

/// A result that a reader thread opened: the FINAL's body and the chunks that go before it.
struct OpenedResult: Sendable {
  let jobID: Identifier
  let view: JobView
  let manifest: ResultManifest
  let provenance: Provenance
  /// In order of sending.
  let chunks: [ChunkReference]
}

struct ChunkReference: Sendable, Hashable {
  let item: Int
  let chunk: Int
  let dataType: DataType
  let bytes: Int
  let sha256: [UInt8]
}

/// The state of one GetResult whose chunks are too many for the FINAL.
struct ResultStream {
  let opened: OpenedResult
  var next = 0
  /// Bytes of the chunk that is being read, which its connection counts as unread; nil: none is.
  var reserved: Int?

  var isReading: Bool { reserved != nil }
  var isComplete: Bool { next == opened.chunks.count && !isReading }
}

extension ResultManifest {
  /// The chunks that a selection names; everything when it is empty.
  /// - Throws: `unknown_result_item`.
  func chunks(
    of selection: [ResultSelection]
  ) throws(QubusError) -> [ChunkReference] {
    let wanted =
      selection.isEmpty
      ? items.indices.map { ResultSelection(item: $0, chunks: []) } : selection
    var found: [ChunkReference] = []
    for (index, entry) in wanted.enumerated() {
      guard items.indices.contains(entry.item) else {
        throw .field(
          .unknownResultItem, "selection[\(index)].item", "there is no item \(entry.item)",
          limit: "0 to \(items.count - 1)")
      }
      let item = items[entry.item]
      let numbers = entry.chunks.isEmpty ? Array(item.chunks.indices) : entry.chunks
      for chunk in numbers {
        guard item.chunks.indices.contains(chunk) else {
          throw .field(
            .unknownResultItem, "selection[\(index)].chunks",
            "\(item.name) has no chunk \(chunk)", limit: "0 to \(item.chunks.count - 1)")
        }
        found.append(
          ChunkReference(
            item: entry.item, chunk: chunk, dataType: item.dataType,
            bytes: Int(item.chunks[chunk].bytes), sha256: item.chunks[chunk].sha256))
      }
    }
    return found
  }
}
