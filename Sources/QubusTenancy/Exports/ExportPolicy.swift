package import QubusCore

/// Where results of a project may be archived to, and that only reviewers do.
package struct ExportPolicy: Sendable, Hashable {
  /// Whose results it is about.
  package struct Key: Sendable, Hashable {
    package var tenant: String
    package var project: String

    package init(tenant: String, project: String) {
      self.tenant = tenant
      self.project = project
    }

    /// `lab/qc`.
    package var text: String { "\(tenant)/\(project)" }
  }

  package var key: Key
  /// Names of places outside of the service; at least one.
  package var destinations: [String]

  package init(key: Key, destinations: [String]) {
    self.key = key
    self.destinations = destinations
  }

  package static let destinationsLimit = 16

  /// Why it is no policy; nil when it is one.
  package var refusal: QubusError? {
    guard !destinations.isEmpty, destinations.count <= Self.destinationsLimit else {
      return .field(
        .invalidRequest, "destinations", "\(destinations.count) destinations",
        limit: "1 to \(Self.destinationsLimit)")
    }
    guard let wrong = destinations.first(where: { !TenancyName.isValid($0) }) else { return nil }
    let shown = wrong.prefix(TenancyName.limit)
    return .field(
      .invalidName, "destinations",
      "\"\(shown)\" is not made of a-z 0-9 . _ - @ behind a letter or digit",
      limit: "\(TenancyName.limit) characters")
  }
}

extension QubusError {
  /// Names the policy and what would be allowed.
  package static func exportRefused(
    _ name: String, to destination: String, under policy: ExportPolicy, isReviewer: Bool
  ) -> QubusError {
    let allowed = policy.destinations.joined(separator: ", ")
    let cause =
      isReviewer
      ? "results may not go to \"\(destination)\""
      : "\(name) may not \(Action.exportResults.rawValue)"
    let remedy =
      isReviewer
      ? "name one of its destinations: \(allowed)"
      : "ask a reviewer of the project, or the tenant's administrator for the role"
    return QubusError(
      .permissionDenied, "export policy of \(policy.key.text): \(cause); \(remedy)",
      details: [
        "action": Action.exportResults.rawValue, "scope": policy.key.text,
        "policy": "export policy of \(policy.key.text)", "destinations": allowed,
        "remedy": remedy,
      ])
  }
}
