internal import Glibc
internal import QubusCore

/// The one line on standard output that says where the daemon can be reached.
enum Readiness {
  static func announce(_ daemon: Daemon, _ configuration: Configuration) {
    let keys = JSONLine.object(
      daemon.publicKeys.sorted { $0.key < $1.key }.map { ($0.key, JSONLine.quoted($0.value)) })
    JSONLine.write(
      JSONLine.object([
        ("event", JSONLine.quoted("ready")),
        ("endpoints", JSONLine.array(daemon.endpoints.map(JSONLine.quoted))),
        ("pid", "\(getpid())"), ("version", JSONLine.quoted(Versions.server)),
        ("data_dir", JSONLine.quoted(configuration.dataDirectory)),
        ("instance_id", JSONLine.quoted(daemon.instanceID)),
        ("server_keys", keys),
      ]), to: STDOUT_FILENO)
  }
}
