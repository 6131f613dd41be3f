internal import GRDB
package import QubusCore
package import QubusJobs

extension SQLiteJobStore {
  package func job(_ id: Identifier) throws(QubusError) -> JobRecord? {
    try readers.read { db in
      let select = try db.ready(RecordReader.byID)
      defer { select.rewind() }
      select.add(row: id)
      return try select.step()
        ? try RecordReader.record(select.row, codec: codec, vault: vault) : nil
    }
  }

  /// Newest first, from the project's index, which also has the statuses; without a project from
  /// the rows, which lie in the same order.
  package func jobs(_ filter: JobFilter) throws(QubusError) -> [JobRecord] {
    try readers.read { db in
      let name = lookups(filter.name, JobColumns.nameColumn, filter)
      let tags = filter.tags.map { lookups($0, JobColumns.tagColumn, filter) }
      let select = try db.ready(
        Self.listing(filter, names: name.count, tags: tags.map(\.count)))
      if let principal = filter.principal {
        select.add(principal.tenant)
        select.add(principal.project)
        if !principal.name.isEmpty { select.add(principal.name) }
      }
      if let before = filter.before {
        if filter.principal == nil { select.add(JobNumber.last(of: before)) }
        select.add(before)
      }
      if let batch = filter.batch { select.add(batch) }
      for status in filter.statuses { select.add(UInt32(status.rawValue)) }
      for text in name + tags.flatMap({ $0 }) { select.add(text) }
      select.add(max(0, filter.limit))
      return try records(select)
    }
  }

  /// What the column may have for the text: itself, and its marks where rows are sealed.
  private func lookups(_ text: String, _ column: String, _ filter: JobFilter) -> [String] {
    guard !text.isEmpty else { return [] }
    return [text] + (vault?.marks(text, of: column, in: filter.principal?.tenant) ?? [])
  }

  private static func marks(_ count: Int) -> String {
    Array(repeating: "?", count: count).joined(separator: ",")
  }

  private static func listing(_ filter: JobFilter, names: Int, tags: [Int]) -> String {
    var conditions: [String] = []
    if let principal = filter.principal {
      conditions += ["jobs.tenant = ?", "jobs.project = ?"]
      if !principal.name.isEmpty { conditions.append("jobs.principal = ?") }
    }
    if filter.before != nil {
      if filter.principal == nil { conditions.append("jobs.job <= ?") }
      conditions.append("jobs.id < ?")
    }
    if filter.batch != nil { conditions.append("jobs.batch = ?") }
    if !filter.statuses.isEmpty {
      conditions.append("jobs.status IN (\(marks(filter.statuses.count)))")
    }
    if names > 0 { conditions.append("jobs.name IN (\(marks(names)))") }
    for count in tags {
      conditions.append(
        """
        EXISTS (SELECT 1 FROM job_tags WHERE job_tags.tenant = jobs.tenant
          AND job_tags.project = jobs.project AND job_tags.tag IN (\(marks(count)))
          AND job_tags.id = jobs.id)
        """)
    }
    let filtered = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    // Ids that share a number differ in their order here only.
    let order = filter.principal == nil ? "jobs.job DESC, jobs.id DESC" : "jobs.id DESC"
    return RecordReader.selection + filtered + " ORDER BY \(order) LIMIT ?"
  }

  package func unfinishedJobs() throws(QubusError) -> [JobRecord] {
    // A job whose request cannot be read for now waits for the key to be put right.
    try readers.read { db in
      try records(try db.ready(RecordReader.unfinished)).filter { job in
        if case .broken = vault?[job.principal.tenant] { false } else { true }
      }
    }
  }

