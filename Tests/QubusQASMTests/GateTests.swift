import QubusCircuit
import QubusCore
import QubusQASM
import Testing

/// The state after `program` on three qubits in a generic state, global phase included.
private func state(_ program: String, header: String = "include \"stdgates.inc\";") throws
  -> [Complex]
{
  let circuit = try OpenQASM.compile(
    """
    \(header)
    gate mix a, b, c { rx(0.3) a; ry(1.1) b; rz(0.7) c; h a; h c; cx a, b; rx(0.9) c; cx b, c;
      ry(0.4) a; rz(0.5) b; }
    qubit[3] q;
    mix q[0], q[1], q[2];
    \(program)
    """)
  return try #require(try DenseReference(circuit: circuit).run().first).state
}

private func expectSame(_ a: String, _ b: String, header: String = "include \"stdgates.inc\";")
  throws
{
  let difference = zip(try state(a, header: header), try state(b, header: header))
    .map { ($0 - $1).squaredMagnitude }.reduce(0, +)
  #expect(difference < 1e-18, "\(a) and \(b)")
}

@Suite("Gates and their modifiers")
struct GateTests {
  @Test(
    "every gate of stdgates.inc acts as its definition in the specification, phase included",
    arguments: [
      ("p(0.7) q[1];", "ctrl @ gphase(0.7) q[1];"),
      ("x q[1];", "U(pi, 0, pi) q[1]; gphase(-pi/2);"),
      ("y q[1];", "U(pi, pi/2, pi/2) q[1]; gphase(-pi/2);"),
      ("z q[1];", "p(pi) q[1];"),
      ("h q[1];", "U(pi/2, 0, pi) q[1]; gphase(-pi/4);"),
      ("s q[1];", "pow(0.5) @ z q[1];"), ("sdg q[1];", "inv @ pow(0.5) @ z q[1];"),
      ("t q[1];", "pow(0.5) @ s q[1];"), ("tdg q[1];", "inv @ pow(0.5) @ s q[1];"),
      ("sx q[1];", "pow(0.5) @ x q[1];"),
      ("rx(0.7) q[1];", "U(0.7, -pi/2, pi/2) q[1]; gphase(-0.35);"),
      ("ry(0.7) q[1];", "U(0.7, 0, 0) q[1]; gphase(-0.35);"),
      ("rz(0.7) q[1];", "gphase(-0.35); U(0, 0, 0.7) q[1];"),
      ("cx q[0], q[1];", "ctrl @ x q[0], q[1];"), ("cy q[0], q[1];", "ctrl @ y q[0], q[1];"),
      ("cz q[0], q[1];", "ctrl @ z q[0], q[1];"),
      ("cp(0.7) q[0], q[1];", "ctrl @ p(0.7) q[0], q[1];"),
      ("crx(0.7) q[0], q[1];", "ctrl @ rx(0.7) q[0], q[1];"),
      ("cry(0.7) q[0], q[1];", "ctrl @ ry(0.7) q[0], q[1];"),
      ("crz(0.7) q[0], q[1];", "ctrl @ rz(0.7) q[0], q[1];"),
      ("ch q[0], q[1];", "ctrl @ h q[0], q[1];"),
      ("swap q[0], q[1];", "cx q[0], q[1]; cx q[1], q[0]; cx q[0], q[1];"),
      ("ccx q[0], q[1], q[2];", "ctrl @ ctrl @ x q[0], q[1], q[2];"),
      ("cswap q[0], q[1], q[2];", "ctrl @ swap q[0], q[1], q[2];"),
      (
        "cu(0.3, 0.5, 0.7, 1.1) q[0], q[1];",
        "p(1.1 - 0.3/2) q[0]; ctrl @ U(0.3, 0.5, 0.7) q[0], q[1];"
      ),
      ("phase(0.7) q[1];", "U(0, 0, 0.7) q[1];"), ("u1(0.7) q[1];", "U(0, 0, 0.7) q[1];"),
      ("cphase(0.7) q[0], q[1];", "ctrl @ phase(0.7) q[0], q[1];"),
      ("id q[1];", "U(0, 0, 0) q[1];"),
      ("u2(0.5, 0.7) q[1];", "gphase(-(0.5+0.7+pi/2)/2); U(pi/2, 0.5, 0.7) q[1];"),
      ("u3(0.3, 0.5, 0.7) q[1];", "gphase(-(0.5+0.7+0.3)/2); U(0.3, 0.5, 0.7) q[1];"),
    ])
  func standardGate(program: String, definition: String) throws {
    try expectSame(program, definition)
  }

