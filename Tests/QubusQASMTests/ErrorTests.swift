import QubusCircuit
import QubusCore
import QubusQASM
import Testing

/// A program, and what its error must say: code, line, column, text.
struct Refusal: Sendable, CustomTestStringConvertible {
  var program: String
  var code: ErrorCode
  var line: Int
  var column: Int
  var text: String

  init(_ program: String, _ code: ErrorCode, _ line: Int, _ column: Int, _ text: String) {
    (self.program, self.code, self.line, self.column, self.text) =
      (program, code, line, column, text)
  }

  var testDescription: String { program }
}

private let head2 = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\nqreg q[2]; creg c[2];\n"
private let head3 = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\nqubit[2] q; bit[2] c;\n"

@Suite("Errors in programs")
struct ErrorTests {
  @Test(
    "name code, line, column and text",
    arguments: [
      Refusal(head2 + "cx q[0] q[1];", .programSyntaxError, 4, 9, "q"),
      Refusal(head2 + "cx q[0],q[0];", .duplicateQubit, 4, 1, "cx q[0],q[0];"),
      Refusal(head2 + "h q[2];", .indexOutOfRange, 4, 5, "2"),
      Refusal(head2 + "h r[0];", .undeclaredIdentifier, 4, 3, "r"),
      Refusal(head2 + "foo q[0];", .undeclaredIdentifier, 4, 1, "foo"),
      Refusal(head2 + "rx q[0];", .programSemanticError, 4, 1, "rx"),
      Refusal(head2 + "h q[0], q[1];", .programSemanticError, 4, 1, "h"),
      Refusal(head2 + "measure q -> c[0];", .programSemanticError, 4, 1, "measure q -> c[0];"),
      Refusal(head2 + "include \"mine.inc\";", .unsupportedProgramFeature, 4, 9, "\"mine.inc\""),
      Refusal(head2 + "opaque o a; o q[0];", .unsupportedProgramFeature, 4, 13, "o"),
      Refusal(head2 + "gate g a { g a; }", .programSemanticError, 4, 12, "g"),
      Refusal(head2 + "gate h a { }", .programSemanticError, 4, 6, "h"),
      Refusal(head2 + "if (c) x q[0];", .programSyntaxError, 4, 5, "c"),
      Refusal(head2 + "rx(1/0) q[0];", .divisionByZero, 4, 4, "1/0"),
      Refusal(head2 + "rx(ln(0)) q[0];", .programSemanticError, 4, 4, "ln(0)"),
      Refusal(head2 + "qreg q[2];", .programSemanticError, 4, 6, "q"),
      Refusal(head2 + "qreg big[100];", .tooManyQubits, 4, 6, "big"),
      Refusal(head2 + "x q[0]; /* open", .programSyntaxError, 4, 9, "/*"),
      Refusal(head2 + "x q[0", .programSyntaxError, 4, 6, "end of program"),
      Refusal("OPENQASM 4.0;", .unsupportedProgramFeature, 1, 10, "4.0"),
      Refusal(head3 + "def f(qubit a) { }", .unsupportedProgramFeature, 4, 1, "def"),
      Refusal(head3 + "extern f(int) -> int;", .unsupportedProgramFeature, 4, 1, "extern"),
      Refusal(head3 + "array[int[8], 2] a;", .unsupportedProgramFeature, 4, 1, "array"),
      Refusal(head3 + "cal { }", .unsupportedProgramFeature, 4, 1, "cal"),
      Refusal(head3 + "box { x q[0]; }", .unsupportedProgramFeature, 4, 1, "box"),
      Refusal(head3 + "duration d = 10ns;", .unsupportedProgramFeature, 4, 1, "duration"),
      Refusal(head3 + "complex[float] z;", .unsupportedProgramFeature, 4, 1, "complex"),
      Refusal(head3 + "float f = 2.0im;", .unsupportedProgramFeature, 4, 11, "2.0im"),
      Refusal(head3 + "int[128] i;", .unsupportedProgramFeature, 4, 1, "int[128]"),
      Refusal(head3 + "break;", .programSemanticError, 4, 1, "break;"),
      Refusal(head3 + "const int n = 2; n = 3;", .programSemanticError, 4, 18, "n"),
      Refusal(head3 + "int i = 1; x q[i];", .programSemanticError, 4, 16, "i"),
      Refusal(head3 + "ctrl @ x q[0], q[1], q[0];", .programSemanticError, 4, 8, "x"),
      Refusal(head3 + "ctrl @ x q[1], q[1];", .duplicateQubit, 4, 1, "ctrl @ x q[1], q[1];"),
      Refusal(head3 + "qubit[3] r; cx q, r;", .programSemanticError, 4, 19, "r"),
      Refusal(head3 + "bit[3] d = \"01\";", .programSemanticError, 4, 12, "\"01\""),
      Refusal(head3 + "angle[4] a = c;", .programSemanticError, 4, 14, "c"),
      Refusal(head3 + "switch (c) { case 1 {} case 1 {} }", .programSemanticError, 4, 29, "1"),
      Refusal(head3 + "gate g a { measure a; }", .programSemanticError, 4, 12, "measure a;"),
      Refusal(head3 + "x $0;", .unsupportedProgramFeature, 4, 3, "$0"),
      Refusal(head3 + "for int i in [0:0:5] { }", .programSemanticError, 4, 14, "[0:0:5"),
      Refusal("qubit q; h q;", .undeclaredIdentifier, 1, 10, "h"),
      Refusal(head3 + "x q[0]; }", .programSyntaxError, 4, 9, "}"),
      Refusal(head3 + "let q = c;", .programSemanticError, 4, 5, "q"),
      Refusal(head3 + "x q[0]; ?", .programSyntaxError, 4, 9, "?"),
    ])
  func refused(refusal: Refusal) throws {
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(refusal.program) }
    #expect(error?.code == refusal.code, "\(String(describing: error))")
    #expect(error?.location?.line == refusal.line)
    #expect(error?.location?.column == refusal.column)
    #expect(error?.location?.text == refusal.text)
  }

  @Test("show the line with a caret below the column, tabs as one blank")
  func caret() throws {
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(head2 + "\th\tπ[9];") }
    #expect(error?.location?.excerpt == " h π[9];\n   ^")
    #expect(error?.location?.column == 4)
  }

  @Test("crop long lines around the column")
  func longLine() throws {
    let program =
      head2 + String(repeating: "x q[0]; ", count: 100) + "x r[0]; "
      + String(repeating: "x q[0]; ", count: 100)
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(program) }
    let lines = try #require(error?.location?.excerpt.split(separator: "\n"))
    #expect(error?.location?.column == 803)
    #expect(lines[0].count <= 102)
    let caret = try #require(lines[1].firstIndex(of: "^"))
    let offset = lines[1].distance(from: lines[1].startIndex, to: caret)
    #expect(Array(lines[0])[offset] == "r")
  }

  @Test("say which include declares a standard gate")
  func hint() {
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile("qubit q; h q;") }
    #expect(error?.message.contains("stdgates.inc") == true)
  }

  @Test("name recursion")
  func recursion() {
    let error = #expect(throws: QubusError.self) {
      try OpenQASM.compile(head3 + "gate g a { x a; g a; }")
    }
    #expect(error?.message.contains("'g' calls itself") == true)
  }

  @Test("refuse bytes that are not UTF-8, and NUL", arguments: [0x00, 0x80, 0xC0, 0xFF] as [UInt8])
  func badBytes(byte: UInt8) {
    let error = #expect(throws: QubusError.self) {
      try OpenQASM.compile(Array("OPENQASM 3.0;\nqubit ".utf8) + [byte] + Array("q;".utf8))
    }
    #expect(error?.code == (byte == 0 ? .nulInString : .invalidUTF8))
    #expect(error?.location?.line == 2)
    #expect(error?.location?.column == 7)
  }
}
