import QubusCircuit
import QubusCore
import QubusQASM
import Testing

private func compile(_ program: String) throws -> Circuit {
  try OpenQASM.compile("OPENQASM 3.0; include \"stdgates.inc\";\n" + program)
}

private func x(_ qubit: Int) -> Operation { .gate(GateApplication(.x, targets: [qubit])) }

private func cx(_ control: Int, _ target: Int) -> Operation {
  .gate(GateApplication(.x, targets: [target], controls: [Control(control)]))
}

private func int(_ value: Int64) -> Expression { .constant(.int(value, width: 64)) }

@Suite("The language")
struct LanguageTests {
  @Test("registers keep their order, sizes and names")
  func registers() throws {
    let circuit = try compile(
      "qubit a; qubit[2] b; qreg d[3]; bit e; bit[2] f = \"10\"; creg g[3];")
    #expect(
      circuit.qubitRegisters == [
        Register(name: "a", offset: 0, size: 1), Register(name: "b", offset: 1, size: 2),
        Register(name: "d", offset: 3, size: 3),
      ])
    #expect(
      circuit.bitRegisters == [
        Register(name: "e", offset: 0, size: 1), Register(name: "f", offset: 1, size: 2),
        Register(name: "g", offset: 3, size: 3),
      ])
    #expect(circuit.qubitCount == 6)
    #expect(circuit.bitCount == 6)
    #expect(
      circuit.operations
        == [.assignRegister(offset: 1, width: 2, .constant(.bits(2, width: 2)))])
  }

  @Test("gates broadcast over registers, slices, index sets and aliases")
  func broadcasting() throws {
    let head = "qubit[4] q; qubit[4] r; "
    #expect(try compile(head + "x q;").operations == (0..<4).map { x($0) })
    #expect(try compile(head + "cx q, r;").operations == (0..<4).map { cx($0, $0 + 4) })
    #expect(try compile(head + "cx q[0], r;").operations == (4..<8).map { cx(0, $0) })
    #expect(try compile(head + "x q[1:2];").operations == [x(1), x(2)])
    #expect(try compile(head + "x q[0:2:3];").operations == [x(0), x(2)])
    #expect(try compile(head + "x q[3:-2:0];").operations == [x(3), x(1)])
    #expect(try compile(head + "x q[:1];").operations == [x(0), x(1)])
    #expect(try compile(head + "x q[-1];").operations == [x(3)])
    #expect(try compile(head + "x q[{0, 3}];").operations == [x(0), x(3)])
    #expect(
      try compile(head + "let a = q[2:3] ++ r[0]; x a; x a[2];").operations
        == [x(2), x(3), x(4), x(4)])
    #expect(
      try compile(head + "let a = q[1:3]; let b = a[1:2]; x b[0];").operations == [x(2)])
  }

  @Test("physical qubits name the device's qubits")
  func physical() throws {
    let circuit = try compile("bit c; x $3; c = measure $1;")
    #expect(circuit.qubitCount == 4)
    #expect(circuit.operations == [x(3), .measure(qubit: 1, into: .bit(0))])
  }

  @Test("measurements write to bits, slices, run-time elements and variables")
  func measurements() throws {
    let circuit = try compile(
      """
      qubit[2] q; bit[4] c; uint[4] u; bool b; int i;
      c[1:2] = measure q; measure q[0] -> c[i]; measure q[0]; u[2] = measure q[1];
      b = measure q[0];
      """)
    #expect(
      circuit.operations == [
        .measure(qubit: 0, into: .bit(1)), .measure(qubit: 1, into: .bit(2)),
        .measure(qubit: 0, into: .element(offset: 0, width: 4, index: .variable(2))),
        .measure(qubit: 0, into: nil), .measure(qubit: 1, into: .variable(0, index: int(2))),
        .measure(qubit: 0, into: .bool(1)),
      ])
  }

  @Test("constants fold, constant conditions choose, constant loops unroll")
  func folding() throws {
    let circuit = try compile(
      """
      const uint[8] n = 2 ** 2 - 1; const float t = n * pi / 4; qubit[n] q;
      rx(sin(t) + arccos(1.0)) q[0];
      if (n > 2) { x q[n - 1]; } else { x q[100]; }
      for int i in [0:n - 2] { if (i == 1) cx q[i], q[i + 1]; }
      for uint i in [2:-1:0] x q[i];
      for int i in {0, 2} x q[i];
      while (false) { x q[0]; }
      switch (n) { case 1, 2 { x q[0]; } case 3 { x q[1]; } default { x q[2]; } }
      for int i in [0:9] { if (i == 1) continue; if (i == 2) break; x q[i]; }
      """)
    guard case .gate(let rotation)? = circuit.operations.first,
      case .constant(.float(let angle))? = rotation.parameters.first
    else {
      Issue.record("the first operation is no rotation by a constant")
      return
    }
    #expect(abs(angle - 0.5.squareRoot()) < 1e-15)
    #expect(
      Array(circuit.operations.dropFirst())
        == [x(2), cx(1, 2), x(2), x(1), x(0), x(0), x(2), x(1), x(0)])
  }

  @Test("what depends on measured bits, variables and inputs stays as control flow")
  func controlFlow() throws {
    let circuit = try compile(
      """
      qubit[2] q; bit[2] c; int[8] k; input int[8] n;
      if (c == 2) x q[0]; else x q[1];
      while (k < n) { k += 1; if (c[0]) break; continue; }
      for int[8] i in [0:n] { k = i; }
      switch (k) { case 1, 2 { x q[0]; } default { end; } }
      """)
    let sum = Expression.binary(.add, .variable(0), int(1))
    #expect(
      circuit.operations == [
        .branch(
          condition: .binary(.equal, .register(offset: 0, width: 2), int(2)), then: [x(0)],
          otherwise: [x(1)]),
        .whileLoop(
          condition: .binary(.less, .variable(0), .input(0)),
          body: [
            .assign(variable: 0, .cast(.int(width: 8), sum)),
            .branch(condition: .bit(0), then: [.breakLoop], otherwise: []), .continueLoop,
          ]),
        .forLoop(
          variable: 1, first: int(0), step: int(1), last: .input(0),
          body: [.assign(variable: 0, .variable(1))]),
        .select(
          .variable(0), cases: [SwitchCase(values: [1, 2], body: [x(0)])], otherwise: [.end]),
      ])
    #expect(circuit.inputs == [InputParameter(name: "n", type: .int(width: 8))])
  }

  @Test("break and continue at run time leave an unrolled loop where the program says")
  func runTimeExits() throws {
    // Bits 0…2 are set by rounds 0…2; the round whose measured bit is 1 breaks or continues.
    func found(_ exit: String) throws -> [String: Double] {
      let circuit = try compile(
        """
        qubit[3] q; bit m; bit[3] c; x q[1];
        for int i in [0:2] { m = measure q[i]; if (m) { \(exit); } c[i] = true; }
        m = false;
        """)
      return try DenseReference(circuit: circuit).distribution()
    }
    #expect(try found("break") == ["0010": 1])
    #expect(try found("continue") == ["1010": 1])
    #expect(try found("end") == ["0011": 1])
  }

  @Test("variables start at their values; locals belong to their scope and start anew each round")
  func variables() throws {
    let circuit = try compile(
      """
      uint[4] a = 17; angle[4] b = pi; float f; bit[2] g; input angle[8] t; bool h = true;
      for int i in [0:1] { int[8] k = i; k += 1; a ^= 1; }
      { int[8] a = 3; }
      b = t; f = a / 2.0; g = "10"; g[0] = 1; a[1] = h; a = uint[4](g[1]) + 1;
      """)
    #expect(
      circuit.variables.map(\.initial) == [
        .uint(1, width: 4), .angle(raw: 8, width: 4), .float(0), .bool(true), .int(0, width: 8),
        .int(0, width: 8),
      ])
    #expect(circuit.variables.map(\.name) == ["a", "b", "f", "h", "k", "a"])
    let final = try DenseReference(
      circuit: circuit, inputs: [try .input(.pi / 8, type: .angle(width: 8), name: "t")]
    ).run()[0].classical
    #expect(final.variables[0] == .uint(2, width: 4))
    #expect(final.variables[1] == .angle(raw: 1, width: 4))
    #expect(final.variables[2] == .float(0.5))
    #expect(final.bits == [true, true])
    #expect(final.variables[4] == .int(2, width: 8))
  }

  @Test(
    "operators bind as the specification's table says",
    arguments: [
      ("2 + 3 * 4", 14), ("-2 ** 2", -4), ("2 ** 3 ** 2", 512), ("10 - 4 - 3", 3),
      ("1 << 2 + 1", 8), ("6 & 3 == 3", 0), ("1 | 6 ^ 3 & 5", 7), ("7 / 2", 3), ("-7 / 2", -3),
      ("-7 % 3", -1), ("~5", -6), ("0x1_F + 0b101 + 0o17", 51), ("int(3.99)", 3),
      ("int(uint[4](17))", 1), ("int(popcount(\"1011\"))", 3), ("rotl(uint[4](9), 1) + 0", 3),
      ("rotr(uint[4](9), 1) + 0", 12), ("mod(17, 5)", 2), ("pow(2, 5)", 32),
      ("int(ceiling(1.2) + floor(1.8))", 3), ("int(true) + int(2 > 1 && !(1 > 2) || false)", 2),
      ("int(uint[8](300))", 44), ("int(\"1010\"[1])", 1), ("13[2:3] == \"11\"", 1),
    ])
  func precedence(text: String, value: Int64) throws {
    let circuit = try compile("int[64] v = int(\(text));")
    #expect(circuit.variables[0].initial == .int(value, width: 64))
  }

  @Test("registers wider than 64 bits compare with constants and take bit strings")
  func wide() throws {
    let circuit = try OpenQASM.compile(
      "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[1]; creg c[70]; if(c==3) x q[0];")
    #expect(
      circuit.operations == [
        .branch(
          condition: .binary(
            .and,
            .binary(
              .equal, .register(offset: 0, width: 64), .constant(.uint(3, width: 64))),
            .binary(.equal, .register(offset: 64, width: 6), .constant(.uint(0, width: 64)))),
          then: [x(0)], otherwise: [])
      ])
    let bits = "1" + String(repeating: "0", count: 68) + "1"
    let assigned = try compile("bit[70] c = \"\(bits)\"; bit b; if (c != 1) b = 1;")
    let final = try DenseReference(circuit: assigned).run()[0].classical.bits
    #expect(final.indices.filter { final[$0] } == [0, 69, 70])
  }

  @Test("delay, pragma and annotations are ignored and say so once")
  func notices() throws {
    let circuit = try compile(
      """
      #pragma simulator fast
      pragma more things ; here
      @optimize level 2
      qubit q;
      delay[100ns] q; delay[2 us] q; nop q; ;
      """)
    #expect(circuit.notices.count == 3)
    #expect(circuit.notices.map { $0.location?.line } == [2, 4, 6])
    #expect(circuit.operations.isEmpty)
  }

  @Test("a program without a version may use qelib1.inc and old registers")
  func lenient() throws {
    let circuit = try OpenQASM.compile(
      "include \"qelib1.inc\"; qreg q[2]; creg c[2]; u1(pi) q[0]; cx q[0],q[1]; measure q -> c;")
    #expect(circuit.operations.count == 4)
  }

  @Test("OpenQASM 2 programs may use the words of OpenQASM 3 as names")
  func names() throws {
    let circuit = try OpenQASM.compile(
      "OPENQASM 2.0; include \"qelib1.inc\"; qreg input[1]; creg end[1]; measure input -> end;")
    #expect(circuit.operations == [.measure(qubit: 0, into: .bit(0))])
  }

  @Test("an OpenQASM 2 program's own definition replaces a legacy gate")
  func redefinition() throws {
    let circuit = try OpenQASM.compile(
      "OPENQASM 2.0; include \"qelib1.inc\"; gate rzz(t) a,b { x a; } qreg q[2]; rzz(1) q[0],q[1];")
    #expect(circuit.operations == [x(0)])
  }

  @Test("an OpenQASM 3 program may reuse the short names of library gates before it uses them")
  func shortNames() throws {
    let circuit = try compile("qubit[2] q; gate h a { x a; } { int s = 1; } h q[1]; s q[0];")
    #expect(circuit.operations.last == .gate(GateApplication(.s, targets: [0])))
    #expect(circuit.operations.contains(x(1)))
    let error = #expect(throws: QubusError.self) {
      try OpenQASM.compile("qubit s; include \"stdgates.inc\";")
    }
    #expect(error?.code == .programSemanticError)
  }

  @Test("the empty program is an empty circuit", arguments: ["", "OPENQASM 3;", "// only this"])
  func empty(program: String) throws {
    #expect(try OpenQASM.compile(program) == Circuit())
  }

  @Test("assignments between overlapping scattered bits read before they write")
  func scattered() throws {
    let circuit = try compile("bit[2] c = \"01\"; c[{1, 0}] = c[{0, 1}];")
    let final = try DenseReference(circuit: circuit).run()[0].classical.bits
    #expect(final == [false, true])
  }

  @Test("bits concatenate in assignments, the first part lowest")
  func concatenation() throws {
    let circuit = try compile("bit[2] a = \"01\"; bit b = 1; bit[3] c; c = a ++ b;")
    let final = try DenseReference(circuit: circuit).run()[0].classical.bits
    #expect(final == [true, false, true, true, false, true])
  }

  @Test("a program that measures into variables only has their bits as its outcome")
  func measuredVariables() throws {
    let circuit = try OpenQASM.compile(
      "qubit q; angle[3] c; bool done; int unread; c <<= 1; measure q -> c[0]; done = measure q;")
    #expect(circuit.bitCount == 4)
    #expect(circuit.bitRegisters.map(\.name) == ["c", "done"])
    #expect(circuit.bitRegisters.map(\.size) == [3, 1])
    let writes = circuit.operations.suffix(2).map { operation -> Int? in
      if case .assignRegister(let offset, _, .variable) = operation { offset } else { nil }
    }
    #expect(writes == [0, 3])
  }
}
