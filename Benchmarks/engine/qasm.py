"""OpenQASM text of a circuit: what Qubus reads.

OpenQASM 2 where its library has every gate, else OpenQASM 3 (multi-controlled gates, inputs). A
`unitary` on two qubits is written as its Weyl form u·u·rxx·ryy·rzz·u·u (7 gates for one dense
block), because OpenQASM has no matrices.
"""
import cirq
import numpy

from circuit import Circuit, matrix_of

# OpenQASM 3 has no such gates in its library.
DEFINITIONS_3 = """gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }
gate rxx(t) a, b { h a; h b; rzz(t) a, b; h a; h b; }
gate ryy(t) a, b { rx(pi/2) a; rx(pi/2) b; rzz(t) a, b; rx(-pi/2) a; rx(-pi/2) b; }
gate sxdg a { inv @ sx a; }
gate u(t, f, l) a { U(t, f, l) a; gphase(-t/2); }
"""


def text(circuit: Circuit, *, measured: bool = False, with_inputs: bool = False) -> str:
    """
    - measured: ends with a measurement of every qubit into the bit of the same number.
    - with_inputs: the marked angles become inputs `t0`, `t1`, …
    """
    is_3 = with_inputs or any(g[0] in {"mcx", "mcz", "mcp"} for g in circuit.gates)
    lines = []
    if is_3:
        lines += ["OPENQASM 3.0;", 'include "stdgates.inc";', DEFINITIONS_3]
        if with_inputs:
            lines += [f"input float[64] t{i};" for i in range(len(circuit.inputs))]
        lines += [f"qubit[{circuit.qubits}] q;"]
        lines += [f"bit[{circuit.qubits}] c;"] if measured else []
    else:
        lines += ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{circuit.qubits}];"]
        lines += [f"creg c[{circuit.qubits}];"] if measured else []
    names = {index: f"t{i}" for i, index in enumerate(circuit.inputs)} if with_inputs else {}
    for index, gate in enumerate(circuit.gates):
        lines += statements(gate, names.get(index))
    if measured:
        lines += ["c = measure q;" if is_3 else "measure q -> c;"]
    return "\n".join(lines) + "\n"


def statements(gate: list, input_name: str | None = None) -> list[str]:
    """The statements of one gate."""
    name, qubits, numbers = gate
    if name == "unitary":
        return weyl_statements(gate)
    operands = ", ".join(f"q[{q}]" for q in qubits)
    angles = input_name or ", ".join(repr(a) for a in numbers)
    call = f"({angles})" if angles else ""
    if name in {"mcx", "mcz", "mcp"}:
        return [f"ctrl({len(qubits) - 1}) @ {name[2:]}{call} {operands};"]
    return [f"{name}{call} {operands};"]


def weyl_statements(gate: list) -> list[str]:
    """One- or two-qubit unitary as library gates, up to a global phase."""
    matrix, qubits = matrix_of(gate), gate[1]
    if len(qubits) == 1:
        return [u_statement(matrix, qubits[0])]
    # cirq: matrix = g · (a1 ⊗ a0) · exp(i(x XX + y YY + z ZZ)) · (b1 ⊗ b0), high bit first.
    parts = cirq.kak_decomposition(matrix)
    b1, b0 = parts.single_qubit_operations_before
    a1, a0 = parts.single_qubit_operations_after
    low, high = qubits
    lines = [u_statement(b1, high), u_statement(b0, low)]
    for name, coefficient in zip(("rxx", "ryy", "rzz"), parts.interaction_coefficients):
        lines.append(f"{name}({float(-2 * coefficient)!r}) q[{low}], q[{high}];")
    return lines + [u_statement(a1, high), u_statement(a0, low)]


def u_statement(matrix: numpy.ndarray, qubit: int) -> str:
    """u(θ, φ, λ) equal to the matrix up to a phase."""
    theta = 2 * numpy.arctan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    if abs(matrix[0, 0]) > 1e-12:
        phi = numpy.angle(matrix[1, 0] / matrix[0, 0]) if abs(matrix[1, 0]) > 1e-12 else 0.0
        sum_angle = numpy.angle(matrix[1, 1] / matrix[0, 0]) if abs(matrix[1, 1]) > 1e-12 else 0.0
        lam = sum_angle - phi
    else:
        phi, lam = numpy.angle(matrix[1, 0] / -matrix[0, 1]), 0.0
    return f"u({float(theta)!r}, {float(phi)!r}, {float(lam)!r}) q[{qubit}];"
