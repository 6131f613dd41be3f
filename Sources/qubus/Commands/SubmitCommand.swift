internal import ArgumentParser
internal import QubusClient

struct SubmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Submit programs without waiting for them.",
    discussion: """
      Several files go in one message; each is accepted or refused by itself, and the exit status \
      is that of the first refusal.
      """)

  @Argument(
    help: ArgumentHelp("OpenQASM 2 or 3 programs; - is standard input.", valueName: "file"))
  var files: [String]

  @OptionGroup var job: JobOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if files.count > 1, job.idempotencyKey != nil {
      throw ValidationError("--idempotency-key goes with one file only.")
    }
    if files.filter({ $0 == "-" }).count > 1 {
      throw ValidationError("Standard input (-) can be read once only.")
    }
  }

  func run() throws {
    let format = output.format
    let specs = try files.map { job.specification(program: try ProgramSource(path: $0).bytes) }
    try Failure.reporting(format) {
      let client = try connection.connect()
      if specs.count == 1 {
        let job = try client.submit(specs[0])
        print([.success(job)], format)
      } else {
        let results = try client.submit(specs)
        print(results, format)
        try reportRefusals(results)
      }
    }
  }

  private func print(_ results: [Swift.Result<Job, ClientError>], _ format: OutputFormat) {
    let items = zip(files, results).map { file, result in
      JSONValue.object([.init("file", .text(file))] + members(result))
    }
    switch format {
    case .json: Console.print(Document.versioned([.init("jobs", .array(items))]), format: .json)
    case .jsonl: for item in items { Console.print(Document.versioned(item), format: .jsonl) }
    case .csv:
      Console.print("file,job_id,is_duplicate,error")
      for (file, result) in zip(files, results) { Console.print(CSV.line(cells(file, result))) }
    case .table:
      var table = Table([("file", .left), ("job", .left), ("known", .left), ("error", .left)])
      for (file, result) in zip(files, results) { table.append(cells(file, result)) }
      Console.print(table.text)
    }
  }

  private func members(_ result: Swift.Result<Job, ClientError>) -> [JSONValue.Member] {
    switch result {
    case .success(let job):
      [.init("job_id", .text(job.id)), .init("is_duplicate", .bool(job.isDuplicate))]
    case .failure(let error): [.init("error", Failure.json(error))]
    }
  }

  private func cells(_ file: String, _ result: Swift.Result<Job, ClientError>) -> [String] {
    switch result {
    case .success(let job): [file, job.id, job.isDuplicate ? "true" : "false", ""]
    case .failure(let error): [file, "", "", error.name]
    }
  }

  private func reportRefusals(_ results: [Swift.Result<Job, ClientError>]) throws {
    var first: ClientError?
    for (file, result) in zip(files, results) {
      guard case .failure(let error) = result else { continue }
      Console.error("\(file):")
      Failure.report(error)
      first = first ?? error
    }
    if let first { throw SilentExit(status: ExitStatus(first)) }
  }
}
