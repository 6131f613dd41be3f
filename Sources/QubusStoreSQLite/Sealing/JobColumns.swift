internal import QubusCore
internal import QubusJobs

/// The columns of a job that hold what its client wrote, as they lie in its row: plain without a
/// key, sealed with one.
///
/// With a key name, tags and notices are one value in `tags`; `name` and `job_tags.tag` hold marks
/// of them, which can be looked up and not read.
struct JobColumns: Sendable {
  var name: String
  var tags: [UInt8]
  var notices: [UInt8]
  var annotations: [UInt8]
  var error: [UInt8]?
  var request: [UInt8]
  /// What `job_tags` has.
  var tagMarks: [String] = []

  static let nameColumn = "jobs.name"
  static let tagColumn = "job_tags.tag"

  /// As read from a row.
  init(
    name: String, tags: [UInt8], notices: [UInt8], annotations: [UInt8], error: [UInt8]?,
    request: [UInt8]
  ) {
    self.name = name
    self.tags = tags
    self.notices = notices
    self.annotations = annotations
    self.error = error
    self.request = request
  }

  /// To be written.
  /// - Throws: `internal_error`.
  init(_ record: JobRecord, error: [UInt8]?, key: DataKey?) throws(QubusError) {
    self.init(
      name: record.name, tags: PackedStrings.pack(record.tags),
      notices: PackedStrings.pack(record.notices),
      annotations: PackedStrings.pack(record.annotations), error: error, request: record.request)
    tagMarks = record.tags
    guard let key else { return }
    try seal(of: record.id, tags: record.tags, notices: record.notices, with: key)
    tagMarks = record.tags.map { key.mark($0, of: Self.tagColumn) }
  }

  private mutating func seal(
    of id: Identifier, tags texts: [String], notices told: [String], with key: DataKey
  ) throws(QubusError) {
    let labels = [name, "\(texts.count)"] + texts + told
    if labels != ["", "0"], !DataKey.isSealed(tags) {
      tags = try key.seal(PackedStrings.pack(labels), at: .labels(id))
      if !name.isEmpty { name = key.mark(name, of: Self.nameColumn) }
      notices = []
    }
    if !annotations.isEmpty, !DataKey.isSealed(annotations) {
      annotations = try key.seal(annotations, at: .annotations(id))
    }
    if let plain = error, !DataKey.isSealed(plain) {
      error = try key.seal(plain, at: .error(id))
    }
    if !DataKey.isSealed(request) { request = try key.seal(request, at: .request(id)) }
  }

  /// Seals what a row has from before encryption, or from a seal that was interrupted.
  mutating func sealPlain(of id: Identifier, with key: DataKey) throws(QubusError) {
    let isLabelled = DataKey.isSealed(tags)
    guard let texts = isLabelled ? [] : PackedStrings.unpack(tags),
      let told = PackedStrings.unpack(notices)
    else {
      throw Self.damaged(id)
    }
    try seal(of: id, tags: texts, notices: told, with: key)
  }

  /// Puts what the columns say into the record. Of a tenant whose key is gone the record keeps what
  /// was never sealed, and a notice says so.
  func fill(
    _ record: inout JobRecord, _ vault: Vault?, codec: any JobCodec
  ) throws(QubusError) {
    do throws(QubusError) {
      try read(into: &record, vault, codec: codec)
    } catch {
      guard error.isLockedTenant else { throw error }
      (record.name, record.tags, record.annotations) = ("", [], [:])
      (record.request, record.error, record.notices) = ([], error, [error.message])
    }
  }

  private func read(
    into record: inout JobRecord, _ vault: Vault?, codec: any JobCodec
  ) throws(QubusError) {
    let id = record.id
    let tenant = record.principal.tenant
    let labels = try vault.open(tags, of: tenant, at: .labels(id))
    guard let texts = PackedStrings.unpack(labels), let told = PackedStrings.unpack(notices),
      let pairs = PackedStrings.unpackPairs(
        try vault.open(annotations, of: tenant, at: .annotations(id)))
    else { throw Self.damaged(id) }
    if DataKey.isSealed(tags) {
      guard texts.count >= 2, let count = Int(texts[1]), count >= 0, texts.count - 2 >= count
      else { throw Self.damaged(id) }
      record.name = texts[0]
      record.tags = Array(texts[2..<2 + count])
      record.notices = Array(texts[(2 + count)...])
    } else {
      (record.name, record.tags, record.notices) = (name, texts, told)
    }
    record.annotations = pairs
    if let error {
      record.error = try codec.decodeError(try vault.open(error, of: tenant, at: .error(id)))
    }
    record.request = try vault.open(request, of: tenant, at: .request(id))
  }

  private static func damaged(_ id: Identifier) -> QubusError {
    QubusError(.dataDirectoryCorrupt, "the database is damaged: name, tags or annotations of \(id)")
  }
}
