internal import ArgumentParser
internal import QubusClient

struct PauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Keep a waiting job from its start until it is resumed.",
    discussion: "Its time to live and its deadline go on. A job that runs cannot be paused.")

  @OptionGroup var job: JobArgument
  @OptionGroup var change: PauseOptions

  func run() throws { try change.perform("PauseJob", job) }
}

struct ResumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let a paused job wait its turn again.")

  @OptionGroup var job: JobArgument
  @OptionGroup var change: PauseOptions

  func run() throws { try change.perform("ResumeJob", job) }
}

struct PauseOptions: ParsableArguments {
  @Option(help: "Why; kept with the job.")
  var reason: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func perform(_ method: String, _ job: JobArgument) throws {
    try Failure.reporting(output.format) {
      let answer = try connection.connect().call(
        method,
        .object([.init("job_id", .text(job.jobID)), .init("reason", .text(reason ?? ""))]))
      JobList.print(job: answer["job"] ?? answer, output.format)
    }
  }
}