  private func records(_ select: SQLStatement) throws -> [JobRecord] {
    defer { select.rewind() }
    var records: [JobRecord] = []
    while try select.step() {
      records.append(try RecordReader.record(select.row, codec: codec, vault: vault))
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
        events.append(try RecordReader.event(select.row, of: id, codec: codec, vault: vault))
      }
      return events
    }
  }

  /// - Throws: `result_corrupt` when manifest or provenance do not match their checksums.
  package func result(_ id: Identifier) throws(QubusError) -> (ResultManifest, Provenance)? {
    try readers.read { db in
      let select = try db.ready(
        """
        SELECT manifest,provenance,sha256,tenant FROM results WHERE job = \(JobNumber.ofRow)
        """)
      defer { select.rewind() }
      select.add(row: id)
      guard try select.step() else { return nil }
      var row = select.row
      let (storedManifest, storedProvenance) = (row.blob(), row.blob())
      let (sha256, tenant) = (row.blob(), row.text())
      let manifest = try open(storedManifest, of: tenant, at: .manifest(id))
      let provenance = try open(storedProvenance, of: tenant, at: .provenance(id))
      guard let manifest, let provenance, Checksum.of(manifest, provenance) == sha256 else {
        throw QubusError(
          .resultCorrupt, "job \(id): the stored manifest or provenance is damaged")
      }
      return (try codec.decodeManifest(manifest), try codec.decodeProvenance(provenance))
    }
  }

  /// Nil for a sealed value that was changed or moved.
  private func open(
    _ bytes: [UInt8], of tenant: String, at place: SealPlace
  ) throws(QubusError) -> [UInt8]? {
    do throws(QubusError) {
      return try vault.open(bytes, of: tenant, at: place)
    } catch {
      guard error.code == .dataDirectoryCorrupt else { throw error }
      return nil
    }
  }

  package func resultChunk(
    _ id: Identifier, item: Int, chunk: Int
  ) throws(QubusError) -> [UInt8] {
    try readers.read { db in
      if let chunk = try packedChunk(id, item: item, chunk: chunk, db) { return chunk }
      let select = try db.ready(
        """
        SELECT bytes,sha256,encoding,content,file,offset,tenant FROM result_chunks
        WHERE job = \(JobNumber.ofRow) AND item = ? AND chunk = ?
        """)
      defer { select.rewind() }
      select.add(row: id)
      select.add(item)
      select.add(chunk)
      guard try select.step() else { throw try missing(id, item: item, chunk: chunk, db) }
      var row = select.row
      let (count, sha256) = (Int(row.integer()), row.blob())
      let (encoding, stored) = (row.integer(), row.blob())
      let (file, offset, tenant) = (row.blob(), row.unsigned(), row.text())
      let place = SealPlace.chunk(id, item: item, chunk: chunk)
      let content = try open(stored, of: tenant, at: place)
      let bytes: [UInt8]? =
        switch StoredResult.Encoding(rawValue: encoding) {
        case .plain: content
        case .zlib: content.flatMap { Compression.decompress($0, count: count) }
        case .file: blobs.read(sha256: file, offset: offset, count: count)
        case .sealedFile:
          try blobs.read(sha256: file, offset: offset, count: count + DataKey.overhead)
            .flatMap { try open($0, of: tenant, at: place) }
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
      SELECT chunks,tenant FROM results WHERE job = \(JobNumber.ofRow) AND chunks IS NOT NULL
      """)
    defer { select.rewind() }
    select.add(row: id)
    guard try select.step() else { return nil }
    var row = select.row
    let stored = row.blob()
    guard let packed = try open(stored, of: row.text(), at: .chunks(id)) else {
      throw corrupt(id, item: item, chunk: chunk)
    }
    switch PackedChunks.find(item: item, chunk: chunk, in: packed) {
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
    let select = try db.ready(
      "SELECT has_result,removed & 1,results_expire_at FROM jobs WHERE \(JobNumber.condition)")
    defer { select.rewind() }
    select.add(row: id)
    guard try select.step() else { return QubusError(.jobNotFound, "no job \(id)") }
    var row = select.row
    let (hasResult, isRemoved) = (row.boolean(), row.boolean())
    if isRemoved { return .resultExpired(id, at: row.optionalInteger()) }
    return hasResult
      ? QubusError(.unknownResultItem, "job \(id) has no chunk \(chunk) of item \(item)")
      : QubusError(.resultNotReady, "job \(id) has no result")
  }
}
