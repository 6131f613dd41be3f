internal import ArgumentParser
internal import QubusClient

struct ResubmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resubmit", abstract: "Submit the request of an ended job again, as a new job.",
    discussion: """
      The new job names the former one. It waits for no other jobs, and a seed that was not asked \
      for is drawn anew; qubus replay runs with the same one and compares.
      """)

  @OptionGroup var job: JobArgument

  @Option(help: ArgumentHelp("Idempotency key of the new job.", valueName: "key"))
  var idempotencyKey: String?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    try Failure.reporting(output.format) {
      let answer = try connection.connect().call(
        "ResubmitJob",
        .object([
          .init("job_id", .text(job.jobID)),
          .init("idempotency_key", .text(idempotencyKey ?? "")),
        ]))
      JobList.print(job: answer["job"] ?? answer, output.format)
    }
  }
}
