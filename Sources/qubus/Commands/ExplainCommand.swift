internal import ArgumentParser
internal import QubusClient

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Tell why a job waits, and what would end that.",
    discussion: "docs/scheduling.md lists the reasons.")

  @OptionGroup var job: JobArgument
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let format = output.format
    try Failure.reporting(format) {
      let answer = try connection.connect().call(
        "ExplainJob", .object([.init("job_id", .text(job.jobID))]))
      let constraints = answer["constraints"]?.elements ?? []
      switch format {
      case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
      case .csv: RecordPrinter.constraints.print(constraints, .csv)
      case .table:
        Console.print(Self.sentence(answer["job"] ?? answer, isFree: constraints.isEmpty))
        for constraint in constraints { Console.print(Self.sentence(constraint)) }
      }
    }
  }

  private static func sentence(_ job: JSONValue, isFree: Bool) -> String {
    let id = job["job_id"]?.string ?? ""
    let status = Summary.status(job)
    guard status == "queued" else { return "Job \(id) is \(status) and waits for nothing." }
    if isFree { return "Job \(id) is queued, and nothing keeps it from its start." }
    let place = job["queue_position"]?.string.map { ", place \($0)" } ?? ""
    let start = Summary.time(job["estimated_start_at"])
    let (low, high) = (
      Summary.time(job["estimated_start_p10_at"]), Summary.time(job["estimated_start_p90_at"])
    )
    let band =
      low.isEmpty || high.isEmpty ? "" : ", in eight of ten cases between \(low) and \(high)"
    return "Job \(id) is queued\(place)"
      + (start.isEmpty ? "." : ", and should start at about \(start) UTC\(band).")
  }

  private static func sentence(_ constraint: JSONValue) -> String {
    let delay =
      constraint["delay_microseconds"]?.integer
      .map { ", which makes its start about \(Summary.duration(microseconds: $0)) later" } ?? ""
    return "It waits since \(Summary.time(constraint["since"])) UTC because "
      + "\(constraint["detail"]?.string ?? "") (\(constraint["kind"]?.string ?? ""))\(delay). "
      + "What ends that: \(constraint["remedy"]?.string ?? "")."
  }
}
