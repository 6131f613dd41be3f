package import QubusCore
package import QubusJobs
package import QubusTenancy

/// A principal with the grants that the caller may see.
package struct PrincipalReport: Sendable, Hashable {
  package var record: PrincipalRecord
  package var grants: [Grant]

  package init(record: PrincipalRecord, grants: [Grant]) {
    self.record = record
    self.grants = grants
  }
}

package struct KeyReport: Sendable, Hashable {
  package var record: ClientKeyRecord
  /// Now.
  package var isValid: Bool

  package init(record: ClientKeyRecord, isValid: Bool) {
    self.record = record
    self.isValid = isValid
  }
}

/// A window of a device's calendar as one caller sees it.
package struct ReservationReport: Sendable, Hashable {
  package var reservation: Reservation
  /// False: it is told as time that is taken, not whose it is.
  package var isNamed: Bool

  package init(reservation: Reservation, isNamed: Bool) {
    self.reservation = reservation
    self.isNamed = isNamed
  }

  /// Its place in lists: windows of one device never begin at one time.
  package var place: String {
    let time = String(reservation.startsAt)
    return String(repeating: "0", count: max(0, 20 - time.count)) + time + " "
      + reservation.device
  }
}

/// The halves of a key pair, Z85.
package struct ClientKeyPair: Sendable, Hashable {
  package var publicKey: String
  package var secretKey: String

  package init(publicKey: String, secretKey: String) {
    self.publicKey = publicKey
    self.secretKey = secretKey
  }
}

/// What administration answers.
package enum TenancyAnswer: Sendable, Hashable {
  // Lists; `next` is empty on the last page.
  case tenants([TenantRecord], next: String)
  case projects([ProjectRecord], next: String)
  case principals([PrincipalReport], next: String)
  case keys([KeyReport])

  case tenant(TenantRecord)
  case project(ProjectRecord)
  case principal(PrincipalReport)
  case key(KeyReport)
  /// The secret half is told once; nothing keeps it.
  case invitation(KeyReport, secretKey: String, serverKey: String)
  case token(String, TokenRecord)
  case tokenRevoked
  /// Tokens of the key before are good until then at the latest.
  case tokenKeyRotated(id: String, previousUntil: Microseconds)

  case audit([AuditRecord], isComplete: Bool)
  case auditReport(AuditReport)
  case auditCheckpoint(AuditCheckpoint)

  case price(device: String, Price)
  case entitlement(CreditReport.Entry)
  case budget(BudgetReport)
  case dedication(device: String, tenant: String?)
  case budgets([BudgetReport], [CreditReport], prices: [String: Price])
  case usage(UsageReport)
  /// Of a change: the one that was set.
  case quotas([QuotaStatus], next: String)
  /// Nil: that of the configuration.
  case weight(QuotaScope, Double?)
  case approvalPolicy(ApprovalPolicy)
  /// Of a change: the one that was set or removed.
  case exportPolicies([ExportPolicy], next: String)
  /// Nil: jobs start there.
  case drain(device: String, DeviceDrain?)
  /// Of a change: as it is now; of a cancel: as it was.
  case reservation(Reservation)
  case reservations([ReservationReport], next: String)
}

/// What the server needs for administration. Every call is authorised against `context.identity`:
/// what the caller may not see answers exactly as what does not exist.
package protocol TenancyService: Sendable {
  /// Reads; may touch the disk.
  func answer(
    _ query: TenancyQuery, context: CallContext
  ) throws(QubusError) -> TenancyAnswer
  /// Completes after the commit, with the change in force.
  func perform(
    _ order: TenancyOrder, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<TenancyAnswer, QubusError>) -> Void)
}
