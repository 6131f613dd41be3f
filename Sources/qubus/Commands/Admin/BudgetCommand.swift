internal import ArgumentParser
internal import QubusClient

/// Classes of experiments that have budgets of their own.
enum ExperimentClass: String, ExpressibleByArgument, CaseIterable {
  case validation, comparison, calibration, demo
}

enum BudgetPeriod: String, ExpressibleByArgument, CaseIterable {
  case always, day, week, month
}

struct BudgetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budget", abstract: "Show and set what projects may spend.",
    subcommands: [List.self, Set.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show prices, credit, and budgets with what is used of them.")

    @OptionGroup var place: PlaceOptions
    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.call("ListBudgets", place.members) { answer in
        let format = options.output.format
        switch format {
        case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
        case .csv: RecordPrinter.budgets.print(answer["budgets"]?.elements ?? [], .csv)
        case .table:
          for printer in [RecordPrinter.prices, .credits, .budgets] {
            let records = answer[printer.member]?.elements ?? []
            guard !records.isEmpty else { continue }
            printer.print(records, .table)
            Console.print("")
          }
        }
      }
    }
  }

  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set the caps of a project, in micro-units; without caps the budget goes.",
      discussion: """
        Passing the soft cap is told with each job, passing the hard one is refused; a job that \
        runs and reaches it stops at the border of a chunk, and what it had done is kept.
        """)

    @OptionGroup var project: ProjectArgument

    @Option(name: .customLong("class"), help: "Only for this class of experiments.")
    var experimentClass: ExperimentClass?

    @Option(help: "When it begins anew; at midnight UTC.")
    var period = BudgetPeriod.always

    @Option(help: ArgumentHelp("Passing it is told.", valueName: "micro-units"))
    var soft: Int64?

    @Option(help: ArgumentHelp("Passing it is refused.", valueName: "micro-units"))
    var hard: Int64?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      var members: [JSONValue.Member] =
        try project.place + [
          .init("experiment_class", .text(experimentClass?.rawValue ?? "")),
          .init("period", .text(period.rawValue)),
        ]
      if let soft { members.append(.init("soft_cap", .integer(soft))) }
      if let hard { members.append(.init("hard_cap", .integer(hard))) }
      try change.perform("SetBudget", members, answer: "budget", .budgets)
    }
  }
}
