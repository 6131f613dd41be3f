internal import ArgumentParser
internal import QubusClient

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List jobs, newest first.")

  /// The server's largest page.
  private static let pageLimit = 1000

  @Option(
    help: ArgumentHelp(
      "Only jobs in this status, for example queued. May be repeated.", valueName: "status"))
  var status: [String] = []

  @Option(name: .customLong("tag"), help: "Only jobs with this tag. May be repeated.")
  var tags: [String] = []

  @Option(help: "Only jobs of this name.")
  var name: String?

  @Option(help: "Only jobs that were submitted together, by the id of their batch.")
  var batch: String?

  @Option(help: ArgumentHelp("At most this many.", valueName: "count"))
  var limit: Int = 100

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit: \(limit) is not positive.") }
    for word in status where JobStatus(name: word) == nil {
      let known = JobStatus.allKnown.map(\.name).joined(separator: ", ")
      throw ValidationError("--status: '\(word)' is none of \(known).")
    }
  }

  func run() throws {
    try Failure.reporting(output.format) {
      let client = try connection.connect()
      var jobs: [JSONValue] = []
      var pageToken = ""
      repeat {
        let page = try client.jobs(
          statuses: status, tags: tags, name: name, batch: batch,
          pageSize: min(limit - jobs.count, Self.pageLimit), pageToken: pageToken)
        jobs += page["jobs"]?.elements ?? []
        pageToken = page["next_page_token"]?.string ?? ""
      } while !pageToken.isEmpty && jobs.count < limit
      JobList.print(jobs: Array(jobs.prefix(limit)), isComplete: pageToken.isEmpty, output.format)
    }
  }
}

/// Jobs as lists and one by one.
enum JobList {
  static func print(jobs: [JSONValue], isComplete: Bool, _ format: OutputFormat) {
    switch format {
    case .json:
      Console.print(
        Document.versioned([
          .init("jobs", .array(jobs)), .init("is_complete", .bool(isComplete)),
        ]), format: .json)
    case .jsonl: for job in jobs { Console.print(Document.versioned(job), format: .jsonl) }
    case .csv:
      Console.print("job_id,status,name,device,submitted_at,shots_done,shots_total")
      for job in jobs { Console.print(CSV.line(cells(job))) }
    case .table:
      var table = Table([
        ("job", .left), ("status", .left), ("name", .left), ("device", .left),
        ("submitted (UTC)", .left), ("shots", .right),
      ])
      for job in jobs {
        table.append([
          job["job_id"]?.string ?? "", Summary.status(job), job["name"]?.string ?? "",
          job["device"]?.string ?? "", Summary.time(job["submitted_at"]), Summary.progress(job),
        ])
      }
      Console.print(table.text + (isComplete ? "" : "\n… there are more; see --limit"))
    }
  }

  static func print(job: JSONValue, _ format: OutputFormat) {
    switch format {
    case .json, .jsonl: Console.print(Document.versioned(job), format: format)
    case .csv: print(jobs: [job], isComplete: true, .csv)
    case .table: Console.print(Summary.job(job))
    }
  }

  private static func cells(_ job: JSONValue) -> [String] {
    [
      job["job_id"]?.string ?? "", Summary.status(job), job["name"]?.string ?? "",
      job["device"]?.string ?? "", job["submitted_at"]?.string ?? "",
      job["shots_done"]?.string ?? "", job["shots_total"]?.string ?? "",
    ]
  }
}
