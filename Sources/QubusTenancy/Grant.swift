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
  /// a queue needs no right to a machine. A project without its tenant is no place at all.
  package func covers(_ resource: Resource) -> Bool {
    if let tenant {
      if tenant != resource.tenant { return false }
      if let project, project != resource.project { return false }
    } else if project != nil {
      return false
    }
    if let deviceFamily, let family = resource.deviceFamily, family != deviceFamily { return false }
    return true
  }

  /// Whether all of `other` lies in it.
  package func contains(_ other: Scope) -> Bool {
    (project == nil || tenant != nil) && (tenant == nil || tenant == other.tenant)
      && (project == nil || project == other.project)
      && (deviceFamily == nil || deviceFamily == other.deviceFamily)
  }

  /// `lab/qc`, `lab`, `everything`, each with `on sim` behind it where it is bound to a family.
  package var text: String {
    let place = [tenant, project].compactMap { $0 }.joined(separator: "/")
    return (place.isEmpty ? "everything" : place) + (deviceFamily.map { " on \($0)" } ?? "")
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

  /// As the audit names it: `submitter of lab/qc`.
  package var text: String { "\(role.rawValue) of \(scope.text)" }

  /// The policy that allowed something, in words; without a grant it is what everybody may do.
  package static func policy(_ grant: Grant?) -> String { grant?.text ?? "everyone" }
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

  /// `lab/qc`, `lab`, `the service`.
  package var text: String {
    let place = [tenant, project].filter { !$0.isEmpty }.joined(separator: "/")
    return (place.isEmpty ? "the service" : place) + (deviceFamily.map { " on \($0)" } ?? "")
  }

  /// The part of a device's name before the first point.
  package static func family(ofDevice name: String) -> String {
    String(name.prefix { $0 != "." })
  }
}
