import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

@Suite struct PauliSumTests {
  @Test(
    "random observables agree with the plain state, the same for any threads",
    arguments: Precision.allCases, [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 16, 17])
  func randomTerms(precision: Precision, qubits: Int) throws {
    let context = KernelContext.test()
    var generator = TestGenerator(UInt64(qubits) * 7)
    let fixture = try StateFixture(qubits: qubits, precision, seed: 21, context)
    for terms in [1, 2, 30] {
      let observable = PauliSum.random(qubits: qubits, terms: terms, &generator)
      let prepared = PreparedPauliSum(observable, positions: fixture.blocked.positions)
      let value = try fixture.blocked.expectation(prepared, context)
      let expected = try fixture.plain.expectation(observable, context)
      #expect(abs(value - expected) < 1e-13 * Double(terms))
      #expect(try fixture.blocked.expectation(prepared, .test(threads: 4)) == value)
    }
  }

  @Test(
    "few masks with many terms each, so that every way of summing is used",
    arguments: [1, 4, 9, 13, 15], [3, 10, 11, 300])
  func manyTermsOfOneMask(qubits: Int, terms: Int) throws {
    let context = KernelContext.test()
    var generator = TestGenerator(UInt64(qubits * 1000 + terms))
    let fixture = try StateFixture(qubits: qubits, .double, seed: 22, context)
    var observable = PauliSum.random(qubits: qubits, terms: terms, &generator)
    let masks: [UInt64] = [0, 1, UInt64(1) << UInt64(qubits - 1), (1 << UInt64(qubits)) - 1]
    for mask in masks {
      for index in observable.terms.indices { observable.terms[index].x = mask }
      let prepared = PreparedPauliSum(observable, positions: fixture.blocked.positions)
      let value = try fixture.blocked.expectation(prepared, context)
      let expected = try fixture.plain.expectation(observable, context)
      #expect(abs(value - expected) < 1e-13 * Double(terms), "x mask \(mask)")
    }
  }

  @Test("an observable follows the qubits' positions")
  func permutedPositions() throws {
    let context = KernelContext.test()
    var generator = TestGenerator(8)
    let fixture = try StateFixture(qubits: 13, .double, seed: 23, context)
    let observable = PauliSum.random(qubits: 13, terms: 40, &generator)
    let positions = (0..<13).map { UInt8($0) }.shuffled(using: &generator)
    // Qubit q of the plain state is at position q; rename it so that it carries another number.
    var renamed = observable
    for index in renamed.terms.indices {
      var (x, z) = (UInt64(0), UInt64(0))
      for (qubit, position) in positions.enumerated() {
        x |= (observable.terms[index].x >> UInt64(qubit) & 1) << UInt64(position)
        z |= (observable.terms[index].z >> UInt64(qubit) & 1) << UInt64(position)
      }
      (renamed.terms[index].x, renamed.terms[index].z) = (x, z)
    }
    fixture.blocked.positions = positions
    let prepared = PreparedPauliSum(observable, positions: positions)
    let value = try fixture.blocked.expectation(prepared, context)
    #expect(abs(value - (try fixture.plain.expectation(renamed, context))) < 1e-12)
  }

  @Test("more groups than one pass takes")
  func manyGroups() throws {
    let context = KernelContext.test()
    var generator = TestGenerator(9)
    let fixture = try StateFixture(qubits: 13, .double, seed: 24, context)
    let observable = PauliSum.random(qubits: 13, terms: 5000, &generator)
    let prepared = PreparedPauliSum(observable, positions: fixture.blocked.positions)
    let value = try fixture.blocked.expectation(prepared, context)
    #expect(abs(value - (try fixture.plain.expectation(observable, context))) < 1e-10)
  }

  @Test("an observable without terms is 0")
  func noTerms() throws {
    let context = KernelContext.test()
    let state = try BlockedState(qubitCount: 3, precision: .double)
    let prepared = PreparedPauliSum(
      PauliSum(qubitCount: 3, terms: []), positions: state.positions)
    #expect(try state.expectation(prepared, context) == 0)
  }

  @Test("a cost function by table agrees with its terms", arguments: [2, 8, 13, 15])
  func diagonalTable(qubits: Int) throws {
    let context = KernelContext.test(threads: 2)
    var generator = TestGenerator(UInt64(qubits))
    let state = try StateFixture(qubits: qubits, .double, seed: 25, context).blocked
    var observable = PauliSum.random(qubits: qubits, terms: 50, &generator)
    for index in observable.terms.indices { observable.terms[index].x = 0 }
    let table = try DiagonalTable(
      observable, positions: state.positions, bitCount: state.bitCount, context)
    let prepared = PreparedPauliSum(observable, positions: state.positions)
    let value = try table.value(state, context)
    #expect(abs(value - (try state.expectation(prepared, context))) < 1e-12)
    #expect(try table.value(state, .test()) == value)
    let basis = 1 << (qubits - 1) | 1
    let expected = observable.terms.reduce(0.0) { sum, term in
      (UInt64(basis) & term.z).nonzeroBitCount % 2 == 0
        ? sum + term.coefficient : sum - term.coefficient
    }
    #expect(abs(table[basis] - expected) < 1e-12)
  }

  @Test("a cost function with an X is refused")
  func diagonalTableRefusesX() throws {
    #expect(throws: QubusError.self) {
      try DiagonalTable(
        PauliSum(qubitCount: 2, terms: [PauliTerm(x: 1, z: 0, coefficient: 1)]),
        positions: [0, 1], bitCount: 6, .test())
    }
  }
}
