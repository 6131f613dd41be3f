import CQubusKernels
import Testing

/// Sums of rows side by side against the same sums of each row by itself.
@Suite struct RowReductionTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state ^ state >> 33) &* 0xFF51_AFD7_ED55_8CCD
    }
  }

  private static func group(
    terms: Int, first: Int, indexBits: Int, _ generator: inout Generator
  ) -> (qr_group, [qr_term]) {
    let octetBits = indexBits - 3
    var group = qr_group()
    group.x_low = UInt32.random(in: 0..<1 << UInt32(indexBits), using: &generator)
    group.first_term = UInt32(first)
    group.term_count = UInt32(terms)
    group.skip = UInt8(QR_NO_SKIP)
    group.skip_chunk = UInt8(QR_NO_SKIP)
    if octetBits > 0, Bool.random(using: &generator) {
      group.skip = UInt8.random(in: 0..<UInt8(octetBits), using: &generator)
    }
    let visited = indexBits - (group.skip == UInt8(QR_NO_SKIP) ? 0 : 1)
    let own = (0..<terms).map { _ in
      let part = UInt32.random(in: 0...1, using: &generator)
      group.parts |= 1 << UInt8(part)
      return qr_term(
        weight: .random(in: -1...1, using: &generator), z_high: 0,
        z_low: .random(in: 0..<1 << UInt32(visited), using: &generator), part: part)
    }
    return (group, own)
  }

  @Test(
    "every row has the bits that it has alone, for any number of terms and of index bits",
    arguments: [QK_BASELINE, QK_AVX2, QK_AVX512], 3...8)
  func rows(isa: qk_isa, indexBits: Int) throws {
    guard let table = qr_table_for(isa)?.pointee else { return }
    let (count, octets) = (1 << indexBits, 1 << (indexBits - 3))
    for seed in 0..<6 {
      var generator = Generator(state: UInt64(100 * seed + indexBits))
      var (groups, terms) = ([qr_group](), [qr_term]())
      for size in [1, 2, 10, 11, 257, 270] {
        let (group, own) = Self.group(
          terms: size, first: terms.count, indexBits: indexBits, &generator)
        groups.append(group)
        terms += own
      }
      // Both precisions hold the same numbers.
      let numbers = (0..<32 * count).map { _ in Float.random(in: -1...1, using: &generator) }
      let (doubles, floats) = (Memory<Double>(16 * count), Memory<Float>(32 * count))
      for index in 0..<32 * count { floats.start[index] = numbers[index] }
      for index in 0..<count {
        for row in 0..<8 {
          doubles.start[16 * index + row] = Double(numbers[32 * index + row])
          doubles.start[16 * index + 8 + row] = Double(numbers[32 * index + 16 + row])
        }
      }
      var norms = [Double](repeating: 0, count: 16)
      var sums = norms
      table.norm_rows_f32(floats.start, octets, &norms)
      table.pauli_sum_rows_f32(floats.start, octets, groups, groups.count, terms, &sums)
      // A norm takes at least 8 octets.
      let alone = Memory<Double>(2 * max(64, count))
      for row in 0..<16 {
        for index in 0..<count {
          let place = index / 8 * 16 + index % 8
          alone.start[place] = Double(numbers[32 * index + row])
          alone.start[place + 8] = Double(numbers[32 * index + 16 + row])
        }
        #expect(norms[row].bitPattern == table.norm_f64(alone.start, max(8, octets)).bitPattern)
        let sum = table.pauli_sum_f64(alone.start, octets, 0, groups, groups.count, terms)
        #expect(sums[row].bitPattern == sum.bitPattern, "seed \(seed) row \(row)")
      }
      var (own, ownNorms) = (
        [Double](repeating: 0, count: 8), [Double](repeating: 0, count: 8)
      )
      table.norm_rows_f64(doubles.start, octets, &ownNorms)
      table.pauli_sum_rows_f64(doubles.start, octets, groups, groups.count, terms, &own)
      #expect(ownNorms == Array(norms[..<8]))
      #expect(own.map(\.bitPattern) == sums[..<8].map(\.bitPattern))
    }
  }

  /// Aligned zeros.
  private final class Memory<Real: BinaryFloatingPoint> {
    let start: UnsafeMutablePointer<Real>

    init(_ count: Int) {
      start = UnsafeMutableRawPointer.allocate(
        byteCount: count * MemoryLayout<Real>.stride, alignment: 64
      ).bindMemory(to: Real.self, capacity: count)
      start.initialize(repeating: 0, count: count)
    }

    deinit { start.deallocate() }
  }
}
