import CQubusKernels

/// A chunk in one of the two precisions, read and written as doubles.
final class KernelChunk {
  let bits: Int
  let single: Bool
  private let memory: UnsafeMutableRawPointer
  private var count: Int { 2 << bits }

  init(bits: Int, single: Bool, values: [Double]) {
    self.bits = bits
    self.single = single
    memory = .allocate(byteCount: (2 << bits) * (single ? 4 : 8), alignment: 64)
    for (index, value) in values.enumerated() { self[index] = value }
  }
  deinit { memory.deallocate() }

  /// The smallest chunk that kernels take.
  static func minimumBits(single: Bool) -> Int {
    single ? QK_MINIMUM_BITS_F32 : QK_MINIMUM_BITS_F64
  }

  /// The real part of amplitude i at 2 i, its imaginary part at 2 i + 1, whatever the precision.
  subscript(index: Int) -> Double {
    get {
      let place = memory + offset(index)
      return single ? Double(place.load(as: Float.self)) : place.load(as: Double.self)
    }
    set {
      let place = memory + offset(index)
      if single {
        place.storeBytes(of: Float(newValue), as: Float.self)
      } else {
        place.storeBytes(of: newValue, as: Double.self)
      }
    }
  }
  private func offset(_ index: Int) -> Int {
    let lanes = single ? 16 : 8
    let amplitude = index / 2
    let real = amplitude / lanes * 2 * lanes + index % 2 * lanes + amplitude % lanes
    return real * (single ? 4 : 8)
  }
  var values: [Double] { (0..<count).map { self[$0] } }

  /// Applies operations to the whole chunk, or to one of 2^`split` equal parts.
  func apply(
    _ table: qk_table, _ ops: [qk_op], _ numbers: [Double], part: Int = 0, split: Int = 0
  ) {
    let start = memory + (part * count >> split) * (single ? 4 : 8)
    let bits = UInt32(bits - split)
    if single {
      let floats = numbers.map { Float($0) }
      table.apply_f32(start.assumingMemoryBound(to: Float.self), bits, ops, ops.count, floats)
    } else {
      table.apply_f64(start.assumingMemoryBound(to: Double.self), bits, ops, ops.count, numbers)
    }
  }
}

/// The distance of two vectors over the length of the second.
func relativeError(_ values: [Double], _ expected: [Double]) -> Double {
  var distance = 0.0
  var length = 0.0
  for (value, right) in zip(values, expected) {
    distance += (value - right) * (value - right)
    length += right * right
  }
  return (distance / length).squareRoot()
}

extension qk_isa {
  /// What this machine can run beside the reference.
  static let fast = [QK_BASELINE, QK_AVX2, QK_AVX512].filter { qk_isa_available($0) == 1 }

  func table() -> qk_table { qk_table_for(self).pointee }
}
