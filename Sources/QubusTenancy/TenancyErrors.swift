package import QubusCore
package import QubusJobs

/// What is not there and what may not be seen answer the same.
extension QubusError {
  package static func tenantNotFound(_ name: String) -> QubusError {
    QubusError(.tenantNotFound, "no tenant \(name) is visible to you")
  }
  package static func projectNotFound(_ tenant: String, _ name: String) -> QubusError {
    QubusError(.projectNotFound, "no project \(tenant)/\(name) is visible to you")
  }
  package static func principalNotFound(_ principal: Principal) -> QubusError {
    QubusError(
      .principalNotFound,
      "no principal \(principal.tenant)/\(principal.project)/\(principal.name) is visible to you")
  }
  package static func keyNotFound(_ key: String) -> QubusError {
    QubusError(.keyNotFound, "no key \(key) is visible to you")
  }
  package static func tokenNotFound(_ id: String) -> QubusError {
    QubusError(.keyNotFound, "no token \(id) is visible to you")
  }
}
