import QubusCompiler
import QubusCore
import Testing

@Suite("Cost tables") struct CostTableTests {
  @Test("a table is found by its instruction set, and the baseline's for one without figures")
  func choice() throws {
    for (name, table) in CostTable.measured { #expect(CostTable.inForce(on: name) == table) }
    let baseline = try #require(CostTable.measured["baseline"])
    for name in ["reference", "neon", ""] { #expect(CostTable.inForce(on: name) == baseline) }
    #expect(Set(CostTable.measured.keys) == ["baseline", "avx2", "avx512"])
  }

  @Test("measured tables have one version, another one than the counted table")
  func versions() {
    #expect(Set(CostTable.measured.values.map(\.version)).count == 1)
    #expect(CostTable.measured["baseline"]?.version != CostTable.counted.version)
  }

  @Test("nothing is for nothing, larger blocks cost more, single precision less", arguments: names)
  func figures(name: String) throws {
    let table = try #require(CostTable.all[name])
    for figures in [table.single, table.double] {
      let others = [
        figures.rotation, figures.oneQubitGeneral, figures.real2, figures.real3, figures.diagonal,
        figures.linear, figures.linearControlled, figures.negate, figures.exchange,
        figures.cachePass, figures.sharedPass, figures.memoryPass,
      ]
      for figure in figures.dense + others { #expect(figure > 0 && figure < 100) }
      #expect(figures.dense.count == 5 && figures.dense == figures.dense.sorted())
      #expect(figures.rotation <= figures.oneQubitGeneral && figures.real2 < figures.real3)
    }
    for (single, double) in zip(table.single.dense, table.double.dense) {
      #expect(single < double)
    }
  }

  @Test("wider vectors cost less")
  func widths() throws {
    let tables = try ["baseline", "avx2", "avx512"].map { try #require(CostTable.measured[$0]) }
    for (narrow, wide) in zip(tables, tables.dropFirst()) {
      #expect(wide.double.rotation < narrow.double.rotation)
      #expect(wide.double.dense[1] < narrow.double.dense[1])
    }
  }

  @Test("plans by any table give the gates' product, and carry the table", arguments: names)
  func products(name: String) throws {
    let table = try #require(CostTable.all[name])
    for seed in UInt64(5000)..<5040 {
      var sampler = CircuitSampler(seed: seed)
      sampler.controlPercent = 20
      let qubits = 3 + sampler.int(6)
      let (gates, inputCount) = sampler.gates(20 + sampler.int(80), qubits: qubits)
      let inputs = sampler.angles(inputCount)
      let list = try boundList(gates, inputs)
      let plan = try Planner.plan(
        list, qubitCount: qubits, precision: .double, startsFromZero: false, costs: table,
        chunk: ChunkSize(whole: 4, largest: 5))
      #expect(plan.costs == table)
      let initial = sampler.state(qubits: qubits)
      let result = PlanInterpreter.run(plan, try PlanBinding(plan, list).numbers, on: initial)
      let error = distance(result, try directly(gates, inputs, on: initial))
      #expect(error <= 1e-12, "seed \(seed), \(qubits) qubits: \(error)")
    }
  }

  static let names = CostTable.all.keys.sorted()
}
