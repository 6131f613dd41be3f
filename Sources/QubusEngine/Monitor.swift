#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A value behind a mutex, with a condition that threads wait for. For plain threads only, never
/// from Swift concurrency. A POSIX mutex, which the thread sanitizer understands; it reports every
/// use of `Synchronization.Mutex` on Linux as a race.
///
/// `@unchecked Sendable`: the value is reached under the mutex alone; the engine's race tests run
/// it from many threads.
package final class Monitor<Value>: @unchecked Sendable {
  private var value: Value
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    #if canImport(Glibc)
      var attributes = pthread_condattr_t()
      pthread_condattr_init(&attributes)
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      pthread_cond_init(condition, &attributes)
      pthread_condattr_destroy(&attributes)
    #else
      pthread_cond_init(condition, nil)
    #endif
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }

  /// Changes the value and wakes every waiter.
  package func signal<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
    return body(&value)
  }

  /// Changes the value and wakes one waiter: for queues from which any waiter may take.
  package func signalOne<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    let result = body(&value)
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(condition)
    return result
  }

  /// Waits until `body` answers something other than nil.
  package func wait<Result>(_ body: (inout Value) -> Result?) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value) { return result }
      pthread_cond_wait(condition, mutex)
    }
  }

  /// The same, for at most `microseconds` of real time; nil when they passed.
  package func wait<Result>(
    microseconds: Int64, _ body: (inout Value) -> Result?
  ) -> Result? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let limit = Self.deadline(after: microseconds)
    while true {
      if let result = body(&value) { return result }
      var time = limit
      if pthread_cond_timedwait(condition, mutex, &time) != 0 { return body(&value) }
    }
  }

  private static func deadline(after microseconds: Int64) -> timespec {
    var time = timespec()
    #if canImport(Glibc)
      clock_gettime(CLOCK_MONOTONIC, &time)
    #else
      clock_gettime(CLOCK_REALTIME, &time)
    #endif
    let nanoseconds = Int64(time.tv_nsec) + max(0, microseconds) % 1_000_000 * 1000
    time.tv_sec += Int(max(0, microseconds) / 1_000_000 + nanoseconds / 1_000_000_000)
    time.tv_nsec = Int(nanoseconds % 1_000_000_000)
    return time
  }
}
