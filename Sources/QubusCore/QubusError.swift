/// A place in a program's source, with what a person needs to see it.
package struct SourceLocation: Sendable, Hashable, Codable {
  /// 1-based line.
  package var line: Int
  /// 1-based column, counted in Unicode scalars.
  package var column: Int
  /// The offending token or phrase, as written.
  package var text: String
  /// The source line and a second line with a caret below the offending column.
  package var excerpt: String

  package init(line: Int, column: Int, text: String, excerpt: String) {
    self.line = line
    self.column = column
    self.text = text
    self.excerpt = excerpt
  }
}

/// One field of a request that is wrong, and the limit it broke.
package struct FieldViolation: Sendable, Hashable, Codable {
  /// Path of the field, for example `pubs[0].shots`.
  package var field: String
  package var explanation: String
  /// The limit as text, empty when there is none.
  package var limit: String

  package init(field: String, explanation: String, limit: String = "") {
    self.field = field
    self.explanation = explanation
    self.limit = limit
  }
}

/// The one error that crosses module borders: a registry code, what was wrong, where, and why.
///
/// `code.entry` gives class, gRPC status, recovery and action; the message says what was wrong,
/// where, what the limit is.
package struct QubusError: Error, Sendable, Hashable {
  package var code: ErrorCode
  package var message: String
  package var location: SourceLocation?
  package var violations: [FieldViolation]
  /// Earliest useful retry, when the server knows it.
  package var retryAfterMilliseconds: UInt64?
  /// Further facts for programs, for example `existing_job_id`.
  package var details: [String: String]
  /// The underlying error as text, for logs.
  package var cause: String?

  package init(
    _ code: ErrorCode, _ message: String, location: SourceLocation? = nil,
    violations: [FieldViolation] = [], retryAfterMilliseconds: UInt64? = nil,
    details: [String: String] = [:], cause: String? = nil
  ) {
    self.code = code
    self.message = message
    self.location = location
    self.violations = violations
    self.retryAfterMilliseconds = retryAfterMilliseconds
    self.details = details
    self.cause = cause
  }

  /// An error about one field of a request.
  package static func field(
    _ code: ErrorCode, _ field: String, _ explanation: String, limit: String = ""
  ) -> QubusError {
    QubusError(
      code, "\(field): \(explanation)" + (limit.isEmpty ? "" : " (limit: \(limit))"),
      violations: [FieldViolation(field: field, explanation: explanation, limit: limit)])
  }
}

extension QubusError: CustomStringConvertible {
  package var description: String {
    let place = location.map { " at line \($0.line), column \($0.column)" } ?? ""
    return "\(code.entry.name) [\(code.rawValue)]: \(message)\(place)"
  }
}
