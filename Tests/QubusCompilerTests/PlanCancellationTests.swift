import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@Suite("Canceling between a circuit and its numbers") struct PlanCancellationTests {
  /// Looks at the flag that work takes when nobody cancels it.
  private func looks(_ work: (CancellationFlag) throws -> Void) throws -> Int {
    let flag = CancellationFlag(afterLooks: 1 << 40)
    try work(flag)
    return 1 << 40 - flag.remainingLooks
  }

  /// Cancels the work at looks spread over all of it.
  private func cancel(_ work: (CancellationFlag) throws -> Void) throws {
    let count = try looks(work)
    for look in stride(from: 0, to: count, by: max(1, count / 40)) {
      let error = #expect(throws: QubusError.self, "look \(look) of \(count)") {
        try work(CancellationFlag(afterLooks: look))
      }
      #expect(error?.code == .executionCanceled)
    }
  }

  private struct Subject: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var gates: [GateApplication]
    var qubits: Int

    static let all = [
      Subject(
        testDescription: "layers", gates: CircuitFamilies.random(20, depth: 1400), qubits: 20),
      // One block takes them all.
      Subject(
        testDescription: "two qubits",
        gates: (0..<40_000).map {
          $0 % 3 == 2
            ? CircuitFamilies.cx($0 % 2, 1 - $0 % 2)
            : GateApplication(.u, [.input(0), .input(1), .input(2)], targets: [$0 % 2])
        }, qubits: 2),
      Subject(
        testDescription: "volume",
        gates: (0..<70).flatMap { CircuitFamilies.volume(20, seed: UInt64($0)) }, qubits: 20),
    ]
  }

  @Test("planning stops at any look, and looks often", arguments: Subject.all)
  private func planning(subject: Subject) throws {
    let list = try boundList(subject.gates, [0.1, 0.2, 0.3])
    for observed: UInt64? in [nil, 3] {
      let work = { (flag: CancellationFlag) in
        let plan = try Planner.plan(
          list, qubitCount: subject.qubits, precision: .single, observed: observed,
          cancellation: flag)
        _ = try plan.hash(flag)
      }
      #expect(try looks(work) >= 8 * (subject.gates.count / 4096))
      try cancel(work)
    }
  }

  @Test("binding stops at any look, and looks often", arguments: Subject.all)
  private func binding(subject: Subject) throws {
    let list = try boundList(subject.gates, [0.1, 0.2, 0.3])
    let plan = try Planner.plan(list, qubitCount: subject.qubits, precision: .double)
    let work = { (flag: CancellationFlag) in
      _ = try PlanBinding(plan, list, cancellation: flag)
    }
    #expect(try looks(work) >= subject.gates.count / 4096)
    try cancel(work)
  }

  @Test("an update that was canceled is made up for by the next one")
  func updates() throws {
    let gates = (0..<12_000).map {
      $0 % 3 == 2
        ? CircuitFamilies.cx($0 % 5, ($0 + 1) % 5)
        : GateApplication(.u, [.input(0), .input(1), .input($0 % 3)], targets: [$0 % 5])
    }
    let rows = try [[0.1, 0.2, 0.3], [1.1, 0.2, -2], [0.4, 0.5, 0.6]].map {
      try boundList(gates, $0)
    }
    let plan = try Planner.plan(rows[0], qubitCount: 5, precision: .double)
    let start = try PlanBinding(plan, rows[0])
    let count = try looks { flag in
      var binding = start
      try binding.update(rows[1], cancellation: flag)
    }
    #expect(count > 3)
    let expected = try rows.map { try PlanBinding(plan, $0).numbers }
    for look in 0..<count {
      for next in rows.indices {
        var binding = start
        #expect(throws: QubusError.self) {
          try binding.update(rows[1], cancellation: CancellationFlag(afterLooks: look))
        }
        try binding.update(rows[next])
        #expect(binding.numbers.coefficients == expected[next].coefficients)
        #expect(binding.numbers.forms == expected[next].forms)
        #expect(binding.numbers.stageScales == expected[next].stageScales)
      }
    }
  }
}