  @Test(
    "the same phases hold under control",
    arguments: [
      ("ctrl @ U(0.3, 0.5, 0.7) q[0], q[1];", "cu(0.3, 0.5, 0.7, 0.15) q[0], q[1];"),
      (
        "ctrl @ u3(0.3, 0.5, 0.7) q[0], q[1];",
        "ctrl @ U(0.3, 0.5, 0.7) q[0], q[1]; p(-0.75) q[0];"
      ),
      ("ctrl @ gphase(0.4) q[0];", "p(0.4) q[0];"),
      ("negctrl @ gphase(0.4) q[0];", "x q[0]; p(0.4) q[0]; x q[0];"),
      ("ctrl(2) @ gphase(0.4) q[0], q[1];", "cp(0.4) q[0], q[1];"),
      ("ctrl @ rz(0.4) q[0], q[1];", "crz(0.4) q[0], q[1];"),
    ])
  func controlledPhase(program: String, equal: String) throws { try expectSame(program, equal) }

  @Test(
    "modifiers stack in any order on built-in and user gates",
    arguments: [
      ("inv @ g(0.7) q[0], q[1];", "inv @ rz(0.7) q[1]; cx q[0], q[1]; h q[0];"),
      ("inv @ inv @ g(0.7) q[0], q[1];", "g(0.7) q[0], q[1];"),
      ("pow(2) @ g(0.7) q[0], q[1];", "g(0.7) q[0], q[1]; g(0.7) q[0], q[1];"),
      (
        "pow(-2) @ g(0.7) q[0], q[1];",
        "inv @ g(0.7) q[0], q[1]; inv @ g(0.7) q[0], q[1];"
      ),
      ("pow(0) @ g(0.7) q[0], q[1];", ""),
      ("inv @ pow(-1) @ g(0.7) q[0], q[1];", "g(0.7) q[0], q[1];"),
      (
        "ctrl @ g(0.7) q[2], q[0], q[1];",
        "ch q[2], q[0]; ccx q[2], q[0], q[1]; crz(0.7) q[2], q[1];"
      ),
      (
        "negctrl @ inv @ pow(2) @ g(0.7) q[2], q[0], q[1];",
        "x q[2]; ctrl @ pow(2) @ inv @ g(0.7) q[2], q[0], q[1]; x q[2];"
      ),
      ("inv @ ctrl @ s q[0], q[1];", "ctrl @ sdg q[0], q[1];"),
      ("pow(0.5) @ ctrl @ x q[0], q[1];", "ctrl @ sx q[0], q[1];"),
      ("pow(0.5) @ single q[1];", "pow(0.5) @ h q[1];"),
      (
        "pow(0.5) @ U(0.3, 0.5, 0.7) q[1]; pow(0.5) @ U(0.3, 0.5, 0.7) q[1];",
        "U(0.3, 0.5, 0.7) q[1];"
      ),
      (
        "ctrl @ pow(0.5) @ U(pi, 0, pi) q[0], q[1]; ctrl @ pow(0.5) @ U(pi, 0, pi) q[0], q[1];",
        "ctrl @ U(pi, 0, pi) q[0], q[1];"
      ),
      ("pow(1/2.0) @ pow(1/2.0) @ z q[1];", "t q[1];"),
      ("pow(3) @ rx(0.5) q[1];", "rx(1.5) q[1];"),
      ("pow(3) @ sx q[1];", "x q[1]; sx q[1];"),
      ("inv @ U(0.3, 0.5, 0.7) q[1];", "U(-0.3, -0.7, -0.5) q[1];"),
      ("ctrl(2) @ x q[0], q[1], q[2];", "ccx q[0], q[1], q[2];"),
      (
        "negctrl @ ctrl @ x q[0], q[1], q[2];", "x q[0]; ccx q[0], q[1], q[2]; x q[0];"
      ),
      ("looped q[0], q[1];", "rx(0.1) q[0]; rx(0.1) q[1]; rx(0.2) q[0]; rx(0.2) q[1];"),
    ])
  func modifiers(program: String, equal: String) throws {
    let header = """
      include "stdgates.inc";
      gate g(a) x1, x2 { h x1; cx x1, x2; rz(a) x2; }
      gate single x1 { h x1; }
      gate looped x1, x2 { for int i in [1:2] { rx(i * 0.1) x1; rx(i / 10.0) x2; } }
      """
    try expectSame(program, equal, header: header)
  }

