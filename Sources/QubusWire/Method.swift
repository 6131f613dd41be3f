package import CQubusProto

/// The methods of protocol version 1: one row per method, read by dispatch, HELLO and the tests.
package enum Method: String, Sendable, Hashable, CaseIterable {
  case hello = "Hello"
  case submit = "Submit"
  case submitBatch = "SubmitBatch"
  case plan = "Plan"
  case getJob = "GetJob"
  case listJobs = "ListJobs"
  case watchJob = "WatchJob"
  case getResult = "GetResult"
  case cancelJob = "CancelJob"
  case annotateJob = "AnnotateJob"
  case replayJob = "ReplayJob"
  case openSession = "OpenSession"
  case step = "Step"
  case resumeSession = "ResumeSession"
  case closeSession = "CloseSession"
  case getSession = "GetSession"
  case listSessions = "ListSessions"
  case optimize = "Optimize"
  case cancelOptimize = "CancelOptimize"
  case listDevices = "ListDevices"
  case getDevice = "GetDevice"
  case health = "Health"
  case version = "Version"
  case errorCatalogue = "ErrorCatalogue"

  /// How answers come.
  package enum Shape: Sendable, Hashable {
    /// One FINAL.
    case unary
    /// PARTIALs within the credit, then the FINAL.
    case stream
  }

  /// Where a call is served.
  package enum Place: Sendable, Hashable {
    /// On the transport thread: microseconds, never the disk.
    case transport
    /// Handed to the engine, which completes it later.
    case engine
    /// On a reader thread that may block on the disk.
    case reader
  }

  /// One row of the table.
  package struct Declaration: Sendable {
    package let request: String
    package let response: String
    package let shape: Shape
    /// What a principal must hold once roles exist.
    package let permission: String
    package let place: Place
    /// Whether the same call, sent again after a lost connection, does nothing twice.
    package let isIdempotent: Bool
    /// Whether the server still takes it while it stops.
    package let isServedWhileStopping: Bool
    /// How many the client may send.
    package let attachments: ClosedRange<Int>
  }

  package var declaration: Declaration {
    switch self {
    case .hello: row("connect", .transport, whileStopping: true)
    case .submit: row("jobs.submit", .engine, idempotent: false)
    case .submitBatch: row("jobs.submit", .engine, idempotent: false)
    case .plan: row("jobs.read", .engine)
    case .getJob: row("jobs.read", .reader)
    case .listJobs: row("jobs.read", .reader)
    case .watchJob: row("jobs.read", .reader, .stream)
    case .getResult: row("results.read", .reader, .stream)
    case .cancelJob: row("jobs.cancel", .engine)
    case .annotateJob: row("jobs.annotate", .engine)
    case .replayJob: row("jobs.submit", .engine, idempotent: false)
    case .openSession: row("sessions.open", .engine, idempotent: false)
    case .step: row("sessions.step", .transport, attachments: 1...1)
    case .resumeSession: row("sessions.open", .engine)
    case .closeSession: row("sessions.close", .engine)
    case .getSession: row("sessions.read", .reader)
    case .listSessions: row("sessions.read", .reader)
    case .optimize: row("sessions.step", .engine, .stream, idempotent: false, attachments: 0...3)
    case .cancelOptimize: row("sessions.step", .reader)
    case .listDevices: row("devices.read", .transport)
    case .getDevice: row("devices.read", .transport)
    case .health: row("connect", .transport, whileStopping: true)
    case .version: row("connect", .transport, whileStopping: true)
    case .errorCatalogue: row("connect", .transport, whileStopping: true)
    }
  }

  /// What it starts belongs to a session, not to a job.
  package var isOfSessions: Bool { declaration.permission.hasPrefix("sessions.") }

  private func row(
    _ permission: String, _ place: Place, _ shape: Shape = .unary, idempotent: Bool = true,
    whileStopping: Bool = false, attachments: ClosedRange<Int> = 0...0
  ) -> Declaration {
    Declaration(
      request: rawValue + "Request", response: rawValue + "Response", shape: shape,
      permission: permission, place: place, isIdempotent: idempotent,
      isServedWhileStopping: whileStopping, attachments: attachments)
  }

  /// Of the request message.
  package var requestDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
    qubus_descriptor_named(declaration.request)
  }

  package var responseDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
    qubus_descriptor_named(declaration.response)
  }
}
