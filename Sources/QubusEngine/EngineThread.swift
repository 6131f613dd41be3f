internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A thread of ours, outside the cooperative pool.
final class EngineThread: Sendable {
  /// Enough for the front end's deepest programs.
  private static let stackBytes = 16 << 20
  private let thread: pthread_t

  /// - Parameter niceness: 0 … 19; 19 for compute, so that transport and store go first.
  init(niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    defer { pthread_attr_destroy(&attributes) }
    let context = Unmanaged.passRetained(
      Body {
        ThreadPriority.set(niceness: niceness)
        body()
      })
    #if canImport(Glibc)
      var thread = pthread_t()
    #else
      var thread: pthread_t!
    #endif
    let status = pthread_create(
      &thread, &attributes,
      { context in
        if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, context.toOpaque())
    precondition(status == 0, "the machine has room for the service's few threads")
    self.thread = thread
  }

  func join() { pthread_join(thread, nil) }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
