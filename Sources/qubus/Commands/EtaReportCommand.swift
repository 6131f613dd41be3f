internal import ArgumentParser
internal import QubusClient

struct EtaReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eta-report",
    abstract: "Show how the start times held that waiting jobs were told.",
    discussion: """
      A band from p10 to p90 is to hold eight of ten starts. The first row is of all lanes \
      together; jobs that have not started are not scored. docs/scheduling.md tells how bands \
      come about.
      """)

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let format = output.format
    try Failure.reporting(format) {
      let answer = try connection.connect().call("GetEtaReport", .object([]))
      switch format {
      case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
      case .csv, .table:
        RecordPrinter.etaScores.print(answer["scores"]?.elements ?? [], format)
      }
    }
  }
}
