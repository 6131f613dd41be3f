internal import ArgumentParser
internal import QubusClient

/// How to reach the daemon.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Endpoint of the daemon, for example ipc:///run/qubus/qubus.sock.", valueName: "address"))
  var endpoint: String?

  func connect(timeout: Duration = .seconds(5)) throws -> Client {
    try Client(
      endpoint: endpoint, name: "qubus \(Client.version)", connectTimeout: timeout)
  }
}
