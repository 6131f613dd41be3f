internal import ArgumentParser
internal import QubusCore
internal import QubusStoreSQLite

struct BackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy the store, also while the daemon works on it.",
    discussion: """
      The copy is of one moment. It gets its name when it is durable and has passed its check. \
      What is encrypted stays so; the master key is not in it.
      """)

  @OptionGroup var options: DaemonOptions

  @Option(help: ArgumentHelp("Folder to make; it must not exist.", valueName: "dir"))
  var to: String

  func run() throws {
    try Maintenance.run(options) { (configuration) throws(QubusError) in
      let report = try Backup().make(of: configuration.dataDirectory, to: to)
      return Maintenance.json(report, "backup", at: to)
    }
  }
}

struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Put a backup in place as the data directory.",
    discussion: "The data directory must not exist, or be empty; the backup is checked first.")

  @OptionGroup var options: DaemonOptions

  @Option(help: ArgumentHelp("A folder that backup made.", valueName: "dir"))
  var from: String

  func run() throws {
    try Maintenance.run(options) { (configuration) throws(QubusError) in
      let report = try Backup().restore(from, to: configuration.dataDirectory)
      return Maintenance.json(report, "restore", at: configuration.dataDirectory)
    }
  }
}
