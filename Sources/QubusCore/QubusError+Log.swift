extension QubusError {
  /// What a log may hold of the error: name and number, and the message where it speaks of the
  /// service itself. Messages about requests, programs and runs quote what clients sent; their
  /// place is the answer, and the trace id leads from there to the line in the log.
  package var logText: String {
    let name = "\(code.entry.name) [\(code.rawValue)]"
    switch code.entry.errorClass {
    case .backend: return "\(name): \(message)" + (cause.map { ": \($0)" } ?? "")
    case .validation, .auth, .quota, .conflict, .execution, .postProcessing, .internal, .client:
      return name
    }
  }
}
