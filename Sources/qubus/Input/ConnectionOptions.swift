internal import ArgumentParser
internal import QubusClient

/// How to reach the daemon, and as whom.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Endpoint of the daemon, for example ipc:///run/qubus/qubus.sock or curve://host:7400.",
      valueName: "address"))
  var endpoint: String?

  @Option(
    help: ArgumentHelp(
      "Public key of the server behind curve://, or a file with it; else QUBUS_SERVER_KEY.",
      valueName: "key|file"))
  var serverKey: String?

  @Option(
    help: ArgumentHelp(
      "Key pair of this client for curve://, made by 'qubus keygen'; else QUBUS_KEY_FILE.",
      valueName: "file"))
  var keyFile: String?

  @Option(
    help: ArgumentHelp(
      "Bearer token; QUBUS_TOKEN keeps it out of the list of processes.", valueName: "token"))
  var token: String?

  func connect(timeout: Duration = .seconds(5)) throws -> Client {
    try Client(
      endpoint: endpoint, name: "qubus \(Client.version)", connectTimeout: timeout,
      credentials: Credentials(serverKey: serverKey, keyFile: keyFile, token: token))
  }
}
