import QubusCircuit
import QubusCompiler
import Testing

@Suite struct BasisChoiceTests {
  /// Indices of a block's entries that are zero.
  private func zeros(_ numbers: PlanNumbers, _ operation: PlanOperation) -> [Int] {
    (0..<16).filter {
      numbers.coefficients[operation.offset + 2 * $0] == 0
        && numbers.coefficients[operation.offset + 2 * $0 + 1] == 0
    }
  }

  @Test(arguments: [Precision.double, .single])
  func blocksBetweenBlocksHaveKnownZerosAndTheCircuitsResult(precision: Precision) throws {
    for seed in UInt64(1)..<6 {
      let gates = CircuitFamilies.volume(12, seed: seed)
      let list = try boundList(gates)
      let plan = try Planner.plan(
        list, qubitCount: 12, precision: precision, startsFromZero: false)
      let numbers = try PlanBinding(plan, list).numbers
      let blocks = plan.operations.filter { $0.kind == .dense && $0.targets.count == 2 }
      let sparse = blocks.filter { operation in
        let low = operation.targets[0] < operation.targets[1] ? 1 : 2
        return zeros(numbers, operation) == [low, 4 * low]
          && (0..<3).allSatisfy { numbers.coefficients[operation.offset + 10 * $0 + 1] == 0 }
      }
      // All but the last layer and those within a vector's lanes.
      #expect(2 * sparse.count > blocks.count, "seed \(seed): \(sparse.count) of \(blocks.count)")
      var sampler = CircuitSampler(seed: seed)
      let initial = sampler.state(qubits: 12)
      let result = PlanInterpreter.run(plan, numbers, on: initial)
      #expect(distance(result, try directly(gates, [], on: initial)) <= 1e-12, "seed \(seed)")
    }
  }

  @Test func blocksOfMatricesWithZerosKeepTheirProduct() throws {
    // CZ, √iSWAP-like and product blocks: vectors of A and B that vanish or are parallel.
    for seed in UInt64(1)..<8 {
      var sampler = CircuitSampler(seed: seed)
      var gates: [GateApplication] = []
      for _ in 0..<300 {
        let first = sampler.int(12)
        let second = (first + 1 + sampler.int(11)) % 12
        gates.append(GateApplication(.h, targets: [first]))
        gates.append(CircuitFamilies.cx(first, second))
        if sampler.int(2) == 0 {
          gates.append(GateApplication(.ry, [.radians(sampler.unit())], targets: [second]))
          gates.append(GateApplication(.rz, [.radians(sampler.unit())], targets: [second]))
        }
        gates.append(CircuitFamilies.cx(second, first))
        gates.append(GateApplication(.rx, [.radians(sampler.unit())], targets: [first]))
      }
      let list = try boundList(gates)
      let plan = try Planner.plan(
        list, qubitCount: 12, precision: .double, startsFromZero: false)
      let initial = sampler.state(qubits: 12)
      let result = PlanInterpreter.run(plan, try PlanBinding(plan, list).numbers, on: initial)
      #expect(distance(result, try directly(gates, [], on: initial)) <= 1e-12, "seed \(seed)")
    }
  }

  @Test func blocksWithParametersKeepTheirNumbersThroughUpdates() throws {
    var gates = CircuitFamilies.volume(12)
    for place in stride(from: 0, to: gates.count, by: 17) {
      gates.insert(GateApplication(.rx, [.input(0)], targets: [place % 12]), at: place)
    }
    let first = try boundList(gates, [0.3])
    let plan = try Planner.plan(first, qubitCount: 12, precision: .double)
    var binding = try PlanBinding(plan, first)
    let second = try boundList(gates, [1.7])
    try binding.update(second)
    let whole = try PlanBinding(plan, second).numbers
    #expect(
      binding.numbers.coefficients.map(\.bitPattern) == whole.coefficients.map(\.bitPattern))
    let result = PlanInterpreter.run(plan, whole, on: zeroState(qubits: 12))
    #expect(distance(result, try directly(gates, [1.7], on: zeroState(qubits: 12))) <= 1e-12)
  }
}
