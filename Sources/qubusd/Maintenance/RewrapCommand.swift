internal import ArgumentParser
internal import Glibc
internal import QubusCore
internal import QubusStoreSQLite
internal import QubusTenancy

struct RewrapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rewrap", abstract: "Exchange the master key, while the daemon is stopped.",
    discussion: """
      Every tenant's data key is opened with the present master key (--master-key-file or \
      --master-key-command) and wrapped with the new one, in one transaction.
      """)

  @OptionGroup var options: DaemonOptions

  @Option(help: ArgumentHelp("The new master key.", valueName: "file"))
  var newMasterKeyFile: String?

  @Option(help: ArgumentHelp("Command that writes the new master key.", valueName: "command"))
  var newMasterKeyCommand: String?

  func validate() throws {
    guard (newMasterKeyFile == nil) != (newMasterKeyCommand == nil) else {
      throw ValidationError("Give --new-master-key-file or --new-master-key-command.")
    }
  }

  func run() throws {
    try Maintenance.run(options) { (configuration) throws(QubusError) in
      guard let present = configuration.masterKey else { throw .noMasterKey }
      let source: MasterKeySource =
        newMasterKeyFile.map { .file($0) } ?? .command(newMasterKeyCommand ?? "")
      let (old, new) = (try present.read(), try source.read())
      let report = try Rewrapping(directory: configuration.dataDirectory).run(
        from: old, to: new, by: "uid:\(getuid())", at: SystemClock().now())
      return JSONLine.object([
        ("event", JSONLine.quoted("rewrap")), ("rewrapped", "\(report.rewrapped)"),
        ("broken", JSONLine.array(report.broken.map(JSONLine.quoted))),
        ("master_key", JSONLine.quoted(new.idText)),
      ])
    }
  }
}

extension QubusError {
  fileprivate static var noMasterKey: QubusError {
    QubusError(
      .masterKeyRequired,
      "the present master key is needed: --master-key-file or --master-key-command")
  }
}
