internal import QubusTenancy

/// Who is on the other side of a plain connection, as far as the kernel says.
enum PeerAddress {
  /// - Parameter text: as ZeroMQ describes a peer: `localhost:uid:gid:pid` on ipc (libzmq 4.3.4), a
  ///   numeric address on tcp, which never begins so.
  static func credential(_ text: String) -> Credential {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 4, parts[0] == "localhost", let uid = UInt32(parts[1]),
      UInt32(parts[2]) != nil, UInt32(parts[3]) != nil
    {
      return .localUser(uid: uid)
    }
    return .loopback
  }
}
