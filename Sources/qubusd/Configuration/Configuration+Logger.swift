internal import Glibc
internal import Logging
internal import QubusCore

extension Configuration {
  /// The daemon's logger, which everything else logs through too.
  func makeLogger() -> Logger {
    let format = logFormat ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
    let level = logLevel
    LoggingSystem.bootstrap { label in
      LineLogHandler(label: label, format: format, clock: SystemClock(), logLevel: level)
    }
    return Logger(label: "qubusd")
  }
}
