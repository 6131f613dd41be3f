internal import CZeroMQ

#if canImport(Glibc)
  internal import Glibc
#endif

/// Memory of this process that lies in the machine's.
enum ResidentMemory {
  /// Bytes; 0 where the system does not tell.
  static var bytes: UInt64 {
    let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { buffer in
      let count = read(file, buffer.baseAddress, buffer.count)
      guard count > 0 else { return 0 }
      // "total resident shared …", in pages.
      let fields = buffer[..<count].split(separator: 32, maxSplits: 2)
      guard fields.count > 1 else { return 0 }
      let pages = fields[1].reduce(UInt64(0)) { $0 * 10 + UInt64($1 &- 48) }
      return pages * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    }
  }

  /// Gives free memory back to the system.
  static func trim() { malloc_trim(0) }
}
