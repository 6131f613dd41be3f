internal import ArgumentParser
internal import QubusClient

struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancel a job, or all of a batch; harmless when repeated.",
    discussion: """
      Of a batch (--batch) those that wait are canceled first, so that none of them starts.
      """)

  @Argument(help: ArgumentHelp("Id of the job.", valueName: "job"))
  var jobID: String?
  @Option(help: "Id of the batch: all jobs that were submitted together.")
  var batch: String?
  @Option(help: "Why; kept with the job.")
  var reason: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard (jobID == nil) != (batch == nil) else {
      throw ValidationError("Name a job or, with --batch, a batch.")
    }
  }

  func run() throws {
    try Failure.reporting(output.format) {
      let client = try connection.connect()
      if let batch { return try cancel(batch, client) }
      let job = try client.job(jobID ?? "")
      let cancellation = try job.cancel(reason: reason)
      switch output.format {
      case .json, .jsonl:
        Console.print(
          Document.versioned([
            .init("job_id", .text(job.id)), .init("outcome", .text(cancellation.outcome.rawValue)),
            .init("shots_done", .integer(cancellation.shotsDone)),
          ]), format: output.format)
      case .csv:
        Console.print("job_id,outcome,shots_done")
        Console.print("\(job.id),\(cancellation.outcome.rawValue),\(cancellation.shotsDone)")
      case .table:
        switch cancellation.outcome {
        case .beforeStart: Console.print("Canceled before it started.")
        case .duringRun:
          Console.print("Canceled while running; \(cancellation.shotsDone) shots were done.")
        case .tooLate: Console.print("Too late: the job had ended.")
        }
      }
    }
  }

  private func cancel(_ batch: String, _ client: Client) throws {
    let answer = try client.call(
      "CancelBatch",
      .object([.init("batch_id", .text(batch)), .init("reason", .text(reason ?? ""))]))
    RecordPrinter.canceledBatch.print(answer, output.format)
  }
}

extension RecordPrinter {
  fileprivate static let canceledBatch = RecordPrinter(
    "batches",
    ["before_start", "during_run", "too_late"].map { name in
      .init(name) { $0[name]?.string ?? "0" }
    })
}
