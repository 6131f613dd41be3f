import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("The instruction set chosen by name, for tests")
struct InstructionSetChoiceTests {
  @Test("an instruction set is found by its name, and the best one by none")
  func names() throws {
    for name in ["reference", "baseline"] { #expect(try KernelTable.named(name).name == name) }
    #expect(try KernelTable.named("").name != "reference")
  }

  @Test("plans are made by the costs of the kernels that run them")
  func costs() throws {
    for name in ["reference", "baseline"] {
      let kernels = try KernelTable.named(name)
      #expect(kernels.costs == CostTable.measured["baseline"])
      let plan = try Planner.plan(
        BoundGateList(), qubitCount: 3, precision: .double, kernels: kernels)
      #expect(plan.costs == kernels.costs)
    }
    let plan = try Planner.plan(BoundGateList(), qubitCount: 3, precision: .double)
    #expect(plan.costs == CostTable.inForce(on: KernelTable.best.name))
    let device = StateVectorDevice()
    #expect(device.compileOptions["cost_table"] == "\(plan.costs.version)")
    #expect(plan.costs == CostTable.inForce(on: device.instructionSet))
  }

  @Test("one that there is not is refused by name", arguments: ["sse9", "AVX2", " "])
  func unknown(name: String) {
    let error = #expect(throws: QubusError.self) { try KernelTable.named(name) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("'\(name)'") == true)
    #expect(error?.violations.first?.field == "QUBUS_ISA")
  }
}
