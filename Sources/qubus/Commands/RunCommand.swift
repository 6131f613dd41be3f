internal import ArgumentParser
internal import Glibc
internal import QubusClient

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Submit a program, wait for it, and print its result.",
    discussion: "Ctrl-C detaches: the job goes on, and 'qubus watch JOB' resumes.")

  @Argument(help: ArgumentHelp("OpenQASM 2 or 3 program; - is standard input.", valueName: "file"))
  var file: String

  @OptionGroup var job: JobOptions
  @OptionGroup var wait: WaitOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let source = try ProgramSource(path: file)
    Detach.install()
    let format = output.format
    try Failure.reporting(format) {
      let client = try connection.connect()
      let job = try client.submit(self.job.specification(program: source.bytes))
      Detach.watching(job.id)
      try JobWait(job: job, timeout: wait.duration, format: format).finish()
    }
  }
}

/// Waits for a job, shows how it is doing, and prints its result.
struct JobWait {
  /// A job shorter than this shows no progress.
  private static let quiet = Duration.milliseconds(500)

  let job: Job
  let timeout: Duration?
  let format: OutputFormat

  /// - Throws: the job's error; `SilentExit` when it did not succeed but left a partial result.
  func finish() throws {
    let deadline = timeout.map { ContinuousClock.now + $0 }
    do {
      if format == .jsonl {
        try streamEvents(until: deadline)
      } else if isatty(STDERR_FILENO) == 1 {
        try showProgress(until: deadline)
      }
      try ResultDocument(job.result(timeout: Self.remaining(deadline))).finish(format)
    } catch let error as ClientError {
      try fail(error)
    }
  }

  /// Says which job the error belongs to, then reports it like every other.
  private func fail(_ error: ClientError) throws {
    if error.name == "deadline_exceeded" {
      Console.error("The job goes on. Resume with: qubus watch \(job.id)")
    } else {
      Console.error("job \(job.id)")
    }
    switch format {
    case .json, .jsonl:
      // The status is a convenience here; when the daemon cannot be asked, the error still tells.
      let status = try? job.status(timeout: .seconds(2))
      Console.print(
        Document.versioned([
          .init("job_id", .text(job.id)), .init("status", status.map { .text($0.name) } ?? .null),
          .init("error", Failure.json(error)),
        ]), format: format)
    case .table, .csv: break
    }
    Failure.report(error)
    throw SilentExit(status: ExitStatus(error))
  }

  private func streamEvents(until deadline: ContinuousClock.Instant?) throws {
    let events = try job.events()
    while let event = try events.next(timeout: Self.remaining(deadline)) {
      Console.print(event.json)
    }
  }

  private func showProgress(until deadline: ContinuousClock.Instant?) throws {
    let quietEnd = ContinuousClock.now + Self.quiet
    if let deadline, deadline < quietEnd { return }
    do {
      if try job.wait(timeout: Self.quiet).isTerminal { return }
    } catch  where error.name == "deadline_exceeded" {
      // Still going after half a second: worth a line.
    }
    let line = ProgressLine()
    defer { line.clear() }
    let events = try job.events()
    while let event = try events.next(timeout: Self.remaining(deadline)) {
      line.show(jobID: job.id, event: try JSONValue(parsing: event.json))
    }
  }

  static func remaining(_ deadline: ContinuousClock.Instant?) -> Duration? {
    deadline.map { max(.zero, $0 - .now) }
  }
}
