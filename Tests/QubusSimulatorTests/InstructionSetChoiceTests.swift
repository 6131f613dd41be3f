import QubusCore
import QubusSimulator
import Testing

@Suite("The instruction set chosen by name, for tests")
struct InstructionSetChoiceTests {
  @Test("an instruction set is found by its name, and the best one by none")
  func names() throws {
    for name in ["reference", "baseline"] { #expect(try KernelTable.named(name).name == name) }
    #expect(try KernelTable.named("").name != "reference")
  }

  @Test("one that there is not is refused by name", arguments: ["sse9", "AVX2", " "])
  func unknown(name: String) {
    let error = #expect(throws: QubusError.self) { try KernelTable.named(name) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("'\(name)'") == true)
    #expect(error?.violations.first?.field == "QUBUS_ISA")
  }
}
