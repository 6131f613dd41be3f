internal import ArgumentParser
internal import QubusClient

struct GetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Show a job.")

  @OptionGroup var job: JobArgument
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    try Failure.reporting(output.format) {
      let description = try connection.connect().job(job.jobID).describe()
      JobList.print(job: description["job"] ?? description, output.format)
    }
  }
}

struct ResultCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "result", abstract: "Print the result of a job.",
    discussion: "A job that has not ended answers result_not_ready, unless --timeout waits for it.")

  @OptionGroup var job: JobArgument
  @OptionGroup var wait: WaitOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    Detach.install()
    let format = output.format
    try Failure.reporting(format) {
      let job = try connection.connect().job(self.job.jobID)
      Detach.watching(job.id)
      if wait.timeout == nil {
        try ResultDocument(job.resultIfReady()).finish(format)
      } else {
        try JobWait(job: job, timeout: wait.duration, format: format).finish()
      }
    }
  }
}

struct AnnotateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "annotate", abstract: "Attach keys and values to a job.",
    discussion: "An empty value ('key=') removes the key.")

  @OptionGroup var job: JobArgument
  @Argument(help: ArgumentHelp("Annotations.", valueName: "key=value"))
  var annotations: [String]
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws { _ = try pairs() }

  func run() throws {
    try Failure.reporting(output.format) {
      let answer = try connection.connect().job(job.jobID).annotate(try pairs())
      JobList.print(job: answer["job"] ?? answer, output.format)
    }
  }

  private func pairs() throws -> [String: String] {
    var pairs: [String: String] = [:]
    for text in annotations {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw ValidationError("'\(text)' is not key=value.")
      }
      pairs[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return pairs
  }
}
