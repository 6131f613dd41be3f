internal import ArgumentParser
internal import Glibc

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, jsonl, csv
}

/// The choice of a format.
struct OutputOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: "Format; table on a terminal, json otherwise.")
  var output: OutputFormat?

  var format: OutputFormat { output ?? (isatty(STDOUT_FILENO) == 1 ? .table : .json) }
}
