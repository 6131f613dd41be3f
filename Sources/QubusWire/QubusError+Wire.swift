package import CQubusProto
package import QubusCore

extension MessageBuilder {
  /// An error with all that a program or a person needs of it; `cause` stays in the log.
  package func errorDetail(
    _ error: QubusError, traceID: String = ""
  ) -> UnsafeMutablePointer<Qubus__V1__ErrorDetail> {
    let entry = error.code.entry
    let message = make(qubus__v1__error_detail__init)
    message.pointee.number = error.code.rawValue
    message.pointee.name = text(entry.name)
    message.pointee.error_class = text(entry.errorClass.rawValue)
    message.pointee.message = text(error.message)
    message.pointee.recovery = text(entry.recovery.rawValue)
    message.pointee.action = text(entry.action)
    message.pointee.trace_id = text(traceID)
    if let milliseconds = error.retryAfterMilliseconds {
      message.pointee.retry_after_case =
        QUBUS__V1__ERROR_DETAIL__RETRY_AFTER_RETRY_AFTER_MILLISECONDS
      message.pointee.retry_after_milliseconds = milliseconds
    }
    (message.pointee.n_violations, message.pointee.violations) = list(error.violations) {
      let violation = make(qubus__v1__field_violation__init)
      violation.pointee.field = text($0.field)
      violation.pointee.explanation = text($0.explanation)
      violation.pointee.limit = text($0.limit)
      return violation
    }
    if let place = error.location {
      let location = make(qubus__v1__source_location__init)
      location.pointee.line = UInt32(clamping: place.line)
      location.pointee.column = UInt32(clamping: place.column)
      location.pointee.text = text(place.text)
      location.pointee.excerpt = text(place.excerpt)
      message.pointee.location = location
    }
    (message.pointee.n_details, message.pointee.details) = pairs(error.details)
    return message
  }

  package func status(
    _ status: WireStatus
  ) -> UnsafeMutablePointer<Qubus__V1__Status> {
    let message = make(qubus__v1__status__init)
    message.pointee.code = status.code
    if let error = status.error {
      message.pointee.error = errorDetail(error, traceID: status.traceID)
    }
    return message
  }
}

/// How a call ended: a gRPC status code and, unless OK, the registry's error.
package struct WireStatus: Sendable, Hashable {
  package var code: UInt32
  package var error: QubusError?
  package var traceID: String

  package static let ok = WireStatus(code: GRPCStatus.ok.rawValue, error: nil, traceID: "")

  package init(code: UInt32, error: QubusError?, traceID: String) {
    self.code = code
    self.error = error
    self.traceID = traceID
  }

  package init(_ error: QubusError, traceID: String) {
    self.init(code: error.code.entry.grpcStatus.rawValue, error: error, traceID: traceID)
  }

  init(wire message: Qubus__V1__Status) {
    code = message.code
    error = message.error.map { QubusError(wire: $0.pointee) }
    traceID = message.error.map { String(wire: $0.pointee.trace_id) } ?? ""
  }
}

extension QubusError {
  /// A number of a newer catalogue becomes `internal_error` that names it.
  init(wire message: Qubus__V1__ErrorDetail) {
    self.init(
      ErrorCode(rawValue: message.number) ?? .internalError, String(wire: message.message),
      details: readPairs(message.n_details, message.details))
    if ErrorCode(rawValue: message.number) == nil {
      details["number"] = "\(message.number)"
      details["name"] = String(wire: message.name)
    }
    if message.retry_after_case
      == QUBUS__V1__ERROR_DETAIL__RETRY_AFTER_RETRY_AFTER_MILLISECONDS
    {
      retryAfterMilliseconds = message.retry_after_milliseconds
    }
    if let pointer = message.violations {
      for index in 0..<message.n_violations {
        guard let violation = pointer[index]?.pointee else { continue }
        violations.append(
          FieldViolation(
            field: String(wire: violation.field), explanation: String(wire: violation.explanation),
            limit: String(wire: violation.limit)))
      }
    }
    if let place = message.location?.pointee {
      location = SourceLocation(
        line: Int(place.line), column: Int(place.column), text: String(wire: place.text),
        excerpt: String(wire: place.excerpt))
    }
  }
}
