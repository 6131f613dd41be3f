import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

@Suite struct SampledStepTests {
  private func bench(
    _ qubits: Int = 4, terms: Int = 20, outputs: StepOutputs = .values, threads: Int = 1,
    seed: UInt64 = 7, observables: Int = 2
  ) throws -> StepBench {
    let program = try CompiledProgram(ansatz: qubits, layers: 1)
    var generator = TestGenerator(41)
    let sums = (0..<observables).map { _ in
      PauliSum.random(qubits: qubits, terms: terms, &generator)
    }
    return try StepBench(program, sums, outputs: outputs, seed: seed, threads: threads)
  }

  private func numbers(_ bench: StepBench) -> [Double] {
    StepBench.numbers(bench.evaluator.parameterCount, seed: 6)
  }

  @Test("strings of a group commute qubit by qubit, and every string is in one group")
  func groups() {
    var generator = TestGenerator(43)
    let sums = (0..<3).map { _ in PauliSum.random(qubits: 6, terms: 40, &generator) }
    let groups = MeasurementGroups(sums)
    for (index, sum) in sums.enumerated() {
      var found = 0
      for group in groups.groups {
        #expect(group.x & group.y == 0 && group.y & group.z == 0 && group.x & group.z == 0)
        for term in group.terms[index] {
          #expect(term.mask & ~(group.x | group.y | group.z) == 0)
          // The group's letters on the term's qubits make one of the observable's strings.
          let x = term.mask & (group.x | group.y)
          let z = term.mask & (group.z | group.y)
          #expect(
            sum.terms.contains { $0.x == x && $0.z == z && $0.coefficient == term.coefficient })
          found += 1
        }
      }
      #expect(found == sum.terms.count { $0.x | $0.z != 0 })
    }
    #expect(groups.groups.count < 120)
  }

  @Test("shots are shared by weight, all of them, and none goes without", arguments: [9, 20, 1001])
  func shares(shots: UInt64) {
    let sum = PauliSum(
      qubitCount: 2,
      terms: [
        PauliTerm(x: 1, z: 0, coefficient: 3), PauliTerm(x: 0, z: 1, coefficient: 1),
        PauliTerm(x: 1, z: 1, coefficient: 0.001), PauliTerm(x: 0, z: 0, coefficient: 7),
      ])
    let groups = MeasurementGroups([sum])
    #expect(groups.groups.count == 3 && groups.constants == [7])
    let shares = groups.shares(of: shots, first: true)
    #expect(shares.reduce(0, +) == shots && shares.allSatisfy { $0 >= 2 })
    #expect(shares[0] >= shares[1] && shares[1] >= shares[2])
  }

  @Test("estimates lie within five standard errors, and the errors are right")
  func unbiased() throws {
    let bench = try bench()
    let numbers = numbers(bench)
    let exact = try bench.run(StepOrder(sequence: 1), numbers).values
    var (squares, variances) = ([0.0, 0.0], [0.0, 0.0])
    let steps = 200
    for step in 1...steps {
      let answer = try bench.run(StepOrder(sequence: UInt64(step), shots: 2000), numbers)
      #expect(answer.shotsUsed == 2000)
      for index in 0..<2 {
        let distance = answer.values[index] - exact[index]
        // Beyond 5.5 standard errors once in 2.6e7 normal draws; 400 are made.
        #expect(abs(distance) <= 5.5 * answer.standardErrors[index])
        squares[index] += distance * distance
        variances[index] += answer.standardErrors[index] * answer.standardErrors[index]
      }
    }
    for index in 0..<2 {
      // A mean of 200 squares of normal numbers has the deviation 0.1; five of them.
      #expect(abs(squares[index] / variances[index] - 1) < 0.5)
    }
  }

  @Test("equal shots claim no certainty, and constants take no shots")
  func eigenstate() throws {
    let program = try CompiledProgram(
      source: "OPENQASM 3.0;\ninclude \"stdgates.inc\";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];")
    let strings = [("XX", 1.0), ("ZZ", 2.0), ("YY", 4.0), ("II", 0.5)]
    let sums = [
      try PauliSum(strings, qubitCount: 2, field: "o"),
      try PauliSum([("II", 3)], qubitCount: 2, field: "o"),
    ]
    let bench = try StepBench(program, sums)
    let answer = try bench.run(StepOrder(sequence: 1, shots: 100), [])
    #expect(abs(answer.values[0] - (1 + 2 - 4 + 0.5)) < 1e-12 && answer.values[1] == 3)
    // One more shot at the bound of a group: of n shots, an error of bound / n.
    #expect(answer.standardErrors[0] > 0.01 && answer.standardErrors[0] < 0.5)
    #expect(answer.standardErrors[1] == 0 && answer.shotsUsed == 100)
    let sharp = try bench.run(
      StepOrder(sequence: 2, shots: 1 << 20, targetError: 1e-3), [])
    #expect(sharp.standardErrors[0] <= 1e-3 && sharp.shotsUsed > 5000)
    let constant = try StepBench(program, [sums[1]])
      .run(StepOrder(sequence: 1, shots: 100), [])
    #expect(constant.values[0] == 3 && constant.shotsUsed == 0)
  }

  @Test("with a target error, shots are added until it is reached or they are used up")
  func adaptive() throws {
    let bench = try bench()
    let numbers = numbers(bench)
    let exact = try bench.run(StepOrder(sequence: 1), numbers).values
    let loose = try bench.run(
      StepOrder(sequence: 1, shots: 1 << 22, targetError: 0.1), numbers)
    #expect(loose.standardErrors.allSatisfy { $0 <= 0.1 } && loose.shotsUsed < 1 << 22)
    let strict = try bench.run(
      StepOrder(sequence: 1, shots: 1 << 22, targetError: 0.01), numbers)
    #expect(strict.standardErrors.allSatisfy { $0 <= 0.01 })
    #expect(strict.shotsUsed > loose.shotsUsed && strict.shotsUsed < 1 << 22)
    for index in 0..<2 {
      #expect(abs(strict.values[index] - exact[index]) < 5.5 * strict.standardErrors[index])
    }
    let short = try bench.run(
      StepOrder(sequence: 1, shots: 3000, targetError: 1e-9), numbers)
    #expect(short.shotsUsed == 3000)
  }

  @Test("bits depend on seed, sequence and row, never on threads or the order of steps")
  func determinism() throws {
    let outputs: StepOutputs = [.values, .gradients]
    let order = StepOrder(sequence: 5, rows: 3, outputs: outputs, shots: 20_000)
    let first = try bench(outputs: outputs)
    let numbers = StepBench.numbers(3 * first.evaluator.parameterCount, seed: 6)
    let answer = try first.run(order, numbers)
    _ = try first.run(
      StepOrder(sequence: 6, outputs: outputs, shots: 20_000), Array(numbers.prefix(8)))
    #expect(try first.run(order, numbers) == answer)
    for threads in [2, 4] {
      let team = try bench(outputs: outputs, threads: threads)
      #expect(try team.run(order, numbers) == answer)
    }
    var later = order
    later.sequence = 6
    #expect(try first.run(later, numbers) != answer)
    let other = try bench(outputs: outputs, seed: 8)
    #expect(try other.run(order, numbers) != answer)
    // Equal rows draw different numbers.
    let equal = try first.run(
      StepOrder(sequence: 5, rows: 2, shots: 1000),
      Array(numbers.prefix(8)) + Array(numbers.prefix(8)))
    #expect(equal.values[0] != equal.values[2])
  }

  @Test("steps may share their random numbers")
  func commonNumbers() throws {
    let bench = try bench()
    let numbers = numbers(bench)
    func values(_ sequence: UInt64, shared: Bool) throws -> [Double] {
      try bench.run(
        StepOrder(sequence: sequence, shots: 500, sharesRandomNumbers: shared), numbers
      ).values
    }
    #expect(try values(1, shared: true) == values(2, shared: true))
    #expect(try values(1, shared: false) != values(2, shared: false))
  }

  @Test("gradients from shots are near the exact ones")
  func gradients() throws {
    let outputs: StepOutputs = [.values, .gradients]
    let bench = try bench(3, terms: 6, outputs: outputs)
    let numbers = numbers(bench)
    let exact = try bench.run(StepOrder(sequence: 1, outputs: outputs), numbers)
    let expected = exact.gradients
    let shots: UInt64 = 2_600_000
    let answer = try bench.run(
      StepOrder(sequence: 1, outputs: outputs, shots: shots), numbers)
    #expect(answer.shotsUsed <= shots && answer.shotsUsed > shots / 2)
    // 13 circuits of 200,000 shots: two of half weight for each derivative.
    let error = answer.standardErrors.max() ?? 0
    for (found, known) in zip(answer.gradients, expected) {
      #expect(abs(found - known) < 8 * max(error, 1e-3))
    }
  }

  @Test("too few shots for the groups are refused with the least number")
  func tooFewShots() throws {
    let bench = try bench()
    let error = #expect(throws: QubusError.self) {
      try bench.run(StepOrder(sequence: 1, shots: 1), numbers(bench))
    }
    #expect(error?.code == .invalidShots)
    #expect(error?.violations.first?.limit.hasPrefix("at least") == true)
  }

  @Test("counts are those of a job with the row's seed")
  func counts() throws {
    let program = try CompiledProgram(
      source: "OPENQASM 3.0;\ninclude \"stdgates.inc\";\ninput float[64] a;\nqubit[2] q;\n"
        + "bit[2] c;\nry(a) q[0];\ncx q[0], q[1];\nc = measure q;")
    let bench = try StepBench(program, outputs: .counts, seed: 99)
    let answer = try bench.run(
      StepOrder(sequence: 4, rows: 2, outputs: .counts, shots: 5000), [0.7, 0.7])
    for row in 0..<2 {
      let seed = Philox(seed: 99, sequence: 4, row: UInt32(row)).seed
      let bound = try BoundProgram(
        program, inputs: [.float(0.7)], cancellation: CancellationFlag())
      let expected = try RowSimulation(
        bound, seed: seed, workspace: RowWorkspace(.double), context: KernelContext.test()
      ).shots(first: 0, count: 5000, memory: false, pub: 0, row: 0).counts
      #expect(answer.counts[row] == expected && expected.total == 5000)
    }
    #expect(answer.counts[0] != answer.counts[1])
  }
}
