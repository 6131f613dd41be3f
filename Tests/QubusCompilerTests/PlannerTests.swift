import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@Suite struct PlannerTests {
  @Test(arguments: [Precision.double, .single])
  func plansOfRandomCircuitsGiveTheGatesProduct(precision: Precision) throws {
    for seed in UInt64(0)..<600 {
      var sampler = CircuitSampler(seed: seed)
      let qubits = 1 + sampler.int(10)
      sampler.parametricPercent = [0, 50, 100][sampler.int(3)]
      let (gates, inputCount) = sampler.gates(1 + sampler.int(60), qubits: qubits)
      let inputs = sampler.angles(inputCount)
      let list = try boundList(gates, inputs)
      let startsFromZero = seed % 2 == 0
      let initial = startsFromZero ? zeroState(qubits: qubits) : sampler.state(qubits: qubits)
      let plan = try Planner.plan(
        list, qubitCount: qubits, precision: precision, startsFromZero: startsFromZero)
      let binding = try PlanBinding(plan, list)
      let result = PlanInterpreter.run(plan, binding.numbers, on: initial)
      let expected = try directly(gates, inputs, on: initial)
      let error = distance(result, expected)
      #expect(error <= 1e-12, "seed \(seed), \(qubits) qubits: \(error)")
    }
  }

  @Test func structureIsTheSameForAllParameters() throws {
    for seed in UInt64(1000)..<1060 {
      var sampler = CircuitSampler(seed: seed)
      let qubits = 1 + sampler.int(6)
      let (gates, inputCount) = sampler.gates(30, qubits: qubits)
      let special = [0, Double.pi, -Double.pi, 2 * Double.pi, Double.pi / 2]
      let first = try boundList(gates, sampler.angles(inputCount))
      let plan = try Planner.plan(first, qubitCount: qubits, precision: .double)
      for value in special {
        let inputs = [Double](repeating: value, count: inputCount)
        let list = try boundList(gates, inputs)
        let other = try Planner.plan(list, qubitCount: qubits, precision: .double)
        #expect(plan.operations == other.operations, "seed \(seed), \(value)")
        #expect(plan.stages == other.stages)
        let initial = zeroState(qubits: qubits)
        let result = PlanInterpreter.run(
          plan, try PlanBinding(plan, list).numbers, on: initial)
        let error = distance(result, try directly(gates, inputs, on: initial))
        #expect(error <= 1e-12, "seed \(seed), all angles \(value): \(error)")
      }
    }
  }

  @Test func updateGivesTheBitsOfANewBinding() throws {
    for seed in UInt64(2000)..<2040 {
      var sampler = CircuitSampler(seed: seed)
      sampler.parametricPercent = 90
      let qubits = 2 + sampler.int(5)
      let (gates, inputCount) = sampler.gates(40, qubits: qubits)
      var inputs = sampler.angles(inputCount)
      let first = try boundList(gates, inputs)
      let plan = try Planner.plan(first, qubitCount: qubits, precision: .double)
      var binding = try PlanBinding(plan, first)
      for _ in 0..<4 where inputCount > 0 {
        inputs[sampler.int(inputCount)] = sampler.unit() * 7
        let list = try boundList(gates, inputs)
        try binding.update(list)
        let whole = try PlanBinding(plan, list).numbers
        #expect(
          binding.numbers.coefficients.map(\.bitPattern) == whole.coefficients.map(\.bitPattern),
          "seed \(seed)")
        #expect(binding.numbers.forms == whole.forms)
        #expect(binding.numbers.stageScales == whole.stageScales)
      }
    }
  }

  @Test func gatesOfAnotherStructureAreRefused() throws {
    let one = try boundList([GateApplication(.rx, [.input(0)], targets: [0])], [0.3])
    let other = try boundList([GateApplication(.ry, [.input(0)], targets: [0])], [0.3])
    let plan = try Planner.plan(one, qubitCount: 1, precision: .double)
    var binding = try PlanBinding(plan, one)
    #expect(throws: QubusError.self) { try PlanBinding(plan, other) }
    #expect(throws: QubusError.self) { try binding.update(other) }
    let constant = try boundList([GateApplication(.rx, [.radians(0.3)], targets: [0])])
    let changed = try boundList([GateApplication(.rx, [.radians(0.4)], targets: [0])])
    let fixed = try Planner.plan(constant, qubitCount: 1, precision: .double)
    #expect(throws: QubusError.self) { try PlanBinding(fixed, changed) }
  }

  @Test func notANumberIsRefusedWhenGatesAreBound() throws {
    let gate = GateApplication(.rx, [.input(0)], targets: [0])
    #expect(throws: QubusError.self) { try boundList([gate], [.nan]) }
    #expect(throws: QubusError.self) { try boundList([gate], [.infinity]) }
  }

  @Test func uncontrolledSwapsAndFlipsAreBookkeeping() throws {
    let list = try boundList([
      GateApplication(.h, targets: [0]), GateApplication(.swap, targets: [0, 2]),
      GateApplication(.x, targets: [2]), GateApplication(.x, targets: [2]),
    ])
    let plan = try Planner.plan(list, qubitCount: 3, precision: .double)
    #expect(plan.operations.map(\.kind) == [.real])
    #expect(plan.finalPositions[2] == plan.initialPositions[0])
  }

  @Test func iswapIsAnExchangeOfWiresAndPhases() throws {
    let gates = [GateApplication(.iswap, targets: [0, 2])]
    let list = try boundList(gates)
    let plan = try Planner.plan(list, qubitCount: 3, precision: .double, startsFromZero: false)
    #expect(plan.operations.allSatisfy { [.phase, .negate, .diagonal].contains($0.kind) })
    #expect(plan.finalPositions == [2, 1, 0])
    var sampler = CircuitSampler(seed: 6)
    let initial = sampler.state(qubits: 3)
    let result = PlanInterpreter.run(plan, try PlanBinding(plan, list).numbers, on: initial)
    #expect(distance(result, try directly(gates, [], on: initial)) < 1e-15)
  }

  @Test func planningStopsWhenCanceled() throws {
    let list = try boundList((0..<20_000).map { GateApplication(.h, targets: [$0 % 5]) })
    let flag = CancellationFlag()
    flag.cancel()
    let error = #expect(throws: QubusError.self) {
      try Planner.plan(list, qubitCount: 5, precision: .double, cancellation: flag)
    }
    #expect(error?.code == .executionCanceled)
  }

  @Test func emptyCircuitsHavePlansWithoutStages() throws {
    for qubits in [0, 1, 5, 50] {
      let plan = try Planner.plan(BoundGateList(), qubitCount: qubits, precision: .single)
      #expect(plan.stages.isEmpty)
      #expect(plan.initialPositions.count == qubits)
    }
  }

  @Test func gatesWithSixtyControlsHavePlans() throws {
    let controls = (0..<60).map { Control($0, isPositive: $0 % 2 == 0) }
    let gates =
      (0..<60).map { GateApplication(.h, targets: [$0]) }
      + [GateApplication(.x, targets: [62], controls: controls)]
    let plan = try Planner.plan(try boundList(gates), qubitCount: 63, precision: .double)
    let last = try #require(plan.operations.last)
    #expect(last.controlMask.nonzeroBitCount == 60)
    #expect(throws: QubusError.self) {
      try Planner.plan(BoundGateList(), qubitCount: 65, precision: .double)
    }
  }
}
