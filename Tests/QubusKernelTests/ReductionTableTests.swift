import CQubusKernels
import Testing

/// Every instruction set against the reference (to rounding) and against each other (bit for bit).
@Suite struct ReductionTableTests {
  /// Amplitudes of two states in memory aligned as the kernels want it.
  private final class Amplitudes {
    let doubles: UnsafeMutablePointer<Double>
    let floats: UnsafeMutablePointer<Float>
    let count: Int

    init(bits: Int, seed: UInt64) {
      count = 2 << bits
      doubles = UnsafeMutableRawPointer.allocate(byteCount: 8 * count, alignment: 64)
        .bindMemory(to: Double.self, capacity: count)
      floats = UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64)
        .bindMemory(to: Float.self, capacity: count)
      var state = seed
      for index in 0..<1 << bits {
        for part in 0..<2 {
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          let value = Float(Double(state >> 11) * 0x1p-52 - 1)
          doubles[index / 8 * 16 + part * 8 + index % 8] = Double(value)
          floats[index / 16 * 32 + part * 16 + index % 16] = value
        }
      }
    }

    deinit {
      doubles.deallocate()
      floats.deallocate()
    }
  }

  nonisolated(unsafe) private static let reference = qr_table_for(QK_REFERENCE).pointee
  nonisolated(unsafe) private static let baseline = qr_table_for(QK_BASELINE).pointee
  nonisolated(unsafe) private static let tables: [qr_table] = [
    QK_BASELINE, QK_AVX2, QK_AVX512,
  ].compactMap {
    qr_table_for($0)?.pointee
  }

  /// Compares to the reference within rounding and to the baseline exactly.
  private func check(
    _ body: (qr_table) -> [Double], tolerance: Double = 1e-12, _ note: Comment
  ) {
    let expected = body(Self.reference)
    let exact = body(Self.baseline)
    for table in Self.tables {
      let found = body(table)
      #expect(found == exact, note)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance }, note)
    }
  }

  @Test("sums of squares", arguments: [7, 9, 12])
  func sums(bits: Int) {
    let state = Amplitudes(bits: bits, seed: 1)
    let octets = 1 << (bits - 3)
    let scale = 1e-13 * Double(1 << bits)
    check({ [$0.norm_f64(state.doubles, octets)] }, tolerance: scale, "norm")
    check({ [$0.norm_f32(state.floats, octets)] }, tolerance: scale, "norm")
    check(
      { table in
        [Double](unsafeUninitializedCapacity: 1 << bits) { values, initialized in
          table.squares_f32(state.floats, octets, values.baseAddress)
          initialized = 1 << bits
        }
      }, tolerance: 1e-15, "squares")
    for position in 0..<UInt32(bits) {
      check(
        { table in
          var sums = [0.0, 0.0]
          table.split_f64(state.doubles, octets, position, &sums)
          table.split_f32(state.floats, octets, position, &sums)
          return sums
        }, tolerance: scale, "split \(position)")
    }
    for keep in [0, 1, 6, 0b1010101, (1 << UInt32(bits)) - 1, 1 << UInt32(bits - 1)] as [UInt32] {
      check(
        { table in
          var sums = [Double](repeating: 1, count: 1 << keep.nonzeroBitCount)
          table.marginal_f64(state.doubles, octets, keep, &sums)
          table.marginal_f32(state.floats, octets, keep, &sums)
          return sums
        }, tolerance: scale, "marginal \(keep)")
    }
    let values = (0..<1 << bits).map { Double($0 % 13) - 6 }
    check({ [$0.dot_f64(state.doubles, octets, values)] }, tolerance: 10 * scale, "dot")
    check({ [$0.dot_f32(state.floats, octets, values)] }, tolerance: 10 * scale, "dot")
  }

  @Test("projection at every position", arguments: [7, 8])
  func collapse(bits: Int) {
    let octets = 1 << (bits - 3)
    for position in 0..<UInt32(bits) {
      for choice in 0..<4 as Range<UInt32> {
        check(
          { table in
            let state = Amplitudes(bits: bits, seed: 2)
            table.collapse_f64(state.doubles, octets, position, choice & 1, choice >> 1, 1.3)
            table.collapse_f32(state.floats, octets, position, choice & 1, choice >> 1, 1.3)
            return (0..<state.count).map { state.doubles[$0] }
              + (0..<state.count).map { Double(state.floats[$0]) }
          }, tolerance: 0, "position \(position), outcome and place \(choice)")
      }
    }
  }

  @Test("Pauli strings with every X mask over lanes, one to many terms", arguments: [3, 4, 7, 9])
  func pauliStrings(bits: Int) {
    let octets = 1 << (bits - 3)
    // Two chunks, so that strings pair chunks, too.
    let left = Amplitudes(bits: max(bits, 6) + 1, seed: 3)
    let right = Amplitudes(bits: max(bits, 6) + 1, seed: 4)
    for x in 0..<min(32, 1 << bits) as Range<Int> {
      for count in [1, 2, 9, 40, 300] {
        var group = qr_group(
          x_high: UInt64(x & 1), x_low: UInt32(x), first_term: 0, term_count: UInt32(count),
          skip: UInt8(QR_NO_SKIP), skip_chunk: UInt8(QR_NO_SKIP), parts: 3)
        let mask = (1 << bits) - 1
        let terms = (0..<count).map { (t: Int) -> qr_term in
          let zLow = UInt32((t * 29) & mask)
          return qr_term(
            weight: 0.5 + Double(t % 5), z_high: UInt64(t & 1), z_low: zLow, part: UInt32(t % 2))
        }
        let scale = 1e-13 * Double(1 << bits) * Double(count)
        for chunk in 0..<2 as Range<UInt64> {
          check(
            { table in
              let double = table.pauli_sum_f64(left.doubles, octets, chunk, &group, 1, terms)
              if octets < 2 { return [double] }
              return [double, table.pauli_sum_f32(left.floats, octets, chunk, &group, 1, terms)]
            }, tolerance: scale, "sum x \(x) terms \(count)")
          check(
            { table in
              var values = [Double](repeating: 0, count: count)
              table.pauli_values_f64(
                left.doubles, right.doubles, octets, chunk, &group, 1, terms, &values)
              return values
            }, tolerance: scale, "values x \(x) terms \(count)")
        }
        if bits > 3 {
          group.skip = UInt8(bits - 4)
          group.skip_chunk = 0
          let halved = terms.map { term in
            var term = term
            term.z_low &= (1 << UInt32(bits - 1)) - 1
            return term
          }
          check(
            { [$0.pauli_sum_f64(left.doubles, octets, 0, &group, 1, halved)] }, tolerance: scale,
            "half x \(x) terms \(count)")
        }
      }
    }
  }

  @Test("X and Y of single positions, inside octets, chunks and across", arguments: [3, 4, 6, 9])
  func flips(bits: Int) {
    let octets = 1 << (bits - 3)
    // Eight chunks and more: up to five bits choose one.
    let left = Amplitudes(bits: max(bits, 6) + 5, seed: 8)
    let right = Amplitudes(bits: max(bits, 6) + 5, seed: 9)
    let all = (UInt64(1) << UInt64(bits + 5)) - 1
    for positions in [all, 0, 1, 4, 0b1001, 0x2D & all, all ^ 0b1010] {
      for parts in 1...3 as ClosedRange<UInt32> {
        for chunk in [0, 5, 31] as [UInt64] {
          check(
            { table in
              var values = [Double](repeating: 0, count: 2 * positions.nonzeroBitCount + 1)
              table.flip_values_f64(
                left.doubles, right.doubles, octets, chunk, positions, parts, &values)
              if octets < 2 { return values }
              var single = values
              table.flip_values_f32(
                left.floats, right.floats, octets, chunk, positions, parts, &single)
              return values + single
            }, tolerance: 1e-13 * Double(1 << bits), "positions \(positions) parts \(parts)")
        }
      }
    }
  }

  @Test("applying many strings of I and Z", arguments: [7, 9])
  func diagonalApply(bits: Int) {
    let octets = 1 << (bits - 3)
    let source = Amplitudes(bits: bits + 1, seed: 10)
    for count in [0, 1, 5, 40] {
      let strings = (0..<count).map { (k: Int) -> qr_string in
        let weight = 0.75 - Double(k) / 8
        let zLow = UInt32(k * 37 & 127)
        return qr_string(
          weight: weight, x_high: 0, z_high: UInt64(k & 1), x_low: 0, z_low: zLow, part: 0)
      }
      check(
        { table in
          let target = Amplitudes(bits: bits + 1, seed: 7)
          for chunk in 0..<2 as Range<UInt64> {
            table.diagonal_apply_f64(
              target.doubles, source.doubles, octets, chunk, strings, strings.count)
            table.diagonal_apply_f32(
              target.floats, source.floats, octets, chunk, strings, strings.count)
          }
          var numbers = (0..<target.count).map { target.doubles[$0] }
          for index in 0..<target.count { numbers.append(Double(target.floats[index])) }
          return numbers
        }, tolerance: 1e-4, "strings \(count)")
    }
  }

  @Test("applying Pauli strings", arguments: [7, 8])
  func pauliApply(bits: Int) {
    let octets = 1 << (bits - 3)
    let source = Amplitudes(bits: bits, seed: 6)
    for x in 0..<16 as Range<UInt32> {
      for part in 0..<2 as Range<UInt32> {
        // Seven that go together and one that does not.
        let strings = (0..<8 as Range<UInt32>).map { k -> qr_string in
          let xLow = k == 5 ? x * 7 + 1 : (x * 5 + 8 * k) & 127
          return qr_string(
            weight: 0.75 - Double(k) / 8, x_high: 0, z_high: 0, x_low: xLow & 127,
            z_low: (x * 11 + k) & 127, part: part)
        }
        check(
          { table in
            let target = Amplitudes(bits: bits, seed: 7)
            table.pauli_apply_f64(target.doubles, source.doubles, octets, 0, strings, strings.count)
            table.pauli_apply_f32(target.floats, source.floats, octets, 0, strings, strings.count)
            return (0..<target.count).map { target.doubles[$0] }
              + (0..<target.count).map { Double(target.floats[$0]) }
          }, tolerance: 1e-5, "x \(x) part \(part)")
      }
    }
  }

  @Test("cumulative distributions rise only where something can occur", arguments: [6, 7, 12])
  func cumulate(bits: Int) {
    let state = Amplitudes(bits: max(bits, 7), seed: 8)
    for index in 0..<1 << bits where index % 3 == 0 || index > (1 << bits) - 5 {
      state.doubles[index / 8 * 16 + index % 8] = 0
      state.doubles[index / 8 * 16 + 8 + index % 8] = 0
    }
    let octets = 1 << (bits - 3)
    let end = 0.25 + Self.reference.norm_f64(state.doubles, octets)
    for last in [end, end * 0.9] {
      check(
        { table in
          [Double](unsafeUninitializedCapacity: 1 << bits) { values, initialized in
            table.cumulate_f64(state.doubles, octets, 0.25, last, values.baseAddress)
            initialized = 1 << bits
          }
        }, tolerance: 1e-10, "cumulate")
      let values = [Double](unsafeUninitializedCapacity: 1 << bits) { values, initialized in
        qr_best_table().pointee.cumulate_f64(state.doubles, octets, 0.25, last, values.baseAddress)
        initialized = 1 << bits
      }
      #expect(values[(1 << bits) - 5] == last && values[(1 << bits) - 1] == last)
      for index in 1..<1 << bits {
        #expect(values[index] >= values[index - 1])
        if index % 3 == 0 && index <= (1 << bits) - 5 && (1 << bits) - 5 != index {
          #expect(values[index] == values[index - 1])
        }
      }
    }
  }

  @Test("Walsh-Hadamard transforms of every size", arguments: 3...12)
  func transform(bits: Int) {
    let numbers = (0..<1 << bits).map { Double($0 * 7 % 31) - 15 }
    check(
      { table in
        let values = UnsafeMutableRawPointer.allocate(byteCount: 8 << bits, alignment: 64)
          .bindMemory(to: Double.self, capacity: 1 << bits)
        defer { values.deallocate() }
        values.update(from: numbers, count: numbers.count)
        table.transform(values, UInt32(bits))
        return (0..<1 << bits).map { values[$0] }
      }, tolerance: 0, "transform")
  }

  @Test("uniforms are the same everywhere, across the border of 32 bits")
  func uniforms() {
    for count in [1, 7, 8, 1000] {
      check(
        { table in
          [Double](unsafeUninitializedCapacity: count) { values, initialized in
            table.uniforms(
              0xDEAD_BEEF, 17, 0x0005_0100, 9, (1 << 32) - 5, count, values.baseAddress)
            initialized = count
          }
        }, tolerance: 0, "uniforms")
    }
  }

  @Test("an index into a distribution finds what bisection finds")
  func guides() {
    var ends: [Double] = []
    var running = 0.0
    for index in 0..<256 {
      // Steps of very different size, some none.
      running += index % 3 == 0 ? 0 : index % 50 == 1 ? 1 : 1e-5
      ends.append(running)
    }
    let uniforms = (0..<10_000).map { (Double($0) + 0.5) / 10_000 }
    for cellCount in [1, 16, 256, 4096] {
      var cells = [UInt32](repeating: 0, count: cellCount)
      ends.withUnsafeBufferPointer { ends in
        var guide = qr_guide(
          ends: ends.baseAddress, cells: nil, start: 0, scale: Double(cellCount) / running,
          cell_count: UInt32(cellCount))
        qr_guide_fill(&guide, ends.count, &cells)
        cells.withUnsafeBufferPointer { cells in
          guide.cells = cells.baseAddress
          var found = [UInt32](repeating: 0, count: uniforms.count)
          var expected = found
          qr_guide_find(&guide, running, uniforms, uniforms.count, &found)
          qr_bisect(ends.baseAddress, ends.count, running, uniforms, uniforms.count, &expected)
          #expect(found == expected)
          var counts = [UInt32](repeating: 0, count: 2 * ends.count)
          qr_guide_tally(&guide, running, uniforms, uniforms.count, &counts, ends.count)
          for entry in ends.indices {
            let total = counts[entry] + counts[ends.count + entry]
            #expect(Int(total) == expected.count { $0 == entry })
          }
        }
      }
    }
  }
}
