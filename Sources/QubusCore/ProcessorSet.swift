internal import CThreads

/// The processors that a thread may run on.
package struct ProcessorSet: Sendable {
  /// Their numbers, ascending; empty where the system does not say.
  package let numbers: [Int]

  /// Those of the calling thread.
  package init() {
    numbers = withUnsafeBytes(of: qubus_thread_processors()) { bytes in
      (0..<bytes.count * 8).filter { bytes[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
    }
  }

  package var count: Int { numbers.count }

  /// Keeps the calling thread on one of them. A system that refuses only makes it slower.
  package func pin(to index: Int) {
    guard !numbers.isEmpty else { return }
    Self.keepThread(on: [numbers[index % numbers.count]])
  }

  /// Lets the calling thread run on all of them.
  package func restore() { Self.keepThread(on: numbers) }

  /// Keeps the calling thread on processors of these numbers. None, those that there are not, or a
  /// system that refuses: nothing changes.
  package static func keepThread(on numbers: [Int]) {
    var set = qubus_processors()
    let isAny = withUnsafeMutableBytes(of: &set) { bytes in
      for number in numbers where number >= 0 && number < bytes.count * 8 {
        bytes[number / 8] |= 1 << UInt8(number % 8)
      }
      return bytes.contains { $0 != 0 }
    }
    if isAny { qubus_thread_keep_on(&set) }
  }
}
