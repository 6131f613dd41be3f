internal import ArgumentParser
internal import QubusClient

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Run a finished job again and compare the results bit by bit.",
    discussion: """
      Ends with 0 when both are identical, 70 when they differ, and 73 when they cannot be \
      compared (another engine version or instruction set).
      """)

  @OptionGroup var job: JobArgument
  @OptionGroup var wait: WaitOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    Detach.install()
    let format = output.format
    try Failure.reporting(format) {
      let client = try connection.connect()
      let original = try client.job(job.jobID)
      let started = try original.replay()
      guard let replayID = started["replay"]?["job_id"]?.string else {
        throw UsageFailure(.inputOutput, "the daemon named no replay")
      }
      Detach.watching(replayID)
      let replay = try client.job(replayID)
      let status = try replay.wait(timeout: wait.duration)
      if status == .failed, let error = try replay.failure() { throw error }
      let answer = try original.replay(comparingWith: replayID)
      let outcome = Summary.word(answer["outcome"], prefix: "REPLAY_OUTCOME_")
      print(answer, outcome: outcome, original: original.id, replay: replayID, format)
      switch outcome {
      case "identical": break
      case "not_comparable": throw SilentExit(status: .conflict)
      default: throw SilentExit(status: .failed)
      }
    }
  }

  private func print(
    _ answer: JSONValue, outcome: String, original: String, replay: String, _ format: OutputFormat
  ) {
    let explanation = answer["explanation"]?.string ?? ""
    let hashes = [answer["original_hash"]?.string ?? "", answer["replay_hash"]?.string ?? ""]
    switch format {
    case .json, .jsonl:
      Console.print(
        Document.versioned([
          .init("job_id", .text(original)), .init("replay_job_id", .text(replay)),
          .init("outcome", .text(outcome)), .init("original_hash", .text(hashes[0])),
          .init("replay_hash", .text(hashes[1])), .init("explanation", .text(explanation)),
          .init(
            "total_variation_distance", answer["total_variation_distance"] ?? .null),
        ]), format: format)
    case .csv:
      Console.print("job_id,replay_job_id,outcome,original_hash,replay_hash")
      Console.print(CSV.line([original, replay, outcome] + hashes))
    case .table:
      Console.print(
        Table.fields([
          ("job", original), ("replay", replay), ("outcome", outcome),
          ("original hash", hashes[0]), ("replay hash", hashes[1]), ("", explanation),
        ]))
    }
  }
}
