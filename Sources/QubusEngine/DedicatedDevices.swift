internal import QubusDevices
internal import QubusJobs
internal import QubusTenancy

extension [any Device] {
  /// Without those that belong to other tenants, which for the principal are not there.
  /// - Parameter principal: nil: for work that was accepted already.
  func open(to principal: Principal?, _ ledger: LedgerBook?) -> [any Device] {
    guard let principal, let owners = ledger?.dedicated, !owners.isEmpty else { return self }
    return filter { (owners[$0.name] ?? principal.tenant) == principal.tenant }
  }
}
