internal import GRDB
package import QubusCore
package import QubusJobs

extension SQLiteJobStore {
  package func job(_ id: Identifier) throws(QubusError) -> JobRecord? {
    try readers.read { db in
      let select = try db.ready(RecordReader.byID)
      defer { select.rewind() }
      select.add(row: id)
      return try select.step() ? try RecordReader.record(select.row, codec: codec) : nil
    }
  }

  /// Newest first, from the project's index, which also has the statuses; without a project from
  /// the rows, which lie in the same order.
  package func jobs(_ filter: JobFilter) throws(QubusError) -> [JobRecord] {
    try readers.read { db in
      let select = try db.ready(Self.listing(filter))
      if let principal = filter.principal {
        select.add(principal.tenant)
        select.add(principal.project)
        if !principal.name.isEmpty { select.add(principal.name) }
      }
      if let before = filter.before {
        if filter.principal == nil { select.add(JobNumber.last(of: before)) }
        select.add(before)
      }
      for status in filter.statuses { select.add(UInt32(status.rawValue)) }
      if !filter.name.isEmpty { select.add(filter.name) }
      for tag in filter.tags { select.add(tag) }
      select.add(max(0, filter.limit))
      return try records(select)
    }
  }

  private static func listing(_ filter: JobFilter) -> String {
    var conditions: [String] = []
    if let principal = filter.principal {
      conditions += ["jobs.tenant = ?", "jobs.project = ?"]
      if !principal.name.isEmpty { conditions.append("jobs.principal = ?") }
    }
    if filter.before != nil {
      if filter.principal == nil { conditions.append("jobs.job <= ?") }
      conditions.append("jobs.id < ?")
    }
    if !filter.statuses.isEmpty {
      let marks = Array(repeating: "?", count: filter.statuses.count).joined(separator: ",")
      conditions.append("jobs.status IN (\(marks))")
    }
    if !filter.name.isEmpty { conditions.append("jobs.name = ?") }
    for _ in filter.tags {
      conditions.append(
        """
        EXISTS (SELECT 1 FROM job_tags WHERE job_tags.tenant = jobs.tenant
          AND job_tags.project = jobs.project AND job_tags.tag = ? AND job_tags.id = jobs.id)
        """)
    }
    let filtered = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    // Ids that share a number differ in their order here only.
    let order = filter.principal == nil ? "jobs.job DESC, jobs.id DESC" : "jobs.id DESC"
    return RecordReader.selection + filtered + " ORDER BY \(order) LIMIT ?"
  }

  package func unfinishedJobs() throws(QubusError) -> [JobRecord] {
    try readers.read { db in try records(try db.ready(RecordReader.unfinished)) }
  }

  private func records(_ select: SQLStatement) throws -> [JobRecord] {
    defer { select.rewind() }
    var records: [JobRecord] = []
    while try select.step() {
      records.append(try RecordReader.record(select.row, codec: codec))
    }
    return records
  }

  package func events(
    _ id: Identifier, after sequence: UInt64, limit: Int
  ) throws(QubusError) -> [JobEvent] {
    try readers.read { db in
      let select = try db.ready(RecordReader.events)
      defer { select.rewind() }
      select.add(row: id)
      select.add(Int64(clamping: sequence))
      select.add(max(0, limit))
      var events: [JobEvent] = []
      while try select.step() {
        events.append(try RecordReader.event(select.row, of: id, codec: codec))
      }
      return events
    }
  }

  /// - Throws: `result_corrupt` when manifest or provenance do not match their checksums.
  package func result(_ id: Identifier) throws(QubusError) -> (ResultManifest, Provenance)? {
    try readers.read { db in
      let select = try db.ready(
        """
        SELECT manifest,provenance,sha256 FROM results WHERE job = \(JobNumber.ofRow)
        """)
      defer { select.rewind() }
      select.add(row: id)
      guard try select.step() else { return nil }
      var row = select.row
      let (manifest, provenance) = (row.blob(), row.blob())
      guard Checksum.of(manifest, provenance) == row.blob() else {
        throw QubusError(
          .resultCorrupt, "job \(id): the stored manifest or provenance is damaged")
      }
      return (try codec.decodeManifest(manifest), try codec.decodeProvenance(provenance))
    }
  }

  package func resultChunk(
    _ id: Identifier, item: Int, chunk: Int
  ) throws(QubusError) -> [UInt8] {
    try readers.read { db in
      if let chunk = try packedChunk(id, item: item, chunk: chunk, db) { return chunk }
      let select = try db.ready(
        """
        SELECT bytes,sha256,encoding,content,file,offset FROM result_chunks
        WHERE job = \(JobNumber.ofRow) AND item = ? AND chunk = ?
        """)
      defer { select.rewind() }
      select.add(row: id)
      select.add(item)
      select.add(chunk)
      guard try select.step() else { throw try missing(id, item: item, chunk: chunk, db) }
      var row = select.row
      let (count, sha256) = (Int(row.integer()), row.blob())
      let (encoding, content) = (row.integer(), row.blob())
      let (file, offset) = (row.blob(), row.unsigned())
      let bytes: [UInt8]? =
        switch StoredResult.Encoding(rawValue: encoding) {
        case .plain: content
        case .zlib: Compression.decompress(content, count: count)
        case .file: blobs.read(sha256: file, offset: offset, count: count)
        case nil: nil
        }
      guard let bytes, bytes.count == count, Checksum.of(bytes) == sha256 else {
        throw corrupt(id, item: item, chunk: chunk)
      }
      return bytes
    }
  }

  /// A chunk that lies in the row of its result; nil when it does not.
  private func packedChunk(
    _ id: Identifier, item: Int, chunk: Int, _ db: Database
  ) throws -> [UInt8]? {
    let select = try db.ready(
      """
      SELECT chunks FROM results WHERE job = \(JobNumber.ofRow) AND chunks IS NOT NULL
      """)
    defer { select.rewind() }
    select.add(row: id)
    guard try select.step() else { return nil }
    var row = select.row
    switch PackedChunks.find(item: item, chunk: chunk, in: row.blob()) {
    case .found(let bytes, let sha256):
      guard Checksum.of(bytes) == sha256 else { throw corrupt(id, item: item, chunk: chunk) }
      return bytes
    case .missing: return nil
    case .damaged: throw corrupt(id, item: item, chunk: chunk)
    }
  }

  private func corrupt(_ id: Identifier, item: Int, chunk: Int) -> QubusError {
    QubusError(
      .resultCorrupt, "job \(id): chunk \(chunk) of item \(item) does not match its SHA-256",
      details: ["item": String(item), "chunk": String(chunk)])
  }

  private func missing(
    _ id: Identifier, item: Int, chunk: Int, _ db: Database
  ) throws -> QubusError {
    let select = try db.ready("SELECT has_result FROM jobs WHERE \(JobNumber.condition)")
    defer { select.rewind() }
    select.add(row: id)
    guard try select.step() else { return QubusError(.jobNotFound, "no job \(id)") }
    var row = select.row
    return row.boolean()
      ? QubusError(.unknownResultItem, "job \(id) has no chunk \(chunk) of item \(item)")
      : QubusError(.resultNotReady, "job \(id) has no result")
  }
}
