import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@Suite struct StagingTests {
  @Test(arguments: [false, true])
  func plansOfManyStagesGiveTheGatesProduct(startsFromZero: Bool) throws {
    for seed in UInt64(3000)..<3150 {
      var sampler = CircuitSampler(seed: seed)
      sampler.controlPercent = 20
      let qubits = 5 + sampler.int(5)
      let (gates, inputCount) = sampler.gates(20 + sampler.int(80), qubits: qubits)
      let inputs = sampler.angles(inputCount)
      let list = try boundList(gates, inputs)
      let initial = startsFromZero ? zeroState(qubits: qubits) : sampler.state(qubits: qubits)
      let plan = try Planner.plan(
        list, qubitCount: qubits, precision: .double, startsFromZero: startsFromZero,
        chunk: ChunkSize(whole: 4, largest: 5))
      for stage in plan.stages { #expect(stage.localMask.nonzeroBitCount <= 5) }
      let result = PlanInterpreter.run(plan, try PlanBinding(plan, list).numbers, on: initial)
      let error = distance(result, try directly(gates, inputs, on: initial))
      #expect(error <= 1e-12, "seed \(seed), \(qubits) qubits: \(error)")
    }
  }

  @Test func outcomesOfObservedQubitsAreKept() throws {
    for seed in UInt64(4000)..<4150 {
      var sampler = CircuitSampler(seed: seed)
      let qubits = 2 + sampler.int(6)
      let (gates, inputCount) = sampler.gates(20 + sampler.int(40), qubits: qubits)
      let inputs = sampler.angles(inputCount)
      let list = try boundList(gates, inputs)
      let observed = UInt64(sampler.int(1 << qubits))
      let plan = try Planner.plan(
        list, qubitCount: qubits, precision: .double, observed: observed,
        chunk: ChunkSize(whole: 4, largest: 5))
      let initial = zeroState(qubits: qubits)
      let result = PlanInterpreter.run(plan, try PlanBinding(plan, list).numbers, on: initial)
      let expected = try directly(gates, inputs, on: initial)
      var difference = [Double](repeating: 0, count: 1 << qubits)
      for index in result.indices {
        difference[index & Int(observed)] +=
          result[index].squaredMagnitude - expected[index].squaredMagnitude
      }
      let largest = difference.map { abs($0) }.max() ?? 0
      #expect(largest <= 1e-12, "seed \(seed), \(qubits) qubits, mask \(observed): \(largest)")
    }
  }

  @Test func nothingIsPlannedWhenNothingIsObserved() throws {
    var sampler = CircuitSampler(seed: 9)
    let (gates, inputCount) = sampler.gates(50, qubits: 5)
    let list = try boundList(gates, sampler.angles(inputCount))
    let plan = try Planner.plan(list, qubitCount: 5, precision: .double, observed: 0)
    #expect(plan.operations.isEmpty)
  }

  @Test func planningIsDeterministic() throws {
    var sampler = CircuitSampler(seed: 10)
    let (gates, inputCount) = sampler.gates(400, qubits: 20)
    let list = try boundList(gates, sampler.angles(inputCount))
    let first = try Planner.plan(list, qubitCount: 20, precision: .single)
    for _ in 0..<3 {
      let again = try Planner.plan(list, qubitCount: 20, precision: .single)
      #expect(again.operations == first.operations)
      #expect(again.stages == first.stages)
      #expect(again.recipe == first.recipe)
    }
  }
}
