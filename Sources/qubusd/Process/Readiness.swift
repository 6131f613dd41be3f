internal import Glibc
internal import QubusCore

/// The one line on standard output that says where the daemon can be reached.
enum Readiness {
  static func announce(_ daemon: Daemon, _ configuration: Configuration) {
    // Clients of a curve endpoint need the server's public key.
    let key = daemon.serverKeys.first.map { [("server_key", JSONLine.quoted($0))] } ?? []
    JSONLine.write(
      JSONLine.object([
        ("event", JSONLine.quoted("ready")),
        ("endpoints", JSONLine.array(daemon.endpoints.map(JSONLine.quoted))),
        ("pid", "\(getpid())"), ("version", JSONLine.quoted(Versions.server)),
        ("data_dir", JSONLine.quoted(configuration.dataDirectory)),
        ("instance_id", JSONLine.quoted(daemon.instanceID)),
      ] + key), to: STDOUT_FILENO)
  }
}
