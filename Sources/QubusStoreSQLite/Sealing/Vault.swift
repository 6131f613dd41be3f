internal import QubusCore
internal import QubusTenancy

/// The data keys of all tenants, opened. There is one when a master key is configured.
final class Vault: Sendable {
  enum Slot: Sendable {
    case open(DataKey)
    /// Destroyed on purpose.
    case erased
    /// The wrapped key cannot be opened.
    case broken
  }

  let master: MasterKey
  private let slots: Lock<[String: Slot]>

  init(master: MasterKey, slots: [String: Slot]) {
    self.master = master
    self.slots = Lock(slots)
  }

  subscript(tenant: String) -> Slot? {
    get { slots.withLock { $0[tenant] } }
  }

  func set(_ slot: Slot, of tenant: String) { slots.withLock { $0[tenant] = slot } }

  /// Names of tenants whose keys cannot be opened.
  var broken: [String] {
    slots.withLock { slots in
      slots.compactMap { if case .broken = $1 { $0 } else { nil } }.sorted()
    }
  }

  /// - Throws: `tenant_erased`, `tenant_key_corrupt`; `invariant_violated` for a tenant that was
  ///   never made.
  func key(of tenant: String) throws(QubusError) -> DataKey {
    switch self[tenant] {
    case .open(let key): return key
    case .erased: throw .tenantErased(tenant)
    case .broken: throw .tenantKeyCorrupt(tenant)
    case nil: throw QubusError(.invariantViolated, "tenant \(tenant) has no data key")
    }
  }

  /// Nil for a tenant whose key is gone or broken.
  func openKey(of tenant: String) -> DataKey? {
    if case .open(let key)? = self[tenant] { key } else { nil }
  }

  /// What may stand in the column for a text that is looked up: the mark of each tenant asked for,
  /// of all when none is named.
  func marks(_ text: String, of column: String, in tenant: String?) -> [String] {
    slots.withLock { slots in
      slots.compactMap { name, slot in
        guard tenant == nil || tenant == name, case .open(let key) = slot else { return nil }
        return key.mark(text, of: column)
      }
    }
  }
}

extension Vault? {
  /// Opens a value that may be plain, from before encryption.
  /// - Throws: `master_key_required`, `tenant_erased`, `tenant_key_corrupt`;
  ///   `data_directory_corrupt` for a value that was changed or put in another place.
  func open(
    _ bytes: [UInt8], of tenant: String, at place: SealPlace
  ) throws(QubusError) -> [UInt8] {
    guard DataKey.isSealed(bytes) else { return bytes }
    guard let self else { throw .masterKeyRequired }
    guard let plain = try self.key(of: tenant).open(bytes, at: place) else {
      throw QubusError(
        .dataDirectoryCorrupt,
        "the database is damaged: a sealed value of tenant \(tenant) was changed or moved")
    }
    return plain
  }
}

extension QubusError {
  static func tenantErased(_ tenant: String) -> QubusError {
    QubusError(
      .tenantErased, "the contents of tenant \(tenant) were erased", details: ["tenant": tenant])
  }

  static func tenantKeyCorrupt(_ tenant: String) -> QubusError {
    QubusError(
      .tenantKeyCorrupt, "the data key of tenant \(tenant) cannot be opened",
      details: ["tenant": tenant])
  }

  static var masterKeyRequired: QubusError {
    QubusError(.masterKeyRequired, "the data directory is encrypted; a master key is needed")
  }

  /// A tenant's contents cannot be had, while everybody else's can.
  var isLockedTenant: Bool { code == .tenantErased || code == .tenantKeyCorrupt }
}
