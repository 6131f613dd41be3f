#if QUBUS_FAULT_INJECTION
  #if canImport(Glibc)
    internal import Glibc
  #else
    internal import Darwin
  #endif

  /// Places where the crash harness (`Tests/crash`) lets the process die: states of a job that last
  /// microseconds and that no kill from outside would hit. Never in a product; the flag
  /// `QUBUS_FAULT_INJECTION` compiles it.
  ///
  /// Environment: `QUBUS_FAULT_KILL_AT` names the point, `QUBUS_FAULT_KILL_COUNT` (default 1) the
  /// passing at which the process kills itself.
  package enum FaultPoint: String, Sendable {
    /// A submit is in the open transaction.
    case acceptedUncommitted = "accepted_uncommitted"
    /// A submit is committed; neither its client nor the scheduler knows.
    case acceptedCommitted = "accepted_committed"
    /// The scheduler gave the job a slot; nothing runs yet.
    case reserved
    /// The result is there, its write not yet.
    case processingResults = "processing_results"
    /// The end is in the open transaction.
    case terminalUncommitted = "terminal_uncommitted"
    /// The end is committed; nobody was told.
    case terminalCommitted = "terminal_committed"
    /// Acknowledged before its commit: reached only with `QUBUS_FAULT_ACK_BEFORE_COMMIT=1`.
    case acknowledgedUncommitted = "acknowledged_uncommitted"

    private static let armed = FaultPoint.fromEnvironment("QUBUS_FAULT_KILL_AT")
    private static let passings = Lock(Int(text("QUBUS_FAULT_KILL_COUNT") ?? "") ?? 1)

    /// Whether the store answers before it commits, the fault that the harness has to find.
    package static let acknowledgesBeforeCommit = text("QUBUS_FAULT_ACK_BEFORE_COMMIT") == "1"

    /// Dies here when this is the armed point and its count is reached.
    package func reached() {
      guard Self.armed == self else { return }
      let mustDie = Self.passings.withLock { left in
        left -= 1
        return left == 0
      }
      if mustDie { kill(getpid(), SIGKILL) }
    }

    /// A moment between answer and commit, long enough for the answer to leave the process.
    package static func widen(microseconds: UInt32) { usleep(microseconds) }

    private static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func fromEnvironment(_ name: String) -> FaultPoint? {
      guard let text = text(name), !text.isEmpty else { return nil }
      guard let point = FaultPoint(rawValue: text) else {
        fatalError("\(name)=\(text) names no fault point")
      }
      return point
    }
  }
#endif
