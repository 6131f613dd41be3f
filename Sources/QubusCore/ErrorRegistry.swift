/// What the registry (`proto/errors.json`) says about every error, for lookup by code, number or
/// name. The table itself is in `ErrorCode+Generated.swift`.
package enum ErrorRegistry {
  /// One error of the catalogue.
  package struct Entry: Sendable, Hashable {
    package let code: ErrorCode
    /// The stable name, in snake_case.
    package let name: String
    package let errorClass: ErrorClass
    package let grpcStatus: GRPCStatus
    package let httpStatus: Int
    package let recovery: ErrorRecovery
    /// What the user should do.
    package let action: String
    package let explanation: String

    package var number: Int32 { code.rawValue }

    /// Whether the same request, sent again later, may succeed.
    package var isRetryable: Bool { recovery == .retry }
  }

  /// The error of this number, or nil for success (0) and for numbers of newer catalogues.
  package static func entry(number: Int32) -> Entry? {
    ErrorCode(rawValue: number)?.entry
  }

  /// The error of this stable name.
  package static func entry(name: String) -> Entry? {
    codesByName[name]?.entry
  }

  private static let codesByName = Dictionary(
    uniqueKeysWithValues: entries.map { ($0.name, $0.code) })
}

extension ErrorCode {
  package init?(name: String) {
    guard let entry = ErrorRegistry.entry(name: name) else { return nil }
    self = entry.code
  }

  package var name: String { entry.name }
  package var isRetryable: Bool { entry.isRetryable }
}

/// The class of an error, which is also a range of numbers.
package enum ErrorClass: String, CaseIterable, Sendable, Hashable, Codable {
  case validation
  case auth
  case quota
  case conflict
  case backend
  case execution
  case postProcessing = "post-processing"
  case `internal`
  case client

  /// The class whose range holds `number`, so that numbers of newer catalogues have one too.
  package init?(containing number: Int32) {
    guard let match = Self.allCases.first(where: { $0.numbers.contains(number) }) else {
      return nil
    }
    self = match
  }
}

/// What may help after an error.
package enum ErrorRecovery: String, CaseIterable, Sendable, Hashable, Codable {
  /// The same request again, later.
  case retry
  /// The same request on another device.
  case reroute
  /// A request for less.
  case degrade
  /// Nothing, until someone changes the request or its surroundings.
  case failFast = "fail_fast"
}

/// The 17 status codes of gRPC, with their numbers on the wire.
package enum GRPCStatus: UInt32, CaseIterable, Sendable, Hashable, Codable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16

  /// The name as gRPC spells it, for example `INVALID_ARGUMENT`.
  package var name: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}
