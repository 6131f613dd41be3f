internal import ArgumentParser
internal import QubusClient

struct ChangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "change", abstract: "Give a waiting job another lane, priority or device.",
    discussion: """
      A priority counts among the jobs of one principal in one lane, never before those of others. \
      docs/scheduling.md tells which lanes a job may have.
      """)

  @OptionGroup var job: JobArgument

  @Option(help: "interactive, batch or long.")
  var lane: String?

  @Option(help: "-10 to 10; 0 is usual, higher ones go first.")
  var priority: Int?

  @Option(help: "Name of the device.")
  var device: String?

  @Option(help: "Why; kept with the job.")
  var reason: String?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard lane != nil || priority != nil || device != nil else {
      throw ValidationError("Name --lane, --priority or --device.")
    }
  }

  func run() throws {
    var members: [JSONValue.Member] = [.init("job_id", .text(job.jobID))]
    if let lane { members.append(.init("lane", .text(lane))) }
    if let priority { members.append(.init("priority", .integer(priority))) }
    if let device { members.append(.init("device", .text(device))) }
    members.append(.init("reason", .text(reason ?? "")))
    try Failure.reporting(output.format) {
      let answer = try connection.connect().call("ChangeJob", .object(members))
      JobList.print(job: answer["job"] ?? answer, output.format)
    }
  }
}
