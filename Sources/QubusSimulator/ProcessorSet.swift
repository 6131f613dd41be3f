internal import CQubusKernels

/// The processors that a thread may run on.
struct ProcessorSet: Sendable {
  private let set: qk_processors
  /// Their numbers, ascending; empty where the system does not say.
  private let numbers: [Int]

  /// Those of the calling thread.
  init() {
    let set = qk_thread_processors()
    self.set = set
    numbers = withUnsafeBytes(of: set) { bytes in
      let words = bytes.bindMemory(to: UInt64.self)
      return (0..<words.count * 64).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
    }
  }

  var count: Int { numbers.count }

  /// Keeps the calling thread on one of them. A system that refuses only makes it slower.
  func pin(to index: Int) {
    guard !numbers.isEmpty else { return }
    let number = numbers[index % numbers.count]
    var single = qk_processors()
    withUnsafeMutableBytes(of: &single) { bytes in
      bytes.bindMemory(to: UInt64.self)[number / 64] = 1 << UInt64(number % 64)
    }
    qk_set_thread_processors(&single)
  }

  /// Lets the calling thread run on all of them.
  func restore() {
    if numbers.isEmpty { return }
    withUnsafePointer(to: set) { qk_set_thread_processors($0) }
  }
}
