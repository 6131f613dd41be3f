internal import GRDB
internal import QubusCore
internal import QubusTenancy

/// Opens the tenants' keys with the master key when the store opens; the first time ever it makes
/// them and seals what is there.
struct VaultOpening {
  private let database: DatabaseQueue
  private let directory: DataDirectory
  private let options: StoreOptions

  init(_ database: DatabaseQueue, _ directory: DataDirectory, _ options: StoreOptions) {
    self.database = database
    self.directory = directory
    self.options = options
  }

  /// - Returns: nil when nothing is to be encrypted.
  /// - Throws: `master_key_required` for an encrypted store without a master key;
  ///   `wrong_master_key`; `disk_full` and the like, with which a later start goes on.
  func open(_ clock: any Clock) throws(QubusError) -> Vault? {
    do {
      return try database.writeWithoutTransaction { db in try open(db, clock) }
    } catch let error as QubusError {
      throw error
    } catch {
      throw SQLiteFailure(error).error(at: directory.databasePath)
    }
  }

  private func open(_ db: Database, _ clock: any Clock) throws -> Vault? {
    let rows = try KeyRows(db: db).all()
    guard let master = options.masterKey else {
      guard rows.isEmpty else { throw QubusError.masterKeyRequired }
      return nil
    }
    let present = rows.filter { $0.wrapped != nil }
    if let other = present.first, !present.contains(where: { $0.master == master.id }) {
      throw QubusError(
        .wrongMasterKey,
        "the data keys are wrapped with master key \(Hexadecimal.text(other.master)), "
          + "this one is \(master.idText)",
        details: ["expected": Hexadecimal.text(other.master), "given": master.idText])
    }
    let vault = Vault(master: master, slots: Self.slots(rows, master))
    try db.inTransaction(.immediate) {
      for tenant in try KeyRows(db: db).tenantsWithout() {
        let made = try WrappedKey.make(of: tenant, under: master)
        try KeyRows(db: db).insert(made.wrapped, of: tenant, at: clock.now())
        vault.set(.open(DataKey(made.key)), of: tenant)
      }
      return .commit
    }
    if try Int64.fetchOne(db, sql: "SELECT sealed_at FROM service") == nil {
      let sealing = StoreSealing(db: db, vault: vault, blobs: directory.blobs)
      options.onSealed(try sealing.run(at: clock.now()))
    }
    return vault
  }

  private static func slots(
    _ rows: [KeyRows.Row], _ master: MasterKey
  ) -> [String: Vault.Slot] {
    var slots: [String: Vault.Slot] = [:]
    for row in rows {
      guard let wrapped = row.key else {
        slots[row.tenant] = .erased
        continue
      }
      let key = wrapped.unwrap(of: row.tenant, with: master)
      slots[row.tenant] = key.map { Vault.Slot.open(DataKey($0)) } ?? .broken
    }
    return slots
  }
}