  @Test("a fractional power of a gate of several qubits is refused at its place")
  func fractionalPower() throws {
    let error = #expect(throws: QubusError.self) {
      try OpenQASM.compile(
        """
        include "stdgates.inc";
        gate g a, b { h a; cx a, b; }
        qubit[2] q;
        pow(0.5) @ g q[0], q[1];
        """)
    }
    #expect(error?.code == .unsupportedProgramFeature)
    #expect(error?.location?.line == 4)
    #expect(error?.message.contains("'g'") == true)
  }

  @Test("a power known at run time becomes an exponent, or an angle where the gate has one")
  func runTimePower() throws {
    let circuit = try OpenQASM.compile(
      """
      include "stdgates.inc";
      qubit q; input int[8] n; input float k;
      pow(n) @ rx(0.5) q; pow(n) @ x q; pow(k) @ x q;
      """)
    let n = Expression.cast(.float(width: 64), .input(0))
    #expect(
      circuit.operations == [
        .gate(GateApplication(.rx, [.binary(.multiply, n, .radians(0.5))], targets: [0])),
        .gate(GateApplication(.x, targets: [0], exponent: n)),
        .gate(
          GateApplication(.x, targets: [0], exponent: .cast(.float(width: 64), .input(1)))),
      ])
  }

  @Test(
    "OpenQASM 2 gates act as Qiskit's",
    arguments: [
      ("u2(0.5,0.7) q[1];", "u3(pi/2,0.5,0.7) q[1];"), ("u1(0.7) q[1];", "p(0.7) q[1];"),
      ("u(0.3,0.5,0.7) q[1];", "U(0.3,0.5,0.7) q[1];"), ("u0(1) q[1];", "id q[1];"),
      ("c3sqrtx q[0],q[1],q[2],q[3]; c3sqrtx q[0],q[1],q[2],q[3];", "c3x q[0],q[1],q[2],q[3];"),
      ("csx q[0],q[1]; csx q[0],q[1];", "cx q[0],q[1];"),
      ("rzz(0.7) q[0],q[1];", "cx q[0],q[1]; rz(0.7) q[1]; cx q[0],q[1];"),
      ("rxx(0.7) q[0],q[1];", "h q; rzz(0.7) q[0],q[1]; h q;"),
      (
        "rccx q[0],q[1],q[2];",
        "h q[2]; t q[2]; cx q[1],q[2]; tdg q[2]; cx q[0],q[2]; "
          + "t q[2]; cx q[1],q[2]; tdg q[2]; h q[2];"
      ),
      ("rccx q[0],q[1],q[2]; rccx q[0],q[1],q[2];", ""),
      ("cu(0.3,0.5,0.7,0) q[0],q[1];", "cu3(0.3,0.5,0.7) q[0],q[1];"),
      ("rx(2^2^1/8) q[0];", "rx(0.5) q[0];"), ("rx(-2^2/8) q[0];", "rx(-0.5) q[0];"),
      ("rx(1/2) q[0];", "rx(0.5) q[0];"), ("rx(ln(exp(0.5))) q[0];", "rx(0.5) q[0];"),
    ])
  func qiskit(program: String, equal: String) throws {
    func state(_ program: String) throws -> [Complex] {
      let circuit = try OpenQASM.compile(
        """
        OPENQASM 2.0;
        include "qelib1.inc";
        qreg q[4];
        rx(0.3) q[0]; ry(1.1) q[1]; rz(0.7) q[2]; h q; cx q[0],q[1]; rx(0.9) q[2]; cx q[2],q[3];
        \(program)
        """)
      return try #require(try DenseReference(circuit: circuit).run().first).state
    }
    let difference = zip(try state(program), try state(equal))
      .map { ($0 - $1).squaredMagnitude }.reduce(0, +)
    #expect(difference < 1e-18)
  }
}
