internal import Synchronization

/// Bytes of large answers that ZeroMQ still holds for one connection, because its client has not
/// read them.
final class UnreadBytes: Sendable {
  private let bytes = Atomic<Int>(0)

  var count: Int { bytes.load(ordering: .relaxed) }

  func add(_ number: Int) { bytes.add(number, ordering: .relaxed) }
}

/// Memory of a large frame while ZeroMQ sends it.
///
/// `@unchecked Sendable`: only read, and let go of by ZeroMQ's thread.
final class HeldFrame: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  /// Nil when the memory is its own.
  private let owner: AnyObject?
  private let unread: UnreadBytes

  init(_ bytes: UnsafeRawBufferPointer, of owner: AnyObject, _ unread: UnreadBytes) {
    self.bytes = bytes
    self.owner = owner
    self.unread = unread
    unread.add(bytes.count)
  }

  init(copying bytes: UnsafeRawBufferPointer, _ unread: UnreadBytes) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    copy.copyMemory(from: bytes)
    self.bytes = UnsafeRawBufferPointer(copy)
    owner = nil
    self.unread = unread
    unread.add(bytes.count)
  }

  deinit {
    if owner == nil { bytes.deallocate() }
    unread.add(-bytes.count)
  }
}
