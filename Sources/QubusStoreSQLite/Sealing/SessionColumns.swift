internal import QubusCore
internal import QubusJobs

/// The columns of a session that hold what its client wrote, plain or sealed.
struct SessionColumns {
  var request: [UInt8]
  var name: String
  var tags: [UInt8]

  init(request: [UInt8], name: String, tags: [UInt8]) {
    self.request = request
    self.name = name
    self.tags = tags
  }

  init(_ record: SessionRecord, key: DataKey?) throws(QubusError) {
    self.init(
      request: record.request, name: record.name, tags: PackedStrings.pack(record.tags))
    if let key { try seal(of: record.id, with: key, texts: [record.name] + record.tags) }
  }

  private mutating func seal(
    of id: Identifier, with key: DataKey, texts: [String]
  ) throws(QubusError) {
    if texts != [""] {
      tags = try key.seal(PackedStrings.pack(texts), at: .sessionLabels(id))
      name = ""
    }
    request = try key.seal(request, at: .sessionRequest(id))
  }

  /// Seals what a row has from before encryption.
  mutating func sealPlain(of id: Identifier, with key: DataKey) throws(QubusError) {
    guard !DataKey.isSealed(tags), !DataKey.isSealed(request) else { return }
    try seal(of: id, with: key, texts: [name] + (PackedStrings.unpack(tags) ?? []))
  }

  /// Of a tenant whose key is gone the record keeps what was never sealed.
  func fill(_ record: inout SessionRecord, _ vault: Vault?) throws(QubusError) {
    let tenant = record.principal.tenant
    do throws(QubusError) {
      let labels = try vault.open(tags, of: tenant, at: .sessionLabels(record.id))
      guard let texts = PackedStrings.unpack(labels) else {
        throw QubusError(
          .dataDirectoryCorrupt, "the database is damaged: tags of \(record.id)")
      }
      let isSealed = DataKey.isSealed(tags)
      record.name = isSealed ? texts.first ?? "" : name
      record.tags = isSealed ? Array(texts.dropFirst()) : texts
      record.request = try vault.open(request, of: tenant, at: .sessionRequest(record.id))
    } catch {
      guard error.isLockedTenant else { throw error }
      (record.name, record.tags, record.request) = ("", [], [])
    }
  }
}
