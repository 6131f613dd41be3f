internal import ArgumentParser
internal import Glibc
internal import QubusClient

/// Reports an error and ends the process.
enum Failure {
  static func exit(_ error: any Error) -> Never {
    switch error {
    case let error as ClientError:
      report(error)
      end(ExitStatus(error))
    case let error as UsageFailure:
      Console.error("qubus: \(error.message)")
      end(error.status)
    case let error as SilentExit:
      end(error.status)
    default:
      Qubus.exit(withError: error)
    }
  }

  static func end(_ status: ExitStatus) -> Never {
    fflush(nil)
    Glibc.exit(status.rawValue)
  }

  /// Name, number and message; the place in the program; what to do; the trace id.
  static func report(_ error: ClientError) {
    var lines = ["qubus: \(error.name) [\(error.code)]: \(error.message)"]
    if let location = error.location {
      lines.append("  at line \(location.line), column \(location.column)")
      lines += location.excerpt.split(separator: "\n", omittingEmptySubsequences: false)
        .map { "    " + $0 }
    }
    for violation in error.violations where !error.message.contains(violation.field) {
      let limit = violation.limit.isEmpty ? "" : " (limit: \(violation.limit))"
      lines.append("  \(violation.field): \(violation.explanation)\(limit)")
    }
    if !error.action.isEmpty { lines.append("  What to do: \(error.action)") }
    if let retryAfter = error.retryAfter { lines.append("  Try again after \(retryAfter).") }
    if !error.traceID.isEmpty { lines.append("  Trace: \(error.traceID)") }
    Console.error(lines.joined(separator: "\n"))
  }

  /// The error as the member `error` of JSON output.
  static func json(_ error: ClientError) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("number", .integer(error.code)), .init("name", .text(error.name)),
      .init("error_class", .text(error.errorClass)), .init("message", .text(error.message)),
      .init("action", .text(error.action)), .init("retryable", .bool(error.isRetryable)),
    ]
    if let retryAfter = error.retryAfter {
      let (seconds, attoseconds) = retryAfter.components
      let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
      members.append(.init("retry_after_milliseconds", .integer(milliseconds)))
    }
    if !error.traceID.isEmpty { members.append(.init("trace_id", .text(error.traceID))) }
    if let location = error.location {
      members.append(
        .init(
          "location",
          .object([
            .init("line", .integer(location.line)), .init("column", .integer(location.column)),
            .init("text", .text(location.text)), .init("excerpt", .text(location.excerpt)),
          ])))
    }
    let violations = error.violations.map { violation in
      JSONValue.object([
        .init("field", .text(violation.field)), .init("explanation", .text(violation.explanation)),
        .init("limit", .text(violation.limit)),
      ])
    }
    if !violations.isEmpty { members.append(.init("violations", .array(violations))) }
    let details = error.details.sorted { $0.key < $1.key }
      .map { JSONValue.Member($0.key, .text($0.value)) }
    if !details.isEmpty { members.append(.init("details", .object(details))) }
    return .object(members)
  }

  /// Runs a command's body; with JSON output an error becomes an object on standard output too.
  /// - Parameter context: members that stand before `error`, for example the job's id.
  static func reporting(
    _ format: OutputFormat, context: [JSONValue.Member] = [], _ body: () throws -> Void
  ) throws {
    do {
      try body()
    } catch let error as ClientError {
      switch format {
      case .json, .jsonl:
        Console.print(
          Document.versioned(context + [.init("error", json(error))]), format: format)
      case .table, .csv: break
      }
      throw error
    }
  }
}
