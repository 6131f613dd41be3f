internal import ArgumentParser

/// The flags. Values stay text here; `ConfigurationSetting` judges them, wherever they come from.
struct DaemonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Directory of the store. Default: $XDG_STATE_HOME/qubus or ~/.local/state/qubus.",
      valueName: "dir"))
  var dataDir: String?

  @Option(
    help: ArgumentHelp(
      "Endpoint, ipc:///path, tcp://127.0.0.1:port or curve://address:port (encrypted, for known "
        + "keys); may be repeated. Default: qubus.sock in the data directory.",
      valueName: "endpoint"))
  var listen: [String] = []

  @Option(help: ArgumentHelp("Configuration in TOML.", valueName: "file"))
  var config: String?

  @Flag(help: "Check the configuration, print ok or what is wrong, and end with 0 or 78.")
  var checkConfig = false

  @Option(
    help: ArgumentHelp(
      "Let this group use the ipc sockets; without it only their owner may.", valueName: "group"))
  var socketGroup: String?

  @Option(
    help: ArgumentHelp(
      "Role in the default project of users of this machine who are no principals: viewer, "
        + "submitter, approver, project_admin, or refuse. Default: submitter.", valueName: "role"))
  var localUsers: String?

  @Option(
    help: ArgumentHelp(
      "Master key, 64 hexadecimal digits in a file of mode 0600; with one, programs, results and "
        + "labels are encrypted. Default: none.", valueName: "file"))
  var masterKeyFile: String?

  @Option(
    help: ArgumentHelp(
      "Command that writes the master key to its standard output within 30 s.",
      valueName: "command"))
  var masterKeyCommand: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Threads that compute. Default: all cores.", valueName: "count"))
  var threads: String?

  @Option(
    help: ArgumentHelp(
      "Memory for running jobs, for example 4GiB. Default: half of the machine's.",
      valueName: "bytes"))
  var memoryLimit: String?

  @Option(
    help: ArgumentHelp(
      "Weight of a tenant, of a project in it or of a principal in that: lab=2, lab/qc=3 or "
        + "lab/qc/ada=1.5; may be repeated. Default: 1.", valueName: "account=weight"))
  var weight: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sessions that may be open. Default: 1024.", valueName: "count"))
  var sessionLimit: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sessions that one principal may hold. Default: 256.", valueName: "count"))
  var sessionLimitPerPrincipal: String?

  @Option(
    help: ArgumentHelp(
      "Memory for the plans of sessions, for example 1GiB. Default: a quarter of --memory-limit, "
        + "on top of it.", valueName: "bytes"))
  var sessionMemory: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Percentage of the cores that sessions may use while jobs run. Default: 60.",
      valueName: "percent"))
  var sessionShare: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Predicted time up to which a step is evaluated on the transport thread; 0: never. Default: "
        + "50.", valueName: "microseconds"))
  var stepInPlace: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Time after a message for which processors are kept from halting while messages follow one "
        + "another; 0: never. Default: 500.", valueName: "microseconds"))
  var keepAwake: String?

  @Option(
    help: ArgumentHelp(
      "How long results are kept from the end of their job: 90d, 12h, 30m, 10s or forever. "
        + "Default: forever.", valueName: "time"))
  var resultRetention: String?

  @Option(
    help: ArgumentHelp(
      "How long events are kept from the end of their job. Default: forever.", valueName: "time"))
  var eventRetention: String?

  @Option(
    help: ArgumentHelp(
      "How long records of the audit are kept; it stays verifiable. Default: forever.",
      valueName: "time"))
  var auditRetention: String?

  @Option(
    help: ArgumentHelp(
      "Least level logged: trace, debug, info, notice, warning, error or critical. Default: info.",
      valueName: "level"))
  var logLevel: String?

  @Option(
    help: ArgumentHelp(
      "Form of the log: json or text. Default: text on a terminal, json otherwise.",
      valueName: "format"))
  var logFormat: String?

  func loader(environment: [String: String]) -> ConfigurationLoader {
    let single: [ConfigurationSetting: String?] = [
      .dataDirectory: dataDir, .socketGroup: socketGroup, .localUsers: localUsers,
      .masterKeyFile: masterKeyFile, .masterKeyCommand: masterKeyCommand, .threads: threads,
      .memoryLimit: memoryLimit, .sessionLimit: sessionLimit,
      .sessionLimitPerPrincipal: sessionLimitPerPrincipal, .sessionMemory: sessionMemory,
      .sessionShare: sessionShare, .stepInPlace: stepInPlace, .keepAwake: keepAwake,
      .resultRetention: resultRetention, .eventRetention: eventRetention,
      .auditRetention: auditRetention, .logLevel: logLevel, .logFormat: logFormat,
    ]
    var flags = single.compactMapValues { $0.map { [$0] } }
    flags[.listen] = listen
    flags[.weight] = weight
    return ConfigurationLoader(
      flags: flags, configurationFile: config, environment: environment)
  }
}
