import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@Suite struct PlanFamilyTests {
  private func plan(
    _ gates: [GateApplication], _ qubits: Int, zero: Bool = false, observed: UInt64? = nil,
    costs: String = "counted"
  ) throws -> Plan {
    let inputs = (0..<1000).map { 0.1 + 0.01 * Double($0) }
    return try Planner.plan(
      try boundList(gates, inputs), qubitCount: qubits, precision: .single, observed: observed,
      startsFromZero: zero, costs: try #require(CostTable.all[costs]))
  }

  private func count(_ plan: Plan, _ kind: OperationKind) -> Int {
    plan.operations.count { $0.kind == kind }
  }

  @Test(arguments: CostTableTests.names)
  func randomCircuitsKeepCheapRotationsAndFewStages(costs: String) throws {
    let plan = try plan(CircuitFamilies.random(24, depth: 20), 24, costs: costs)
    #expect(plan.stages.count <= 6)
    #expect(count(plan, .dense) <= 3)
    // A layer's rotations about z cost less than an operation each.
    #expect(plan.operations.count < 650)
  }

  @Test(arguments: CostTableTests.names)
  func fourierTransformsNeedOneLinearPassPerQubitAndNoSwap(costs: String) throws {
    let plan = try plan(CircuitFamilies.qft(24), 24, costs: costs)
    // Some phases by the costs of one table are linear passes by those of another.
    #expect(count(plan, .linear) <= 28)
    #expect(count(plan, .swap) == 0)
    #expect(plan.operations.count <= 75)
    #expect(plan.stages.count <= 3)
  }

  @Test(arguments: CostTableTests.names)
  func volumeCircuitsBecomeOneDenseBlockPerPair(costs: String) throws {
    let plan = try plan(CircuitFamilies.volume(20), 20, costs: costs)
    #expect(plan.operations.allSatisfy { $0.kind == .dense && $0.targets.count == 2 })
    #expect(plan.operations.count <= 200)
    #expect(plan.stages.count <= 16)
  }

  @Test(arguments: CostTableTests.names)
  func costLayersShareDiagonals(costs: String) throws {
    let gates = CircuitFamilies.qaoa(24, layers: 3)
    let plan = try plan(gates, 24, costs: costs)
    #expect(plan.operations.count < gates.count)
    #expect(plan.stages.count <= 6)
  }

  @Test(arguments: CostTableTests.names)
  func flipsOfGroverVanishIntoControls(costs: String) throws {
    let plan = try plan(CircuitFamilies.grover(10, rounds: 3), 10, zero: true, costs: costs)
    #expect(count(plan, .flip) == 0)
    #expect(count(plan, .negate) == 6)
  }

  @Test(arguments: CostTableTests.names)
  func qubitsJoinWhenTheyAreUsed(costs: String) throws {
    let plan = try plan(CircuitFamilies.ghz(24), 24, zero: true, costs: costs)
    let first = try #require(plan.stages.first)
    #expect(first.liveCount == 15)
    #expect(first.operations.count >= 15)
  }

  @Test func oneObservedQubitNeedsItsLightConeOnly() throws {
    let gates = CircuitFamilies.random(24, depth: 4)
    let whole = try plan(gates, 24, zero: true)
    let one = try plan(gates, 24, zero: true, observed: 1)
    #expect(one.operations.count * 3 < whole.operations.count)
    #expect(one.stages.count == 1)
  }

  @Test func gatesAndTheirInversesCancel() throws {
    var sampler = CircuitSampler(seed: 5)
    var gates: [GateApplication] = []
    for _ in 0..<40 {
      let a = sampler.int(6)
      let b = (a + 1 + sampler.int(5)) % 6
      gates.append(CircuitFamilies.cx(a, b))
      gates.append(GateApplication([.h, .t, .s, .x][sampler.int(4)], targets: [a]))
    }
    let inverse: [Gate: Gate] = [.t: .tdg, .s: .sdg]
    let back = gates.reversed().map {
      GateApplication(inverse[$0.gate] ?? $0.gate, targets: $0.targets, controls: $0.controls)
    }
    let plan = try plan(gates + back, 6)
    #expect(plan.operations.isEmpty)
  }

  @Test func aMillionGatesArePlanned() throws {
    let gates = CircuitFamilies.random(20, depth: 34_000)
    let list = try boundList(gates)
    let plan = try Planner.plan(list, qubitCount: 20, precision: .double)
    #expect(gates.count > 1_000_000)
    #expect(plan.operations.count < gates.count)
    #expect(plan.operations.count == plan.stages.reduce(0) { $0 + $1.operations.count })
  }

  @Test func rotationsAreDividedSoThatTwoOfFourEntriesAreKnown() throws {
    let gates = (0..<4).map { GateApplication(.ry, [.input($0)], targets: [$0]) }
    let list = try boundList(gates, [0.2, 3, -2.9, 9])
    let plan = try Planner.plan(list, qubitCount: 4, precision: .single, startsFromZero: false)
    let numbers = try PlanBinding(plan, list).numbers
    // The last one takes what was divided out of the others.
    #expect(numbers.forms.filter { $0 != 0 }.count == 3)
    #expect(numbers.stageScales == [1])
    for index in numbers.forms.indices where numbers.forms[index] != 0 {
      let offset = plan.operations[index].offset
      #expect(numbers.coefficients[offset..<offset + 4].allSatisfy { abs($0) <= 1 })
    }
  }

  @Test func longRunsOfRotationsStayInTheRangeOfSinglePrecision() throws {
    let gates = (0..<4000).flatMap { layer in
      (0..<3).map { qubit -> GateApplication in
        GateApplication(
          layer % 2 == 0 ? .ry : .rx, [.input((layer * 3 + qubit) % 12)], targets: [qubit])
      }
    }
    let inputs = [Double](repeating: 1.57, count: 12)
    let list = try boundList(gates, inputs)
    let plan = try Planner.plan(list, qubitCount: 3, precision: .single, startsFromZero: false)
    let numbers = try PlanBinding(plan, list).numbers
    var sampler = CircuitSampler(seed: 77)
    let initial = sampler.state(qubits: 3)
    let result = PlanInterpreter.run(plan, numbers, on: initial)
    #expect(distance(result, try directly(gates, inputs, on: initial)) < 1e-11)
    #expect(numbers.coefficients.allSatisfy { abs($0) < 0x1p31 })
  }

  @Test func reportsAddUpAndSurviveJSON() throws {
    let plan = try plan(CircuitFamilies.qft(20), 20)
    let report = PlanReport(plan)
    let data = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(PlanReport.self, from: data) == report)
    #expect(report.stages.count == plan.stages.count)
    #expect(report.seconds > 0.001 && report.seconds < 1)
    #expect(report.bytes == Double(plan.stages.count) * 2 * 8 * 0x1p20)
    let lines = plan.description.split(separator: "\n")
    #expect(lines.count == 1 + plan.stages.count + plan.operations.count)
  }
}
