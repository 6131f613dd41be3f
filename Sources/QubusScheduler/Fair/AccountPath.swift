/// Whose work is counted together: a tenant, one of its projects, or a principal of a project.
package struct AccountPath: Sendable, Hashable, CustomStringConvertible {
  package var tenant: String
  package var project: String?
  package var principal: String?

  package init(tenant: String, project: String? = nil, principal: String? = nil) {
    self.tenant = tenant
    self.project = project
    self.principal = project == nil ? nil : principal
  }

  package var description: String {
    [tenant, project, principal].compactMap { $0 }.joined(separator: "/")
  }
}
