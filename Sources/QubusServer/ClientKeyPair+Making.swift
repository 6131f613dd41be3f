internal import CZeroMQ
package import QubusCore
package import QubusEngine

extension ClientKeyPair {
  /// A new CURVE key pair.
  /// - Throws: `not_implemented` when this libzmq is built without CURVE.
  package static func make() throws(QubusError) -> ClientKeyPair {
    let characters = 40
    var publicKey = [CChar](repeating: 0, count: characters + 1)
    var secretKey = publicKey
    guard zmq_curve_keypair(&publicKey, &secretKey) == 0 else {
      throw QubusError(
        .notImplemented, "no keys can be made: \(String(cString: zmq_strerror(zmq_errno())))")
    }
    return ClientKeyPair(
      publicKey: publicKey.withUnsafeBufferPointer { String(cString: $0.baseAddress!) },
      secretKey: secretKey.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
  }
}
