/// Numbers for identifiers: equal names have equal numbers, so that scopes are arrays.
final class NameTable {
  private var pool: [UInt8] = []
  /// Start of each name in the pool; one more at the end.
  private var starts: [Int] = [0]
  /// Open addressing; -1 is free. The size is a power of two.
  private var slots: [Int32]

  private static let keywords = Keyword.allCases.map { Array($0.text.utf8) }

  init() {
    slots = Array(repeating: -1, count: 1024)
    for text in NameTable.keywords { _ = intern(text) }
  }

  var count: Int { starts.count - 1 }

  func text(_ name: Int) -> String {
    String(decoding: pool[starts[name]..<starts[name + 1]], as: UTF8.self)
  }

  func intern(_ text: String) -> Int { intern(Array(text.utf8)) }

  func intern(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBufferPointer { intern($0) }
  }

  func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash ^= hash >> 32
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let name = Int(slots[slot])
      if matches(name, bytes) { return name }
      slot = (slot + 1) & (slots.count - 1)
    }
    let name = count
    slots[slot] = Int32(name)
    pool.append(contentsOf: bytes)
    starts.append(pool.count)
    if 2 * count > slots.count { grow() }
    return name
  }

  private func matches(_ name: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = starts[name]
    guard starts[name + 1] - start == bytes.count else { return false }
    for offset in 0..<bytes.count where pool[start + offset] != bytes[offset] { return false }
    return true
  }

  private func grow() {
    var larger = [Int32](repeating: -1, count: 2 * slots.count)
    for name in 0..<count {
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in pool[starts[name]..<starts[name + 1]] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
      }
      hash ^= hash >> 32
      var slot = Int(truncatingIfNeeded: hash) & (larger.count - 1)
      while larger[slot] >= 0 { slot = (slot + 1) & (larger.count - 1) }
      larger[slot] = Int32(name)
    }
    slots = larger
  }
}
