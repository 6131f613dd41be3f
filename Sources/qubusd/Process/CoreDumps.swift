internal import CProcess
internal import Glibc
internal import QubusCore

/// A core dump would hold keys and programs of every tenant.
enum CoreDumps {
  /// - Throws: `internal_error` where the system refuses.
  static func forbid() throws(QubusError) {
    guard qubus_process_forbid_dumps() != 0 else { return }
    throw QubusError(
      .internalError, "core dumps cannot be switched off: \(String(cString: strerror(errno)))")
  }
}
