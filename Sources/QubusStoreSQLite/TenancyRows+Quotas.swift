internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// The rows of quotas and policies as values.
extension TenancyRows {
  static let policyColumns =
    "tenant,project,class,max_shots,max_cost,device_families,expiry_seconds"
  static let ofPolicy = "tenant = ? AND project = ? AND class = ?"

  func hasApprovalPolicy(_ key: ApprovalPolicy.Key) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM approval_policies WHERE \(Self.ofPolicy)") { $0.add(key) } != nil
  }

  func hasExportPolicy(_ key: ExportPolicy.Key) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM export_policies WHERE tenant = ? AND project = ?") {
      $0.add(key)
    } != nil
  }

  static func exportPolicy(_ row: inout SQLRow) throws(QubusError) -> ExportPolicy {
    let key = ExportPolicy.Key(tenant: row.text(), project: row.text())
    guard let destinations = PackedStrings.unpack(row.blob()) else {
      throw damaged("the export policy of \(key.text) has no destinations")
    }
    return ExportPolicy(key: key, destinations: destinations)
  }

  static func quota(_ row: inout SQLRow) throws(QubusError) -> QuotaRecord {
    let (scopeText, word, family, limit) = (row.text(), row.text(), row.text(), row.integer())
    let scope = QuotaScope(placeText: scopeText, deviceFamily: family.isEmpty ? nil : family)
    guard let scope, let quota = Quota(rawValue: word) else {
      throw damaged("there is a quota \(word) of \(scopeText)")
    }
    return QuotaRecord(scope: scope, quota: quota, limit: limit)
  }

  static func weight(_ row: inout SQLRow) throws(QubusError) -> ShareWeight {
    let (scopeText, weight) = (row.text(), row.real())
    guard let scope = QuotaScope(placeText: scopeText), ShareWeight.range.contains(weight) else {
      throw damaged("there is a weight \(weight) of \(scopeText)")
    }
    return ShareWeight(scope: scope, weight: weight)
  }

  static let drainColumns = "device,tenant,project,principal,reason,since"

  static func drain(_ row: inout SQLRow) -> DeviceDrain {
    let device = row.text()
    let principal = Principal(tenant: row.text(), project: row.text(), name: row.text())
    return DeviceDrain(device: device, by: principal, reason: row.text(), since: row.integer())
  }

  static func policy(_ row: inout SQLRow) throws(QubusError) -> ApprovalPolicy {
    let (tenant, project, name) = (row.text(), row.text(), row.text())
    var policy = ApprovalPolicy(
      key: ApprovalPolicy.Key(
        tenant: tenant, project: project.isEmpty ? nil : project, experimentClass: name))
    policy.maxShots = row.optionalInteger().map { UInt64(bitPattern: $0) }
    policy.maxCost = row.optionalInteger()
    guard let families = PackedStrings.unpack(row.blob()) else {
      throw damaged("the approval policy of \(policy.key.text) has no families")
    }
    policy.deviceFamilies = families
    policy.expirySeconds = row.integer()
    return policy
  }
}

extension SQLStatement {
  /// Binds tenant and project.
  func add(_ key: ExportPolicy.Key) {
    add(key.tenant)
    add(key.project)
  }

  /// Binds the three values of `TenancyRows.ofPolicy`.
  func add(_ key: ApprovalPolicy.Key) {
    add(key.tenant)
    add(key.project ?? "")
    add(key.experimentClass)
  }
}
