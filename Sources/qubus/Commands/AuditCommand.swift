internal import ArgumentParser
internal import QubusClient

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Read and verify the record of who did what.",
    discussion: "Takes the role auditor: of everything, or of a tenant for 'list'.",
    subcommands: [List.self, Verify.self, Export.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List records, oldest first.")

    /// The server's largest page.
    private static let pageLimit = 1000

    @Option(help: ArgumentHelp("Only those behind this number.", valueName: "number"))
    var after: UInt64 = 0

    @Option(help: ArgumentHelp("At most this many. Default: all.", valueName: "count"))
    var limit: Int?

    @Option(help: "Only those of this tenant.")
    var tenant: String?

    @OptionGroup var options: AdminOptions

    func validate() throws {
      if let limit, limit < 1 { throw ValidationError("--limit: \(limit) is not positive.") }
    }

    func run() throws {
      try Failure.reporting(options.output.format) {
        let client = try options.connection.connect()
        var records: [JSONValue] = []
        var last = after
        var isComplete = false
        while !isComplete, records.count < limit ?? .max {
          let count = min((limit ?? .max) - records.count, Self.pageLimit)
          let page = try client.call(
            "ListAudit",
            .object([
              .init("after", .integer(last)), .init("page_size", .integer(count)),
              .init("tenant", .text(tenant ?? "")),
            ]))
          let found = page["records"]?.elements ?? []
          records += found
          last = found.last?["number"]?.unsigned ?? last
          isComplete = found.isEmpty || page["is_complete"]?.isTrue == true
        }
        RecordPrinter.audit.print(records, options.output.format)
      }
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Follow the chain of hashes; ends with 74 where it is broken.",
      discussion: """
        Records cut off at the end, and a chain that was computed anew, show only against a \
        checkpoint that was exported before and kept elsewhere.
        """)

    @Option(help: ArgumentHelp("As 'audit export' printed it.", valueName: "file"))
    var checkpoint: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      let text = try checkpoint.map {
        String(decoding: try ProgramSource(path: $0).bytes, as: UTF8.self)
      }
      try options.call("VerifyAudit", [.init("checkpoint", .text(text ?? ""))]) { answer in
        let brokenAt = answer["broken_at"]?.string
        switch options.output.format {
        case .json, .jsonl:
          Console.print(Document.versioned(answer), format: options.output.format)
        case .csv:
          Console.print("records,head,broken_at,first_record,cut_at")
          Console.print(
            CSV.line([
              answer["records"]?.string ?? "", answer["head"]?.string ?? "", brokenAt ?? "",
              answer["first_record"]?.string ?? "", answer["cut_at"]?.string ?? "",
            ]))
        case .table:
          Console.print(
            Table.fields([
              ("good records", answer["records"]?.string ?? ""),
              ("verified from record", answer["first_record"]?.string ?? ""),
              ("cut by retention", Summary.time(answer["cut_at"])),
              ("head", answer["head"]?.string ?? ""), ("broken at", brokenAt ?? ""),
              ("", answer["explanation"]?.string ?? ""),
            ]))
        }
        if brokenAt != nil { throw SilentExit(status: .inputOutput) }
      }
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a signed checkpoint, to be kept on another machine.",
      discussion: "Always JSON, as 'audit verify --checkpoint' reads it.")

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
      try Failure.reporting(.json) {
        let answer = try connection.connect().call("ExportAuditCheckpoint")
        Console.print(answer["checkpoint"]?.string ?? "")
      }
    }
  }
}
