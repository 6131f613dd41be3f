internal import CQubus

/// What a client shows to an encrypted endpoint, `curve://host:port`, and with its calls.
///
/// What is nil comes from the environment: `QUBUS_SERVER_KEY`, `QUBUS_KEY_FILE`, `QUBUS_TOKEN`.
public struct Credentials: Sendable {
  /// The server's public key: 40 Z85 characters, or the path of a file with them.
  public var serverKey: String?
  /// Path of this client's key pair, as `Credentials.makeKey(at:)` writes it.
  public var keyFile: String?
  /// In place of `keyFile`: the secret key's 40 Z85 characters.
  public var secretKey: String?
  /// Bearer token that goes with every call.
  public var token: String?

  /// Those that are given.
  public init(
    serverKey: String? = nil, keyFile: String? = nil, secretKey: String? = nil,
    token: String? = nil
  ) {
    self.serverKey = serverKey
    self.keyFile = keyFile
    self.secretKey = secretKey
    self.token = token
  }

  /// Makes a key pair and writes it to a new file that only its owner may read.
  /// - Returns: the public key, for whoever adds it to the server.
  /// - Throws: `invalid_argument` when the file exists or cannot be written.
  public static func makeKey(at path: String) throws(ClientError) -> String {
    let strings = CStrings()
    let file = try strings.copy(path, as: "path")
    var key = [CChar](repeating: 0, count: Int(QUBUS_KEY_CAPACITY))
    try callLibrary { qubus_key_generate(file, &key, $0) }
    withExtendedLifetime(strings) {}
    return String(decoding: key.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Puts them into the options; `strings` keeps the texts.
  func fill(_ options: inout qubus_client_options, _ strings: CStrings) throws(ClientError) {
    options.server_key = try strings.copy(serverKey, as: "server_key")
    options.key_file = try strings.copy(keyFile, as: "key_file")
    options.secret_key = try strings.copy(secretKey, as: "secret_key")
    options.token = try strings.copy(token, as: "token")
  }
}

extension Credentials: CustomStringConvertible {
  /// Which of them are given; never what they are.
  public var description: String {
    let given = [
      ("serverKey", serverKey), ("keyFile", keyFile), ("secretKey", secretKey), ("token", token),
    ]
    return "Credentials(\(given.filter { $0.1 != nil }.map(\.0).joined(separator: ", ")))"
  }
}

extension Credentials: CustomReflectable {
  /// Nothing, so that `dump` and debuggers' summaries show no secret.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Client {
  /// Replaces the token of the calls to come; nil: they go without one.
  public func setToken(_ token: String?) throws(ClientError) {
    let strings = CStrings()
    let copy = try strings.copy(token, as: "token")
    try callLibrary { qubus_client_set_token(handle.pointer, copy, $0) }
    withExtendedLifetime(strings) {}
  }
}
