internal import ArgumentParser
internal import Glibc
internal import Logging
internal import QubusCore

/// The daemon of Qubus. `docs/configuration.md` documents its settings, signals and exit statuses.
@main
struct Qubusd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qubusd",
    abstract: "Runs the Qubus job service.",
    discussion: """
      Every setting comes from its flag, else from the environment (QUBUS_DATA_DIR, QUBUS_LISTEN, \
      ...), else from the file, else from its default. When the daemon is ready, one JSON line on \
      standard output names its endpoints. SIGTERM and SIGINT stop it cleanly.
      """,
    version: "qubusd \(Versions.server)",
    subcommands: [BackupCommand.self, RestoreCommand.self, RewrapCommand.self])

  @OptionGroup var options: DaemonOptions

  func run() throws {
    let configuration: Configuration
    do throws(ConfigurationProblems) {
      configuration = try options.loader(environment: Environment.current()).load()
    } catch {
      for problem in error.problems { JSONLine.write("qubusd: \(problem)", to: STDERR_FILENO) }
      throw ExitCode(DaemonExit.configuration.rawValue)
    }
    if options.checkConfig {
      JSONLine.write("ok", to: STDOUT_FILENO)
      return
    }
    // Before any thread exists, so that all of them leave the signals to this one.
    StopSignals.block()
    FileDescriptorLimit.raise()
    let logger = configuration.makeLogger()
    do throws(QubusError) {
      try CoreDumps.forbid()
      let daemon = try Daemon(configuration, logger: logger)
      Readiness.announce(daemon, configuration)
      StopSignals.serve(daemon, logger: logger)
    } catch {
      // No client has spoken yet: what it says is about the configuration and the directory.
      logger.critical("\(error)\(error.cause.map { ": \($0)" } ?? "")")
      throw ExitCode(DaemonExit(error).rawValue)
    }
  }
}
