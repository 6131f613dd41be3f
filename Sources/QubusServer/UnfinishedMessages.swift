internal import CAccept
internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// Finds the connections over TCP whose peers send messages without an end.
///
/// ZeroMQ keeps the frames of a message until its last one has come, without any bound and without
/// a word to whoever reads (measured, libzmq 4.3.4). But the system counts the bytes of every
/// connection, and the server what it was given of them: the difference is what ZeroMQ holds. Of
/// one thread.
final class UnfinishedMessages {
  private struct Account {
    let cookie: UInt64
    /// nil: no message of it has come to its end.
    var bytes: InboundBytes?
    /// Received without being part of a message: the handshake and heartbeats.
    var overhead = 0
    /// Of `bytes`, at the last look.
    var takenBefore: UInt64 = 0
  }

  private var accounts: [Int32: Account] = [:]
  private let limit: Int
  private var residentBefore: UInt64 = .max
  private var nextRegularLook: Microseconds = 0
  /// Whether a connection holds much that the next look has to judge.
  private(set) var hasSuspects = false

  /// Growth of the process's memory that is worth a look.
  private static let growth: UInt64 = 32 << 20
  /// Above this a connection is worth another look and, when memory is short, is cut off.
  static let suspicious = 1 << 20
  private static let regularMicroseconds: Microseconds = 3_600_000_000

  /// - Parameter limit: bytes that a message may have before its end.
  init(limit: UInt64) { self.limit = Int(clamping: limit) }

  /// What the messages of a new connection are counted by; nil: it does not come over TCP.
  func account(_ descriptor: Int32, isCurve: Bool) -> InboundBytes? {
    guard let peer = Self.peer(descriptor) else { return nil }
    var account = Account(cookie: peer.cookie)
    if let known = accounts[descriptor], known.cookie == peer.cookie { account = known }
    let bytes = account.bytes ?? InboundBytes(isCurve: isCurve)
    account.bytes = bytes
    accounts[descriptor] = account
    return bytes
  }

  /// Whether memory has grown enough for a look, one is pending, or it is time.
  func isDue(_ now: Microseconds, resident: UInt64) -> Bool {
    residentBefore = min(residentBefore, resident)
    return hasSuspects || resident > residentBefore + Self.growth || now >= nextRegularLook
  }

  /// The descriptors of those connections to `ports` that have to go: of whose messages nothing was
  /// taken since the look before, and that hold more than the limit.
  /// - Parameter isPressing: memory is short: whoever holds much has to go.
  func look(
    _ now: Microseconds, resident: UInt64, ports: Set<UInt16>, isPressing: Bool
  ) -> [Int32] {
    let isRegular = now >= nextRegularLook
    if isRegular { nextRegularLook = now + Self.regularMicroseconds }
    residentBefore = resident
    hasSuspects = false
    var seen: [Int32: Account] = [:]
    var offenders: [Int32] = []
    for descriptor in Self.openDescriptors() {
      guard let peer = Self.peer(descriptor), ports.contains(peer.port) else { continue }
      guard var account = accounts[descriptor], account.cookie == peer.cookie else {
        seen[descriptor] = Account(cookie: peer.cookie)
        if peer.received > UInt64(Self.suspicious) { hasSuspects = true }
        continue
      }
      let taken = account.bytes?.taken ?? 0
      let held = Int(clamping: peer.received) - Int(clamping: taken) - account.overhead
      if taken != account.takenBefore {
        account.takenBefore = taken
        // Whatever came before a message that was taken is finished.
        if held < Self.suspicious { account.overhead += held }
      } else if held > (isPressing ? Self.suspicious : limit) {
        offenders.append(descriptor)
      } else if held > Self.suspicious {
        hasSuspects = true
      } else if isRegular {
        account.overhead += held
      }
      seen[descriptor] = account
    }
    accounts = seen
    return offenders
  }

  /// Ends a connection: ZeroMQ sees that the peer has gone, and frees what it holds.
  static func cutOff(_ descriptor: Int32) {
    // The close is a reset: a peer that waits for room to send hears of it.
    var lingers = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &lingers, socklen_t(MemoryLayout<linger>.size))
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private static func peer(_ descriptor: Int32) -> qubus_tcp_peer? {
    var peer = qubus_tcp_peer()
    return qubus_tcp_peer_read(descriptor, &peer) == 0 ? peer : nil
  }

  private static func openDescriptors() -> [Int32] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let number = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
      }
      if let number { found.append(number) }
    }
    return found
  }
}
