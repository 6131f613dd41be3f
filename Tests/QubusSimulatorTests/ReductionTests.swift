import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

@Suite struct ReductionTests {
  @Test(
    "norm and one-qubit probabilities agree with the plain state, the same for any threads",
    arguments: Precision.allCases, [1, 3, 6, 7, 11, 12, 13, 15])
  func norms(precision: Precision, qubits: Int) throws {
    let context = KernelContext.test()
    let fixture = try StateFixture(qubits: qubits, precision, seed: UInt64(qubits), context)
    let norm = try fixture.blocked.normSquared(context)
    #expect(abs(norm - (try fixture.plain.normSquared(context))) < 1e-13)
    #expect(abs(norm - 1) < 1e-6)
    for qubit in 0..<qubits {
      let (zero, one) = try fixture.blocked.probabilities(qubit: qubit, context)
      let expected = try fixture.plain.probabilities(qubit: qubit, context)
      #expect(abs(zero - expected.zero) < 1e-13 && abs(one - expected.one) < 1e-13)
      for threads in [2, 4] {
        let again = try fixture.blocked.probabilities(qubit: qubit, .test(threads: threads))
        #expect(again == (zero, one))
      }
    }
    #expect(try fixture.blocked.normSquared(.test(threads: 4)) == norm)
  }

  @Test("a complex64 state has the sums of the complex128 state with the same amplitudes")
  func precisionsAgree() throws {
    let context = KernelContext.test()
    let single = try StateFixture(qubits: 14, .single, seed: 5, context).blocked
    let double = try StateFixture(qubits: 14, .double, seed: 5, context).blocked
    #expect(try single.normSquared(context) == double.normSquared(context))
    #expect(
      try single.probabilities(qubits: [3, 13, 0], context)
        == double.probabilities(qubits: [3, 13, 0], context))
  }

  @Test(
    "collapse and reset agree with the plain state", arguments: Precision.allCases, [2, 7, 14])
  func collapses(precision: Precision, qubits: Int) throws {
    let context = KernelContext.test(threads: 2)
    for qubit in 0..<qubits {
      for outcome in [false, true] {
        for resets in [false, true] {
          let fixture = try StateFixture(qubits: qubits, precision, seed: 3, context)
          if resets {
            try fixture.blocked.collapseToZero(
              qubit: qubit, outcome: outcome, scale: 1.25, context)
            try fixture.plain.collapseToZero(qubit: qubit, outcome: outcome, scale: 1.25, context)
          } else {
            try fixture.blocked.collapse(qubit: qubit, outcome: outcome, scale: 1.25, context)
            try fixture.plain.collapse(qubit: qubit, outcome: outcome, scale: 1.25, context)
          }
          let found = fixture.blocked.interleaved()
          let expected = fixture.plain.interleaved()
          #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-7 })
        }
      }
    }
  }

  @Test(
    "marginals are sums over the other qubits, in the order asked for",
    arguments: Precision.allCases, [1, 5, 12, 16])
  func marginals(precision: Precision, qubits: Int) throws {
    let context = KernelContext.test()
    let fixture = try StateFixture(qubits: qubits, precision, seed: 11, context)
    var generator = TestGenerator(UInt64(qubits))
    var choices: [[Int]] = [[], [0], [qubits - 1], Array(0..<qubits)]
    for _ in 0..<12 {
      let order = Array(0..<qubits).shuffled(using: &generator)
      choices.append(Array(order.prefix(Int.random(in: 0...qubits, using: &generator))))
    }
    for chosen in choices {
      var expected = [Double](repeating: 0, count: 1 << chosen.count)
      for index in 0..<1 << qubits {
        var key = 0
        for (bit, qubit) in chosen.enumerated() { key |= (index >> qubit & 1) << bit }
        let amplitude = fixture.plain.amplitudes[index]
        expected[key] += amplitude.x * amplitude.x + amplitude.y * amplitude.y
      }
      let found = try fixture.blocked.probabilities(qubits: chosen, context)
      #expect(found.count == expected.count)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-13 }, "\(chosen)")
      #expect(try fixture.blocked.probabilities(qubits: chosen, .test(threads: 3)) == found)
    }
  }

  @Test("a canceled execution ends in an error")
  func cancellation() throws {
    let flag = CancellationFlag()
    let context = KernelContext(team: ComputeTeam(threadCount: 2), cancellation: flag)
    let state = try StateFixture(qubits: 18, .double, seed: 1, context).blocked
    flag.cancel()
    #expect(throws: QubusError.self) { try state.normSquared(context) }
    #expect(throws: QubusError.self) { try state.probabilities(qubits: [1, 2], context) }
  }
}
