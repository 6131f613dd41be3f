import QubusCircuit
import QubusCore
import QubusQASM
import Testing

@Suite("Programs made to exhaust the compiler")
struct BombTests {
  private let head = "include \"stdgates.inc\"; qubit q;\n"

  private func code(_ program: String) -> ErrorCode? {
    #expect(throws: QubusError.self) { try OpenQASM.compile(program) }?.code
  }

  @Test("100 MB of source is refused before it is read")
  func size() {
    let source = [UInt8](repeating: 0xFF, count: 100_000_000)
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(source) }
    #expect(error?.code == .programTooLarge)
  }

  @Test(
    "a million nested brackets, signs or statements are too deep",
    arguments: ["(", "-", "!", "~", "sin(", "q[", "int(", "2**"])
  func nesting(opening: String) {
    #expect(
      code(head + "rx(" + String(repeating: opening, count: 1_000_000) + "1") == .programTooDeep)
  }

  @Test(
    "so are a million blocks, conditions and modifiers",
    arguments: [
      "{", "if (true) ", "if (true) {} else ", "while (true) ", "for int i in [0:1] ", "inv @ ",
      "let a = q[", "ctrl(",
    ])
  func statements(opening: String) {
    let found = code(head + String(repeating: opening, count: 500_000))
    #expect(found == .programTooDeep || found == .programSyntaxError)
    if !opening.contains("let"), !opening.contains("ctrl(") { #expect(found == .programTooDeep) }
  }

  @Test("an operator chain of a million terms is too deep")
  func chain() {
    let sum = Array(repeating: "1", count: 1_000_000).joined(separator: "+")
    #expect(code(head + "rx(\(sum)) q;") == .programTooDeep)
    let nested =
      String(repeating: "(1+1+1+1+", count: 200) + "1" + String(repeating: ")", count: 200)
    #expect(throws: Never.self) { try OpenQASM.compile(head + "rx(\(nested)) q;") }
  }

  @Test("registers beyond the limits are refused by name of the limit")
  func registers() {
    #expect(code("qubit[1000000000] q;") == .tooManyQubits)
    #expect(code("qubit[9223372036854775807] a; qubit[9223372036854775807] b;") == .tooManyQubits)
    #expect(code("bit[1000000000] c;") == .programTooLarge)
    #expect(code("qubit q; ctrl(9223372036854775807) @ U(0,0,0) q;") == .tooManyQubits)
    #expect(code("x $999999999999999999999;") == .programSyntaxError)
    #expect(code("include \"stdgates.inc\"; x $999999999;") == .tooManyQubits)
  }

  @Test("loops beyond the limit are refused, nested ones before they ran through")
  func loops() {
    #expect(code(head + "for int i in [0:1000000000000] { x q; }") == .programTooLarge)
    #expect(
      code(head + "for int i in [-9223372036854775807:9223372036854775807] { }")
        == .programTooLarge)
    var limits = Limits()
    limits.programOperations = 100_000
    let nested = head + "for int i in [0:9999] for int j in [0:9999] for int k in [0:9999] { }"
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(nested, limits: limits) }
    #expect(error?.code == .programTooLarge)
  }

  @Test("gates that double sixty times are refused without being expanded")
  func doubling() {
    var program = "include \"stdgates.inc\";\ngate g0 a { x a; h a; }\n"
    for level in 1...60 { program += "gate g\(level) a { g\(level - 1) a; g\(level - 1) a; }\n" }
    #expect(code(program + "qubit q; g60 q;") == .programTooLarge)
    #expect(throws: Never.self) { try OpenQASM.compile(program + "qubit q; g3 q;") }
    let power = "include \"stdgates.inc\"; gate g a { x a; h a; } qubit q;"
    #expect(code(power + "pow(1000000000000) @ g q;") == .programTooLarge)
    #expect(
      code(power + "pow(9000000000) @ pow(9000000000) @ pow(9000000000) @ g q;") == .programTooLarge
    )
  }

  @Test("doubling gates with an empty body expand to nothing")
  func emptyDoubling() throws {
    var program = "gate g0 a { }\n"
    for level in 1...60 { program += "gate g\(level) a { g\(level - 1) a; g\(level - 1) a; }\n" }
    #expect(try OpenQASM.compile(program + "qubit q; g60 q;").operations.isEmpty)
  }

  @Test("gate definitions nested deeper than the limit are refused")
  func deepGates() {
    var program = "include \"stdgates.inc\";\ngate g0 a { x a; h a; }\n"
    for level in 1...300 { program += "gate g\(level) a { h a; g\(level - 1) a; }\n" }
    #expect(code(program) == .programTooDeep)
  }

  @Test("huge shifts, powers and numbers are harmless")
  func numbers() throws {
    let circuit = try OpenQASM.compile(
      """
      const int a = 1 << 1000; const int b = 3 ** 1000000000; const uint[8] c = 255 + 1;
      const int d = -9223372036854775807 - 1; const int e = d / -1; const int f = d % -1;
      """)
    #expect(circuit.operations.isEmpty)
    #expect(code("const int a = 99999999999999999999;") == .programSyntaxError)
    #expect(code("const int a = 1 << -1;") == .programSemanticError)
    #expect(code("const int a = 1 % 0;") == .divisionByZero)
    #expect(code("const int a = int(1e300);") == .invalidParameterValue)
  }
}
