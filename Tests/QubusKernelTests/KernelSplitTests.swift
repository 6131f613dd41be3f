import CQubusKernels
import Testing

/// Rounding depends neither on how operations are dealt out over calls nor on the size of chunks.
@Suite struct KernelSplitTests {
  private func program(_ random: inout KernelRandom, bits: Int, count: Int) -> KernelProgram {
    var program = KernelProgram()
    for _ in 0..<count { random.appendUnitary(bits: bits, to: &program) }
    return program
  }

  @Test("a list of operations cut anywhere gives the same bits", arguments: [7, 9, 12, 15])
  func listsOfOperations(bits: Int) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = KernelRandom(seed: seed)
    for isa in qk_isa.fast {
      for single in [false, true] {
        let program = program(&random, bits: bits, count: 60)
        let values = random.reals(2 << bits)
        let whole = KernelChunk(bits: bits, single: single, values: values)
        whole.apply(isa.table(), program.ops, program.numbers)
        let parts = KernelChunk(bits: bits, single: single, values: values)
        var start = 0
        while start < program.ops.count {
          let end = min(program.ops.count, start + 1 + random.below(7))
          parts.apply(isa.table(), Array(program.ops[start..<end]), program.numbers)
          start = end
        }
        #expect(whole.values == parts.values, "seed \(seed) \(isa) single \(single)")
      }
    }
  }

  @Test("signs give the same bits beside rotations as by themselves", arguments: [7, 11, 15, 18])
  func signsBetweenRotations(bits: Int) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = KernelRandom(seed: seed)
    var program = KernelProgram()
    for _ in 0..<40 {
      if random.below(2) == 0 {
        let mask = random.controls(beside: [], bits: bits)
        let value = UInt32(truncatingIfNeeded: random.bits())
        program.append(qk_op(QK_NEGATE, targets: [], controls: mask, value: value), [])
      } else {
        var op = qk_op(random.below(2) == 0 ? QK_REAL : QK_CROSS, targets: [random.below(bits)])
        op.form = UInt8(QK_FORM_UNIT_DIAGONAL.rawValue)
        program.append(op, [1, random.real() / 4, random.real() / 4, 1])
      }
    }
    let values = random.reals(2 << bits)
    for isa in qk_isa.fast {
      for single in [false, true] {
        let together = KernelChunk(bits: bits, single: single, values: values)
        together.apply(isa.table(), program.ops, program.numbers)
        let apart = KernelChunk(bits: bits, single: single, values: values)
        for op in program.ops { apart.apply(isa.table(), [op], program.numbers) }
        #expect(together.values == apart.values, "seed \(seed) \(isa) single \(single)")
        let expected = KernelChunk(bits: bits, single: single, values: values)
        expected.apply(QK_REFERENCE.table(), program.ops, program.numbers)
        #expect(relativeError(together.values, expected.values) <= (single ? 1e-5 : 1e-14))
      }
    }
  }

  /// The operation as it acts on the half of the chunk whose top bit is `top`; nil where it does
  /// nothing there. A factor of the top bit goes into the scale.
  private func resolved(
    _ op: qk_op, top: Bool, bit: Int, numbers: inout [Double], isa: qk_isa, single: Bool
  ) -> qk_op? {
    var op = op
    let mask = UInt32(1) << UInt32(bit)
    if op.control_mask & mask != 0 {
      if (op.control_value & mask != 0) != top { return nil }
      op.control_mask &= ~mask
      op.control_value &= ~mask
    }
    if op.factor_mask & mask != 0 {
      let start = Int(op.offset)
      let factor = start + 2 * op.factor_mask.nonzeroBitCount
      op.factor_mask &= ~mask
      op.offset = UInt32(numbers.count)
      var copy = Array(numbers[start..<factor])
      if top {
        let (re, im, fre, fim) = (copy[0], copy[1], numbers[factor], numbers[factor + 1])
        (copy[0], copy[1]) = product(re, im, fre, fim, isa: isa, single: single)
      }
      numbers += copy
    }
    return op
  }

  /// As the kernels multiply: fused unless baseline.
  private func product(
    _ re: Double, _ im: Double, _ fre: Double, _ fim: Double, isa: qk_isa, single: Bool
  ) -> (Double, Double) {
    if isa == QK_BASELINE {
      if !single { return (fre * re - fim * im, fre * im + fim * re) }
      let (a, b, c, d) = (Float(re), Float(im), Float(fre), Float(fim))
      return (Double(c * a - d * b), Double(c * b + d * a))
    }
    if single {
      let (a, b, c, d) = (Float(re), Float(im), Float(fre), Float(fim))
      return (Double((c * a).addingProduct(-d, b)), Double((c * b).addingProduct(d, a)))
    }
    return ((fre * re).addingProduct(-fim, im), (fre * im).addingProduct(fim, re))
  }

  @Test("two halves of a chunk give the bits of the whole")
  func halvesOfAChunk() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = KernelRandom(seed: seed)
    let bits = 13
    for isa in qk_isa.fast {
      for single in [false, true] {
        var program = KernelProgram()
        while program.ops.count < 40 {
          let count = program.ops.count
          random.appendUnitary(bits: bits, to: &program)
          // Only what leaves the top bit to the caller: no target on it.
          if program.ops[count...].contains(where: { $0.targetList.contains(bits - 1) }) {
            program.ops.removeSubrange(count...)
          }
        }
        let values = random.reals(2 << bits)
        let whole = KernelChunk(bits: bits, single: single, values: values)
        whole.apply(isa.table(), program.ops, program.numbers)
        let halves = KernelChunk(bits: bits, single: single, values: values)
        for half in 0..<2 {
          var numbers = program.numbers
          let ops = program.ops.compactMap {
            resolved($0, top: half == 1, bit: bits - 1, numbers: &numbers, isa: isa, single: single)
          }
          halves.apply(isa.table(), ops, numbers, part: half, split: 1)
        }
        #expect(whole.values == halves.values, "seed \(seed) \(isa) single \(single)")
      }
    }
  }
}
