/// Why a session is no longer open; reasons are those of the wire.
enum SessionEnding: UInt8, Sendable, CaseIterable {
  case closed = 1
  case maxSteps = 2
  case idle = 3
  case wallTime = 4
  case deviceTime = 5
  /// Never was: its open was a repetition of another.
  case withdrawn = 6
  /// Its principal, project or tenant was disabled.
  case disabled = 7
  /// A budget or the credit of its project is used up.
  case budget = 8

  var reason: String {
    switch self {
    case .closed, .withdrawn: ""
    case .maxSteps: "MAX_STEPS"
    case .idle: "IDLE"
    case .wallTime: "WALL_TIME"
    case .deviceTime: "DEVICE_TIME"
    case .disabled: "DISABLED"
    case .budget: "BUDGET"
    }
  }

  var isByLimit: Bool {
    switch self {
    case .closed, .withdrawn: false
    case .maxSteps, .idle, .wallTime, .deviceTime, .disabled, .budget: true
    }
  }
}
