internal import Glibc
internal import Logging
internal import QubusCore

/// Takes SIGTERM and SIGINT on the main thread: the first stops the daemon cleanly, a second ends
/// it at once. SIGHUP is taken and ignored, SIGPIPE and SIGXFSZ are ignored.
enum StopSignals {
  /// A clean stop that takes longer has failed; what was acknowledged is durable all the same.
  private static let patience = timespec(tv_sec: 5, tv_nsec: 0)

  private static var all: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
    return signals
  }

  /// Called before other threads exist: they inherit the mask.
  static func block() {
    var signals = all
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    // A limit on the size of files then shows as a write that fails, like a full disk.
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Serves until told to stop, then ends the process.
  static func serve(_ daemon: Daemon, logger: Logger) -> Never {
    let first = waitForStop(nil)
    logger.notice("stopping", metadata: ["signal": "\(name(first ?? 0))"])
    let thread = Thread.start {
      do throws(QubusError) {
        try daemon.stop()
      } catch {
        logger.critical("the stop failed", metadata: ["error": "\(error.logText)"])
        exit(DaemonExit(error).rawValue)
      }
      logger.notice("stopped")
      exit(DaemonExit.success.rawValue)
    }
    guard thread else { _exit(DaemonExit.software.rawValue) }
    if let second = waitForStop(patience) {
      logger.warning("ending at once", metadata: ["signal": "\(name(second))"])
      _exit(128 + second)
    }
    logger.critical("the daemon did not stop within \(patience.tv_sec) s")
    _exit(DaemonExit.software.rawValue)
  }

  /// The signal that came; nil when none did in time.
  private static func waitForStop(_ patience: timespec?) -> Int32? {
    var signals = all
    while true {
      var signal: Int32
      if var patience {
        signal = sigtimedwait(&signals, nil, &patience)
        if signal < 0, errno == EAGAIN { return nil }
      } else {
        signal = sigwaitinfo(&signals, nil)
      }
      if signal == SIGTERM || signal == SIGINT { return signal }
    }
  }

  private static func name(_ signal: Int32) -> String {
    signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "\(signal)"
  }
}

/// A detached thread of the system; the cooperative pool must not block.
private enum Thread {
  private final class Body {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// - Returns: false when the system has no thread left.
  static func start(_ run: @escaping @Sendable () -> Void) -> Bool {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(run))
    let code = pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    if code != 0 { body.release() } else { pthread_detach(thread) }
    return code == 0
  }
}
