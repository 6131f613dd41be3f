import CQubusKernels
import Foundation
import Testing

/// Every instruction set against the reference.
@Suite struct KernelContractTests {
  static let tolerance = (double: 5e-15, single: 3e-6)

  private func seed() -> UInt64 {
    let seed =
      ProcessInfo.processInfo.environment["QUBUS_SEED"].flatMap { UInt64($0) }
      ?? .random(in: 0...UInt64.max)
    print("seed \(seed): set QUBUS_SEED to repeat")
    return seed
  }

  private func compare(
    _ isa: qk_isa, bits: Int, single: Bool, _ program: KernelProgram, values: [Double]
  ) {
    let chunk = KernelChunk(bits: bits, single: single, values: values)
    let expected = KernelChunk(bits: bits, single: single, values: values)
    chunk.apply(isa.table(), program.ops, program.numbers)
    expected.apply(QK_REFERENCE.table(), program.ops, program.numbers)
    let error = relativeError(chunk.values, expected.values)
    let limit = single ? Self.tolerance.single : Self.tolerance.double
    #expect(error <= limit, "\(isa) bits \(bits) single \(single) \(program.ops)")
  }

  @Test("each operation at random positions under random controls", arguments: KernelShape.all)
  func eachOperation(shape: KernelShape) {
    var random = KernelRandom(seed: seed())
    for isa in qk_isa.fast {
      for trial in 0..<160 {
        let single = trial % 2 == 1
        let bits = KernelChunk.minimumBits(single: single) + trial / 2 % 5
        var program = KernelProgram()
        let targets = random.targets(shape.parts.targets, bits: bits)
        random.append(
          shape.parts.kind, form: shape.parts.form, targets: targets, bits: bits, to: &program)
        compare(isa, bits: bits, single: single, program, values: random.reals(2 << bits))
      }
    }
  }

  @Test(
    "one and two targets at every position",
    arguments: KernelShape.all.filter { (1...2).contains($0.parts.targets) })
  func everyPosition(shape: KernelShape) {
    var random = KernelRandom(seed: seed())
    for isa in qk_isa.fast {
      for single in [false, true] {
        let bits = KernelChunk.minimumBits(single: single) + 1
        let values = random.reals(2 << bits)
        for first in 0..<bits {
          for second in 0..<(shape.parts.targets == 1 ? 1 : bits)
          where shape.parts.targets == 1 || second != first {
            var program = KernelProgram()
            let targets = shape.parts.targets == 1 ? [first] : [first, second]
            random.append(
              shape.parts.kind, form: shape.parts.form, targets: targets, bits: bits, to: &program)
            compare(isa, bits: bits, single: single, program, values: values)
          }
        }
      }
    }
  }

  @Test("matrices on two targets with known entries, at every position")
  func knownEntries() {
    var random = KernelRandom(seed: seed())
    for isa in qk_isa.fast {
      for single in [false, true] {
        let bits = KernelChunk.minimumBits(single: single) + 2
        let values = random.reals(2 << bits)
        for first in 0..<bits {
          for second in 0..<bits where second != first {
            let others = (0..<bits).filter { $0 != first && $0 != second }
            // Each bit of the matrix's index, and entries that nearly have the form.
            for (bit, spoiled) in [(1, -1), (2, -1), (1, 2), (2, 11), (1, 20)] {
              var numbers = random.reals(32)
              for index in [bit, 4 * bit] { numbers[2 * index] = 0 }
              for index in [bit, 4 * bit, 0, 5, 10] { numbers[2 * index + 1] = 0 }
              if spoiled >= 0 { numbers[spoiled] = 0.5 }
              var op = qk_op(QK_DENSE, targets: [first, second])
              if random.below(2) == 0 {
                op.control_mask = UInt32(1) << UInt32(others[random.below(others.count)])
                op.control_value = random.below(2) == 0 ? op.control_mask : 0
              }
              var program = KernelProgram()
              program.append(op, numbers)
              compare(isa, bits: bits, single: single, program, values: values)
            }
          }
        }
      }
    }
  }

  @Test("chunks of many pieces and pages", arguments: [13, 16, 17])
  func largeChunks(bits: Int) {
    var random = KernelRandom(seed: seed())
    for isa in qk_isa.fast {
      for single in [false, true] {
        let values = random.reals(2 << bits)
        // Independent matrices amplify the rounding of the first, so few at a time.
        for _ in 0..<3 {
          var program = KernelProgram()
          for _ in 0..<4 { random.appendAny(bits: bits, to: &program) }
          compare(isa, bits: bits, single: single, program, values: values)
        }
      }
    }
  }

  @Test("1,000 unitary operations stay close to the reference")
  func longSequences() {
    var random = KernelRandom(seed: seed())
    for isa in qk_isa.fast {
      for single in [false, true] {
        let bits = 9
        var program = KernelProgram()
        while program.ops.count < 1000 { random.appendUnitary(bits: bits, to: &program) }
        let values = random.reals(2 << bits)
        let chunk = KernelChunk(bits: bits, single: single, values: values)
        let expected = KernelChunk(bits: bits, single: false, values: values)
        chunk.apply(isa.table(), program.ops, program.numbers)
        expected.apply(QK_REFERENCE.table(), program.ops, program.numbers)
        let error = relativeError(chunk.values, expected.values)
        #expect(error <= (single ? 2e-5 : 1e-12), "\(isa) single \(single)")
      }
    }
  }

  @Test("NaN and infinity go through without hanging")
  func notANumber() {
    for isa in qk_isa.fast {
      for single in [false, true] {
        let bits = KernelChunk.minimumBits(single: single)
        var values = [Double](repeating: 0, count: 2 << bits)
        values[0] = .nan
        values[6] = .infinity
        let chunk = KernelChunk(bits: bits, single: single, values: values)
        var program = KernelProgram()
        for target in 0..<bits {
          program.append(qk_op(QK_REAL, targets: [target]), [0.5, 0.5, 0.5, -0.5])
        }
        chunk.apply(isa.table(), program.ops, program.numbers)
        for index in 0..<(1 << bits) { #expect(chunk[2 * index].isNaN) }
      }
    }
  }
}
