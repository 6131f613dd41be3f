internal import ArgumentParser
internal import Glibc
internal import QubusCore
internal import QubusStoreSQLite

/// What the commands beside the daemon have in common.
enum Maintenance {
  /// Reads the configuration and does the work; tells on standard error what is wrong and ends with
  /// the status that the daemon would end with.
  static func run(
    _ options: DaemonOptions, _ body: (Configuration) throws(QubusError) -> String
  ) throws {
    let configuration: Configuration
    do throws(ConfigurationProblems) {
      configuration = try options.loader(environment: Environment.current()).load()
    } catch {
      for problem in error.problems { JSONLine.write("qubusd: \(problem)", to: STDERR_FILENO) }
      throw ExitCode(DaemonExit.configuration.rawValue)
    }
    do throws(QubusError) {
      try CoreDumps.forbid()
      JSONLine.write(try body(configuration), to: STDOUT_FILENO)
    } catch {
      JSONLine.write("qubusd: \(error)", to: STDERR_FILENO)
      throw ExitCode(DaemonExit(error).rawValue)
    }
  }

  static func json(_ report: Backup.Report, _ event: String, at path: String) -> String {
    JSONLine.object([
      ("event", JSONLine.quoted(event)), ("path", JSONLine.quoted(path)),
      ("jobs", "\(report.jobs)"), ("files", "\(report.files)"),
      ("audit_records", "\(report.auditRecords)"),
      ("audit_head", JSONLine.quoted(Hexadecimal.text(report.auditHead))),
      ("encrypted", "\(report.isEncrypted)"),
    ])
  }
}
