internal import Glibc
internal import QubusClient

/// Writes to the standard streams.
enum Console {
  /// One line on standard output.
  static func print(_ text: String) {
    write(text + "\n", to: STDOUT_FILENO)
  }

  /// One line on standard error.
  static func error(_ text: String) {
    write(text + "\n", to: STDERR_FILENO)
  }

  /// A JSON document: indented, or on one line in the line-based format.
  static func print(_ json: JSONValue, format: OutputFormat) {
    print(format == .jsonl ? json.description : json.indented)
  }

  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        // Nobody reads on; there is nowhere left to say so.
        Glibc.exit(ExitStatus.inputOutput.rawValue)
      }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// JSON documents as the command line prints them.
enum Document {
  /// Version of the printed schema, documented in docs/cli.md.
  static let schemaVersion = 1

  static func versioned(_ members: [JSONValue.Member]) -> JSONValue {
    .object([.init("schema_version", .integer(schemaVersion))] + members)
  }

  /// A server's answer with the schema version in front.
  static func versioned(_ answer: JSONValue) -> JSONValue {
    guard case .object(let members) = answer else { return answer }
    return versioned(members.filter { $0.key != "schema_version" })
  }
}
