internal import QubusCore
internal import QubusJobs

#if canImport(Glibc)
  internal import Glibc
#endif

/// Who is on the other side, as far as the kernel says.
enum PeerAddress: Equatable {
  /// An ipc peer, by the credentials of its socket.
  case user(uid: UInt32)
  /// A peer on loopback tcp: somebody on this machine.
  case local

  /// - Parameter property: the `Peer-Address` that ZeroMQ attaches to a message:
  /// `localhost:uid:gid:pid`
  ///   on ipc (libzmq 4.3.4), a numeric address on tcp, which never begins so.
  init(property: String) {
    let parts = property.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 4, parts[0] == "localhost", let uid = UInt32(parts[1]),
      UInt32(parts[2]) != nil, UInt32(parts[3]) != nil
    {
      self = .user(uid: uid)
    } else {
      self = .local
    }
  }

  var principal: Principal {
    switch self {
    case .local: Principal(tenant: "default", project: "default", name: "local")
    case .user(let uid):
      Principal(
        tenant: "default", project: "default", name: Self.name(of: uid) ?? "uid:\(uid)")
    }
  }

  private static func name(of uid: UInt32) -> String? {
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
