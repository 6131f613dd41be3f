internal import ArgumentParser
internal import QubusClient

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print a job's events until it ends.",
    discussion: """
      The events go on over restarts of the daemon, without gap or double. The exit status tells \
      how the job ended. Ctrl-C leaves the job alone.
      """)

  @OptionGroup var job: JobArgument

  @Option(
    help: ArgumentHelp("Begin after this event; 0 is the start.", valueName: "sequence"))
  var after: UInt64 = 0

  @OptionGroup var wait: WaitOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    Detach.install()
    let format = output.format
    try Failure.reporting(format) {
      let client = try connection.connect()
      let job = try client.job(self.job.jobID)
      Detach.watching(job.id)
      let events = try job.events(after: after)
      let deadline = wait.duration.map { ContinuousClock.now + $0 }
      if format == .csv { Console.print("sequence,time,type,status,reason,attempt") }
      while let event = try events.next(timeout: JobWait.remaining(deadline)) {
        print(event, format)
      }
      let status = try job.status()
      if status == .failed, let error = try job.failure() {
        Failure.report(error)
        throw SilentExit(status: ExitStatus(error))
      }
      if status != .succeeded { throw SilentExit(status: ExitStatus(status)) }
    }
  }

  /// Events are lines in every format.
  private func print(_ event: JobEvent, _ format: OutputFormat) {
    switch format {
    case .json, .jsonl: Console.print(event.json)
    case .csv:
      Console.print(
        CSV.line([
          "\(event.sequence)", "\(event.timeMicroseconds)", event.type, event.status.name,
          event.reason, "\(event.attempt)",
        ]))
    case .table:
      // Details are for people here; an event that does not parse still shows its main fields.
      let json = try? JSONValue(parsing: event.json)
      var line = "\(event.sequence)  \(Summary.time(.integer(event.timeMicroseconds)))  "
      line += "\(event.type)  \(event.status.name)"
      if !event.reason.isEmpty { line += "  \(event.reason)" }
      if let total = json?["progress"]?["shots_total"]?.unsigned, total > 0 {
        line += "  \(json?["progress"]?["shots_done"]?.unsigned ?? 0)/\(total) shots"
      }
      if let position = json?["queue_position"]?.string { line += "  position \(position)" }
      Console.print(Table.printable(line))
    }
  }
}
