internal import ArgumentParser

/// How long to wait for a job.
struct WaitOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Wait at most this long for the end; the job itself goes on.", valueName: "seconds"))
  var timeout: Double?

  func validate() throws {
    if let timeout, !(timeout >= 0 && timeout <= 1e9) {
      throw ValidationError("--timeout: \(timeout) is not between 0 and 1e9 seconds.")
    }
  }

  var duration: Duration? { timeout.map { .seconds($0) } }
}
