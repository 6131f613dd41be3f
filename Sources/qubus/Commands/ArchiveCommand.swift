internal import ArgumentParser
internal import QubusClient

struct ArchiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "archive", abstract: "Write jobs with their results into files, one each.",
    discussion: """
      A file holds job, program, events, result, provenance and the SHA-256 of each; Python's \
      load_bundle reads it and 'qubus restore' brings an expired result back from it. Projects may \
      limit who archives, and to which destinations.
      """)

  /// The server's largest page.
  private static let pageLimit = 1000

  @Argument(help: ArgumentHelp("Ids of jobs.", valueName: "job"))
  var jobIDs: [String] = []

  @Option(
    help: ArgumentHelp(
      "Instead of ids: all jobs of the project with a result, submitted before this time, UTC.",
      valueName: "time"))
  var before: TimeArgument?

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp("For the files; made when it is not there.", valueName: "folder"))
  var folder: String

  @Option(
    help: ArgumentHelp("Where the files are to be kept, as policies name it.", valueName: "name"))
  var destination: String?

  @OptionGroup var change: ChangeOptions

  func validate() throws {
    guard jobIDs.isEmpty != (before == nil) else {
      throw ValidationError("Either ids of jobs or --before is needed.")
    }
  }

  func run() throws {
    let format = change.admin.output.format
    try Failure.reporting(format) {
      let client = try change.admin.connection.connect()
      try FileBytes.makeFolder(folder)
      var written: [JSONValue] = []
      for id in try before.map({ try Self.jobs(before: $0, client) }) ?? jobIDs {
        do {
          written.append(try archive(id, client))
        } catch let error as ClientError where before != nil && Self.hasNoResult(error) {
          continue
        }
      }
      RecordPrinter.archives.print(written, format)
    }
  }

  private func archive(_ id: String, _ client: Client) throws -> JSONValue {
    let answer = try client.call(
      "ArchiveJob",
      .object([
        .init("job_id", .text(id)), .init("destination", .text(destination ?? "")),
        .init("reason", .text(change.reason ?? "")),
      ]))
    let job = try client.job(id)
    let archive = try ResultArchive(
      answer, try job.resultIfReady(), events: try Self.events(job),
      destination: destination ?? "")
    let path = "\(folder)/\(job.id).qubus.zip"
    let count = try archive.write(to: path)
    return .object([
      .init("job_id", .text(job.id)), .init("file", .text(path)), .init("bytes", .integer(count)),
    ])
  }

  /// Up to the job's end; nil when they have expired.
  private static func events(_ job: Job) throws(ClientError) -> [String]? {
    var events: [String] = []
    do throws(ClientError) {
      let stream = try job.events()
      while let event = try stream.next(timeout: .seconds(30)) { events.append(event.json) }
    } catch {
      guard error.name == "events_expired" else { throw error }
      return nil
    }
    return events
  }

  /// It was canceled before it had one, or expired since it was listed.
  private static func hasNoResult(_ error: ClientError) -> Bool {
    ["execution_canceled", "job_already_finished", "result_expired"].contains(error.name)
  }

  private static func jobs(before time: TimeArgument, _ client: Client) throws -> [String] {
    var ids: [String] = []
    var pageToken = ""
    repeat {
      let page = try client.jobs(
        statuses: ["succeeded", "canceled"], pageSize: pageLimit, pageToken: pageToken)
      for job in page["jobs"]?.elements ?? [] {
        guard let id = job["job_id"]?.string, let submitted = job["submitted_at"]?.integer,
          submitted < time.microseconds, job["results_removed"]?.isTrue != true
        else { continue }
        ids.append(id)
      }
      pageToken = page["next_page_token"]?.string ?? ""
    } while !pageToken.isEmpty
    return ids.reversed()
  }
}
