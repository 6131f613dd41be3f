internal import CQubus

/// Owns one handle of libqubus and frees it exactly once, when the last reference goes.
///
/// `@unchecked Sendable`, because a raw pointer is not: libqubus promises that any call may be made
/// on a handle from any thread at any time except during its free, and `deinit` runs only when no
/// other reference is left. `ClientTests` shares one client between many threads.
final class Handle: @unchecked Sendable {
  let pointer: OpaquePointer
  private let release: @Sendable (UnsafeMutablePointer<OpaquePointer?>) -> Void

  init(
    _ pointer: OpaquePointer,
    release: @escaping @Sendable (UnsafeMutablePointer<OpaquePointer?>) -> Void
  ) {
    self.pointer = pointer
    self.release = release
  }

  deinit {
    var pointer: OpaquePointer? = pointer
    release(&pointer)
  }

  /// Calls a function of libqubus that hands out a new handle.
  static func make(
    release: @escaping @Sendable (UnsafeMutablePointer<OpaquePointer?>) -> Void,
    _ body: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<qubus_error>) -> Int32
  ) throws(ClientError) -> Handle {
    var pointer: OpaquePointer?
    try callLibrary { body(&pointer, $0) }
    guard let pointer else {
      throw ClientError(code: QUBUS_E_PROTOCOL_ERROR, message: "libqubus gave no handle")
    }
    return Handle(pointer, release: release)
  }
}

/// Makes one call of libqubus and turns its code and details into a `ClientError`.
func callLibrary(_ body: (UnsafeMutablePointer<qubus_error>) -> Int32) throws(ClientError) {
  var error = qubus_error()
  error.struct_size = UInt32(MemoryLayout<qubus_error>.size)
  error.retry_after_milliseconds = Int64.min
  let code = body(&error)
  if code != QUBUS_OK { throw ClientError(code: code, details: error) }
}

/// Makes one call that gives a text of libqubus, and copies it.
func text(
  _ body: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<qubus_error>) -> Int32
) throws(ClientError) -> String {
  let handle = try Handle.make(release: { qubus_text_free($0) }, body)
  let count = Int(qubus_text_bytes(handle.pointer))
  guard count > 0, let data = qubus_text_data(handle.pointer) else { return "" }
  return String(
    decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
}

extension Duration {
  /// Whole milliseconds, rounded up so that a short time-out never becomes a mere look.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    return overflow
      ? Int64.max : product + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}

extension Optional where Wrapped == Duration {
  /// The time-out libqubus understands; nil waits for ever.
  var timeoutMilliseconds: Int64 { self.map { Swift.max(0, $0.milliseconds) } ?? -1 }
}
