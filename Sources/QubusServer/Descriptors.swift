#if canImport(Glibc)
  internal import Glibc
#endif

/// Watches the process's file descriptors: out of them, the store could open nothing any more.
struct Descriptors {
  let limit: Int

  /// Raises the soft limit to the hard one.
  static func raiseLimit() {
    var limits = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return }
    limits.rlim_cur = limits.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
  }

  init(limit: Int?) {
    if let limit {
      self.limit = limit
      return
    }
    var limits = rlimit()
    let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0
    self.limit = isKnown ? Int(clamping: limits.rlim_cur) : 1024
  }

  /// The lowest free descriptor: all below it are in use. Holes make it less than the number in use
  /// only until they are filled again, so that a guard by it never overshoots.
  var inUse: Int {
    let probe = fcntl(0, F_DUPFD_CLOEXEC, 0)
    guard probe >= 0 else { return errno == EMFILE || errno == ENFILE ? limit : 0 }
    close(probe)
    return Int(probe)
  }
}
