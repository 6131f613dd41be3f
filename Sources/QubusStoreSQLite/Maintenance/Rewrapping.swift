internal import GRDB
package import QubusCore
internal import QubusJobs
package import QubusTenancy

/// Exchanges the master key: every data key is unwrapped with the old one and wrapped with the new
/// one. What the data keys have sealed stays as it is.
package struct Rewrapping: Sendable {
  package struct Report: Sendable, Hashable {
    /// Keys wrapped anew.
    package var rewrapped = 0
    /// Tenants whose keys could not be opened; left as they are.
    package var broken: [String] = []
  }
  private let path: String

  package init(directory path: String) { self.path = path }

  /// In one transaction, with an entry in the audit: a crash leaves all keys under the one or under
  /// the other.
  /// - Throws: `data_directory_locked` while a daemon runs; `wrong_master_key` when none of the
  ///   keys opens with `old`; `disk_full`.
  package func run(
    from old: MasterKey, to new: MasterKey, by credential: String, at time: Microseconds,
    options: StoreOptions = StoreOptions()
  ) throws(QubusError) -> Report {
    var options = options
    options.masterKey = old
    let entry = AuditEntry(
      time: time, principal: nil, credential: credential, method: "rewrap", action: "",
      subject: "service", tenant: "", outcome: .allowed, policy: "",
      reason: "master key \(old.idText) to \(new.idText)", traceID: "")
    return try OfflineStore(path).change(options) { db in
      let rows = try KeyRows(db: db).all()
      var report = Report()
      for row in rows {
        guard let wrapped = row.key else { continue }
        guard let key = wrapped.unwrap(of: row.tenant, with: old) else {
          report.broken.append(row.tenant)
          continue
        }
        try KeyRows(db: db).replace(
          try WrappedKey(key, of: row.tenant, under: new), of: row.tenant)
        report.rewrapped += 1
      }
      guard report.rewrapped > 0 || report.broken.isEmpty else {
        throw QubusError(
          .wrongMasterKey, "no data key opens with master key \(old.idText); nothing was changed",
          details: ["given": old.idText])
      }
      try AuditWriter(db).append(entry)
      return report
    }
  }
}
