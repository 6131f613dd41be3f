import Foundation
import Glibc

/// A peer over TCP or ipc that writes bytes as it likes, ZMTP or not.
final class RawPeer {
  private let file: Int32

  /// - Parameter endpoint: `tcp://127.0.0.1:port` or `curve://127.0.0.1:port`.
  init?(_ endpoint: String) {
    guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else { return nil }
    file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let outcome = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard outcome == 0 else { return nil }
  }

  /// - Parameter path: of an ipc socket.
  init?(path: String) {
    file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let outcome = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(file, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard outcome == 0 else { return nil }
  }

  deinit { close(file) }

  /// False when the other side has closed.
  func write(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(file, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Reads until the other side closes; false when it has not within `milliseconds`.
  func isClosed(within milliseconds: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      var item = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      guard poll(&item, 1, milliseconds) > 0 else { return false }
      guard recv(file, &buffer, buffer.count, 0) > 0 else { return true }
    }
  }

  /// Reads at least `count` bytes.
  func skip(_ count: Int) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    var left = count
    while left > 0 {
      let taken = recv(file, &buffer, min(left, buffer.count), 0)
      guard taken > 0 else { return }
      left -= taken
    }
  }

  /// Greeting of ZMTP 3.0 with the NULL mechanism.
  static let greeting: [UInt8] =
    [0xFF] + [UInt8](repeating: 0, count: 8) + [0x7F, 3, 0] + Array("NULL".utf8)
    + [UInt8](repeating: 0, count: 16 + 32)

  /// Of the server's greeting and its READY: "ROUTER" is as long as "DEALER".
  static let serverBytes = greeting.count + ready.count

  /// READY of a DEALER.
  static let ready: [UInt8] = {
    func property(_ name: String, _ value: String) -> [UInt8] {
      [UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0, 0, UInt8(value.utf8.count)]
        + Array(value.utf8)
    }
    let body =
      [5] + Array("READY".utf8) + property("Socket-Type", "DEALER") + property("Identity", "")
    return [0x04, UInt8(body.count)] + body
  }()
}
