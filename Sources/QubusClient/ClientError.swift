internal import CQubus

/// What went wrong, in the registry's terms (`docs/errors.md`).
public struct ClientError: Error, Sendable, Hashable {
  /// One field of a request that broke a rule.
  public struct Violation: Sendable, Hashable {
    /// Path of the field, for example `pubs[0].shots`.
    public let field: String
    /// What is wrong with it.
    public let explanation: String
    /// The limit it broke, as text; empty when there is none.
    public let limit: String
  }

  /// A place in the program's source.
  public struct Location: Sendable, Hashable {
    /// Line, from 1.
    public let line: Int
    /// Column, from 1, in Unicode scalars.
    public let column: Int
    /// The offending text.
    public let text: String
    /// The source line, and a line with a caret below the place.
    public let excerpt: String
  }

  /// Number in the registry, the same in every language and on the wire.
  public let code: Int32
  /// Stable name, for example `invalid_shots`.
  public let name: String
  /// Class: validation, auth, quota, conflict, backend, execution, post-processing, internal,
  /// client.
  public let errorClass: String
  /// What was wrong, where, and what the limit is.
  public let message: String
  /// What to do about it.
  public let action: String
  /// Also in the server's log; empty for errors that arose in the client.
  public let traceID: String
  /// gRPC status code.
  public let grpcStatus: UInt32
  /// True when the same call may succeed later.
  public let isRetryable: Bool
  /// Earliest useful retry, when known.
  public let retryAfter: Duration?
  /// The place in the program, for program errors.
  public let location: Location?
  /// The fields that broke a rule.
  public let violations: [Violation]
  /// Further facts for programs, for example `existing_job_id`.
  public let details: [String: String]

  /// An error that arose in the Swift client itself.
  init(code: Int32, message: String) {
    var error = qubus_error()
    error.retry_after_milliseconds = Int64.min
    self.init(code: code, details: error, message: message)
  }

  /// What is read from an archive is not what was written: `archive_damaged`.
  /// - Parameter message: which file, and what is wrong with it.
  public static func archiveDamaged(_ message: String) -> ClientError {
    ClientError(code: QUBUS_E_ARCHIVE_DAMAGED, message: message)
  }

  init(code: Int32, details error: qubus_error, message: String? = nil) {
    let given = string(error.name)
    self.code = code
    self.name = given.isEmpty ? String(cString: qubus_error_name(code)) : given
    let errorClass = string(error.error_class)
    self.errorClass = errorClass.isEmpty ? Self.errorClass(of: code) : errorClass
    self.message = message ?? string(error.message)
    let action = string(error.action)
    self.action = action.isEmpty ? String(cString: qubus_error_action(code)) : action
    traceID = string(error.trace_id)
    grpcStatus = error.grpc_status
    isRetryable = error.retryable != 0
    retryAfter =
      error.retry_after_milliseconds == Int64.min
      ? nil : .milliseconds(error.retry_after_milliseconds)
    location =
      error.line == 0
      ? nil
      : Location(
        line: Int(error.line), column: Int(error.column), text: string(error.text),
        excerpt: string(error.excerpt))
    // The details are a convenience: when they were cut to fit, code and message still stand.
    let json = try? JSONValue(parsing: string(error.details_json))
    violations = (json?["violations"]?.elements ?? []).map(Violation.init)
    details = Self.details(json?["details"])
  }

  /// The error of a failed job, from its JSON (message ErrorDetail).
  init(job json: JSONValue) {
    code = json["number"]?.integer.flatMap { Int32(exactly: $0) } ?? QUBUS_E_EXECUTION_FAILED
    name = json["name"]?.string ?? String(cString: qubus_error_name(code))
    errorClass = json["error_class"]?.string ?? Self.errorClass(of: code)
    message = json["message"]?.string ?? ""
    action = json["action"]?.string ?? String(cString: qubus_error_action(code))
    traceID = json["trace_id"]?.string ?? ""
    grpcStatus = 0
    isRetryable = json["recovery"]?.string == "retry"
    retryAfter = json["retry_after_milliseconds"]?.integer.map { .milliseconds($0) }
    location = json["location"].flatMap { place in
      guard let line = place["line"]?.integer, line > 0 else { return nil }
      return Location(
        line: line, column: place["column"]?.integer ?? 0, text: place["text"]?.string ?? "",
        excerpt: place["excerpt"]?.string ?? "")
    }
    violations = (json["violations"]?.elements ?? []).map(Violation.init)
    details = Self.details(json["details"])
  }

  /// Details come as an object, or as a list of {key, value} as in `proto/`.
  private static func details(_ json: JSONValue?) -> [String: String] {
    var result: [String: String] = [:]
    for (key, value) in json?.members ?? [] { result[key] = value.string }
    for pair in json?.elements ?? [] {
      if let key = pair["key"]?.string { result[key] = pair["value"]?.string ?? "" }
    }
    return result
  }

  /// The class whose range of numbers holds `code`, also for numbers of newer catalogues.
  private static func errorClass(of code: Int32) -> String {
    let classes = [
      "validation", "auth", "quota", "conflict", "backend", "execution", "post-processing",
      "internal", "client",
    ]
    let index = Int(code) / 1000 - 1
    return classes.indices.contains(index) ? classes[index] : "internal"
  }
}

extension ClientError.Violation {
  fileprivate init(_ json: JSONValue) {
    field = json["field"]?.string ?? ""
    explanation = json["explanation"]?.string ?? ""
    limit = json["limit"]?.string ?? ""
  }
}

extension ClientError: CustomStringConvertible {
  /// Name, number, message and place on one line.
  public var description: String {
    let place = location.map { " at line \($0.line), column \($0.column)" } ?? ""
    return "\(name) [\(code)]: \(message)\(place)"
  }
}

/// Text of a fixed array of C characters, up to its NUL.
private func string<Characters>(_ characters: Characters) -> String {
  withUnsafeBytes(of: characters) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
