internal import Glibc
internal import Synchronization

/// Ctrl-C while waiting for a job: says how to resume and ends with 130; the job goes on.
enum Detach {
  private static let jobID = Mutex<String?>(nil)

  /// From here on Ctrl-C detaches. Called before other threads exist, so that all of them block the
  /// signal and only the waiting thread takes it.
  static func install() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    var thread = pthread_t()
    pthread_create(&thread, nil, { _ in Detach.waitForInterrupt() }, nil)
  }

  /// The job that Ctrl-C leaves behind.
  static func watching(_ id: String) { jobID.withLock { $0 = id } }

  private static func waitForInterrupt() -> UnsafeMutableRawPointer? {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    var signal: Int32 = 0
    repeat { sigwait(&signals, &signal) } while signal != SIGINT
    if let id = jobID.withLock({ $0 }) {
      Console.error("\nDetached; the job goes on. Resume with: qubus watch \(id)")
    }
    _exit(ExitStatus.interrupted.rawValue)
  }
}
