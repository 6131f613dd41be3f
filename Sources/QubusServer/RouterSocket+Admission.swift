internal import CAccept
internal import CZeroMQ
internal import QubusTenancy

#if canImport(Glibc)
  internal import Glibc
#endif

extension RouterSocket {
  /// What became of one question of ZeroMQ whether to admit a connection.
  enum Door {
    case nobody
    case answered
    /// The socket does not work any more.
    case lost
  }

  enum Verdict {
    case admitted
    /// Try again once the handshake has timed out.
    case later
    /// There is no room to wait: to be gone at once, and to try again.
    case full
    /// This credential is nobody's.
    case refused
  }

  /// Answers one question, by ZAP 1.0.
  func admitOne(_ judge: (Credential) -> Verdict) -> Door {
    guard let admission else { return .lost }
    var request: [[UInt8]] = []
    repeat {
      guard zmq_msg_recv(frame, admission, ZMQ_DONTWAIT) >= 0 else {
        switch zmq_errno() {
        case EINTR: continue
        case EAGAIN: return .nobody
        default: return .lost
        }
      }
      if request.count < Self.requestFrames { request.append([UInt8](Self.bytes(frame))) }
    } while zmq_msg_more(frame) != 0 || request.isEmpty
    let credential = Self.credential(request)
    let verdict = credential.map(judge) ?? .refused
    let status =
      switch verdict {
      case .admitted: "200"
      case .later: "300"
      case .full: "500"
      case .refused: "400"
      }
    var userID = ""
    if let credential, case .admitted = verdict {
      userID = mark.text(credential)
      qubus_accept_admitted(String(decoding: request[3], as: UTF8.self))
    }
    let reply = [
      Array("1.0".utf8), request.count > 1 ? request[1] : [], Array(status.utf8), [],
      Array(userID.utf8), [],
    ]
    for (index, bytes) in reply.enumerated() {
      let flags = index < reply.count - 1 ? ZMQ_SNDMORE : 0
      guard zmq_send(admission, bytes, bytes.count, flags) >= 0 else { return .lost }
    }
    return .answered
  }

  /// version, request id, domain, address, routing id, mechanism, and a CURVE peer's key.
  private static let requestFrames = 7

  /// nil: a question that is not understood.
  private static func credential(_ request: [[UInt8]]) -> Credential? {
    guard request.count >= 6, request[0] == Array("1.0".utf8) else { return nil }
    switch String(decoding: request[5], as: UTF8.self) {
    case "NULL": return PeerAddress.credential(String(decoding: request[3], as: UTF8.self))
    case "CURVE":
      guard request.count == 7, request[6].count == 32 else { return nil }
      var text = [CChar](repeating: 0, count: 41)
      guard zmq_z85_encode(&text, request[6], 32) != nil else { return nil }
      return .key(text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    default: return nil
    }
  }
}
