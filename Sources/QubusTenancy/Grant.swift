/// Where a grant holds; nil is everywhere.
package struct Scope: Sendable, Hashable {
  package var tenant: String?
  /// Within the tenant.
  package var project: String?
  /// The part of a device's name before the first point: `sim`, `qpu`.
  package var deviceFamily: String?

  package init(tenant: String? = nil, project: String? = nil, deviceFamily: String? = nil) {
    self.tenant = tenant
    self.project = project
    self.deviceFamily = deviceFamily
  }

  /// Whether it holds for the resource. A resource without a device is within every family: seeing
  /// a queue needs no right to a machine.
  package func covers(_ resource: Resource) -> Bool {
    if let tenant, tenant != resource.tenant { return false }
    if let project, project != resource.project { return false }
    if let deviceFamily, let family = resource.deviceFamily, family != deviceFamily { return false }
    return true
  }

  /// Whether all of `other` lies in it.
  package func contains(_ other: Scope) -> Bool {
    (tenant == nil || tenant == other.tenant) && (project == nil || project == other.project)
      && (deviceFamily == nil || deviceFamily == other.deviceFamily)
  }
}

/// A role somewhere.
package struct Grant: Sendable, Hashable {
  package var role: Role
  package var scope: Scope

  package init(_ role: Role, _ scope: Scope) {
    self.role = role
    self.scope = scope
  }
}

/// What is acted upon, as far as rights go. Empty names: the service itself.
package struct Resource: Sendable, Hashable {
  package var tenant: String
  package var project: String
  /// Name of the principal who began the job or session; nil for what belongs to nobody.
  package var owner: String?
  package var deviceFamily: String?

  package init(
    tenant: String, project: String, owner: String? = nil, deviceFamily: String? = nil
  ) {
    self.tenant = tenant
    self.project = project
    self.owner = owner
    self.deviceFamily = deviceFamily
  }
}
