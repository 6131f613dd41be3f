package import QubusJobs

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Who the people of this machine are. A user who is the uid of a principal is that principal;
/// everybody else is what this says, so that a single user on a laptop has nothing to set up.
package struct LocalPolicy: Sendable {
  /// Of the daemon.
  package var ownUID: UInt32
  /// What users who are nobody's principal may do in `default/default`, each under the name of the
  /// user; nil: nothing, they are not served.
  package var unknownUsers: Role?
  /// The name of a user of this machine; nil: there is none of this uid.
  package var userName: @Sendable (UInt32) -> String?

  package init(
    ownUID: UInt32, unknownUsers: Role? = .submitter,
    userName: @escaping @Sendable (UInt32) -> String? = LocalPolicy.systemName
  ) {
    self.ownUID = ownUID
    self.unknownUsers = unknownUsers
    self.userName = userName
  }

  static let tenant = "default"
  static let project = "default"

  /// Everybody who comes over a loopback port.
  static let loopback = Principal(tenant: tenant, project: project, name: "local")

  /// `uid:1000`: cannot be a principal's name, so it is nobody else.
  static func principal(ofUID uid: UInt32) -> Principal {
    Principal(tenant: tenant, project: project, name: "uid:\(uid)")
  }

  package func principal(of uid: UInt32) -> Principal {
    guard let name = userName(uid), !name.isEmpty else { return Self.principal(ofUID: uid) }
    return Principal(tenant: Self.tenant, project: Self.project, name: name)
  }

  /// From the machine's table of users.
  package static let systemName: @Sendable (UInt32) -> String? = { uid in
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
      guard getpwuid_r(uid, &entry, buffer.baseAddress!, buffer.count, &found) == 0,
        found != nil, let name = entry.pw_name
      else { return nil }
      return String(cString: name)
    }
  }
}
