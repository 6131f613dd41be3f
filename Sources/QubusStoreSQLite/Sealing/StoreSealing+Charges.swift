internal import QubusCore
internal import QubusJobs

/// What charges say of experiments.
extension StoreSealing {
  private struct Charge {
    var subject: Identifier
    var day: Int64
    var tenant: String
    var experimentClass: String
    var identity: String
  }

  func sealCharges() throws -> Int {
    var last: (Identifier?, Int64) = (nil, 0)
    return try pages {
      let charges = try read(
        """
        SELECT subject,day,tenant,class,experiment FROM charges
        WHERE ?1 IS NULL OR (subject, day) > (?1, ?2)
        ORDER BY subject, day LIMIT \(Self.pageRows)
        """,
        {
          $0.add(last.0)
          $0.add(last.1)
        }
      ) { row in
        Charge(
          subject: try Self.identifier(&row), day: row.integer(), tenant: row.text(),
          experimentClass: row.text(), identity: row.text())
      }
      for charge in charges {
        guard let key = vault.openKey(of: charge.tenant) else { continue }
        let sealed = ChargedExperiment(charge.experimentClass, charge.identity, key: key)
        try write("UPDATE charges SET class = ?, experiment = ? WHERE subject = ? AND day = ?") {
          $0.add(sealed.experimentClass)
          $0.add(sealed.identity)
          $0.add(charge.subject)
          $0.add(charge.day)
        }
      }
      if let charge = charges.last { last = (charge.subject, charge.day) }
      return (charges.count, charges.count)
    }
  }
}
