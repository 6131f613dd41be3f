internal import Glibc

/// Every connection costs descriptors, and the usual soft limit of 1,024 is for programs with
/// select.
enum FileDescriptorLimit {
  static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // When the system refuses, the server's own bound on connections works with what there is.
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
