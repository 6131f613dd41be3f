package import QubusCore

extension JobResult {
  /// Checks that the manifest describes `data`: sizes, chunk bounds and the length of hashes. The
  /// hashes themselves are checked on every read.
  /// - Throws: `invariant_violated`.
  package func validate() throws(QubusError) {
    guard manifest.items.count == data.count else {
      throw QubusError(
        .invariantViolated,
        "the manifest names \(manifest.items.count) items, the result has \(data.count)")
    }
    for (item, bytes) in zip(manifest.items, data) {
      guard item.bytes == UInt64(bytes.count), item.sha256.count == 32 else {
        throw QubusError(
          .invariantViolated, "result item \(item.name): manifest and data differ in size")
      }
      for chunk in item.chunks {
        let end = chunk.offset.addingReportingOverflow(chunk.bytes)
        guard !end.overflow, end.partialValue <= item.bytes, chunk.sha256.count == 32 else {
          throw QubusError(
            .invariantViolated, "result item \(item.name): a chunk lies outside its item")
        }
      }
    }
  }
}
