internal import CZeroMQ

#if canImport(Glibc)
  internal import Glibc
#endif

/// A thread of its own, never of the cooperative pool: it may block.
enum ServerThread {
  private final class Body {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// - Parameter name: at most 15 bytes, as the kernel shows it.
  /// - Returns: the thread, to be joined; nil when the system has none left.
  static func start(name: String, _ run: @escaping @Sendable () -> Void) -> pthread_t? {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(name: name, run: run))
    let outcome = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        qubus_name_thread(body.name)
        body.run()
        return nil
      }, body.toOpaque())
    guard outcome == 0 else {
      body.release()
      return nil
    }
    return thread
  }
}
