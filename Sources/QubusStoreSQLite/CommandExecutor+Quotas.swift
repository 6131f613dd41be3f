internal import QubusCore
internal import QubusTenancy

/// Changes of quotas, weights, policies and drains, within the open transaction of the writer.
extension CommandExecutor {
  func applyBound(_ change: TenancyChange) throws(SQLiteFailure) {
    switch change {
    case .setQuota(let scope, let quota, let limit):
      try write("DELETE FROM quotas WHERE scope = ? AND quota = ? AND family = ?") {
        $0.add(scope.placeText)
        $0.add(quota.rawValue)
        $0.add(scope.deviceFamily ?? "")
      }
      guard let limit else { return }
      try write("INSERT INTO quotas (scope,quota,family,bound) VALUES (?,?,?,?)") {
        $0.add(scope.placeText)
        $0.add(quota.rawValue)
        $0.add(scope.deviceFamily ?? "")
        $0.add(limit)
      }
    case .setWeight(let scope, let weight):
      try write("DELETE FROM share_weights WHERE scope = ?") { $0.add(scope.placeText) }
      guard let weight else { return }
      try write("INSERT INTO share_weights (scope,weight) VALUES (?,?)") {
        $0.add(scope.placeText)
        $0.add(weight)
      }
    case .setApprovalPolicy(let policy):
      try remove(policy.key)
      try write(
        "INSERT INTO approval_policies (\(TenancyRows.policyColumns)) VALUES (?,?,?,?,?,?,?)"
      ) {
        $0.add(policy.key)
        $0.add(policy.maxShots.map { Int64(bitPattern: $0) })
        $0.add(policy.maxCost)
        $0.add(PackedStrings.pack(policy.deviceFamilies))
        $0.add(policy.expirySeconds)
      }
    case .removeApprovalPolicy(let key): try remove(key)
    case .setExportPolicy(let policy):
      try remove(policy.key)
      try write("INSERT INTO export_policies (tenant,project,destinations) VALUES (?,?,?)") {
        $0.add(policy.key)
        $0.add(PackedStrings.pack(policy.destinations))
      }
    case .removeExportPolicy(let key): try remove(key)
    case .drain(let drain):
      try write(
        "INSERT OR REPLACE INTO device_drains (\(TenancyRows.drainColumns)) VALUES (?,?,?,?,?,?)"
      ) {
        $0.add(drain.device)
        $0.add(drain.by)
        $0.add(drain.reason)
        $0.add(drain.since)
      }
    case .endDrain(let device):
      try write("DELETE FROM device_drains WHERE device = ?") { $0.add(device) }
    default: preconditionFailure("not a change of bounds")
    }
  }

  private func remove(_ key: ExportPolicy.Key) throws(SQLiteFailure) {
    try write("DELETE FROM export_policies WHERE tenant = ? AND project = ?") { $0.add(key) }
  }

  private func remove(_ key: ApprovalPolicy.Key) throws(SQLiteFailure) {
    try write("DELETE FROM approval_policies WHERE \(TenancyRows.ofPolicy)") { $0.add(key) }
  }
}
