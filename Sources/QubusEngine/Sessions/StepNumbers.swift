/// Numbers of a step, copied from where they came; grows when it must and is used again.
/// Used by one thread at a time.
final class StepNumbers {
  private var memory = UnsafeMutableBufferPointer<Double>(start: nil, count: 0)
  private(set) var count = 0

  deinit { memory.deallocate() }

  var numbers: UnsafeBufferPointer<Double> {
    UnsafeBufferPointer(start: memory.baseAddress, count: count)
  }

  /// Copies little-endian doubles from any alignment.
  func copy(_ bytes: UnsafeRawBufferPointer) {
    count = bytes.count / MemoryLayout<Double>.size
    if count > memory.count {
      memory.deallocate()
      memory = .allocate(capacity: count)
    }
    UnsafeMutableRawBufferPointer(memory).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: bytes.prefix(8 * count)))
  }

  /// Index of the first that is infinite or not a number.
  var firstBad: Int? {
    // Branch-free over the many that are good: x - x is 0 for finite numbers alone.
    var sum = 0.0
    for number in numbers { sum += number - number }
    return sum == 0 ? nil : numbers.firstIndex { !$0.isFinite }
  }
}
