#if canImport(Glibc)
  internal import Glibc
#endif

/// Bytes written one after the other into memory that is kept for the next message. Used by one
/// thread at a time.
struct ReusedBytes: ~Copyable {
  private var memory: UnsafeMutableRawPointer
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int) {
    memory = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }

  deinit { memory.deallocate() }

  /// Valid until the next write.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  mutating func clear() { count = 0 }

  mutating func byte(_ byte: UInt8) {
    reserve(1)
    memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  mutating func varint(_ value: UInt64) {
    reserve(10)
    var rest = value
    while rest > 0x7F {
      memory.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
      count += 1
      rest >>= 7
    }
    memory.storeBytes(of: UInt8(rest), toByteOffset: count, as: UInt8.self)
    count += 1
  }

  mutating func fixed32(_ value: UInt32) {
    reserve(4)
    memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: UInt32.self)
    count += 4
  }

  mutating func fixed64(_ value: UInt64) {
    reserve(8)
    memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: UInt64.self)
    count += 8
  }

  /// A number field, left out at its default as proto3 has it.
  mutating func field(_ key: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    byte(key)
    varint(value)
  }

  static func varintBytes(_ value: UInt64) -> Int {
    max(1, (64 - value.leadingZeroBitCount + 6) / 7)
  }

  private mutating func reserve(_ more: Int) {
    guard count + more > capacity else { return }
    let larger = UnsafeMutableRawPointer.allocate(
      byteCount: max(2 * capacity, count + more), alignment: 16)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    memory = larger
    capacity = max(2 * capacity, count + more)
  }
}
