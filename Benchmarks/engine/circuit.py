"""A circuit as every engine gets it: a list of named gates, kept as one JSON file.

A gate is `[name, qubits, numbers]`; qubit 0 is the least significant bit of an amplitude's index.
`unitary` carries its matrix as re, im pairs, row by row, with qubits[0] as the low bit. The others
are the gates of Qiskit's library of the same name; `mcx`, `mcz` and `mcp` have their target last.
"""
import dataclasses
import json
import math
import pathlib

import numpy

ONE_QUBIT = {"h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u"}
TWO_QUBIT = {"cx", "cy", "cz", "ch", "cp", "swap", "rxx", "ryy", "rzz"}
NAMES = ONE_QUBIT | TWO_QUBIT | {"ccx", "mcx", "mcz", "mcp", "unitary"}


@dataclasses.dataclass
class Circuit:
    """`inputs` marks the gates whose angle is an input of the program (for gradients)."""

    qubits: int
    gates: list = dataclasses.field(default_factory=list)
    inputs: list = dataclasses.field(default_factory=list)

    def add(self, name: str, *qubits: int, angles: tuple = (), is_input: bool = False) -> None:
        if is_input:
            self.inputs.append(len(self.gates))
        self.gates.append([name, [int(q) for q in qubits], [float(a) for a in angles]])

    def add_unitary(self, matrix: numpy.ndarray, *qubits: int) -> None:
        numbers = numpy.ascontiguousarray(matrix, dtype=numpy.complex128).view(numpy.float64)
        self.gates.append(["unitary", [int(q) for q in qubits], numbers.ravel().tolist()])

    def input_values(self) -> list[float]:
        return [self.gates[index][2][0] for index in self.inputs]

    def write(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | pathlib.Path) -> "Circuit":
        return cls(**json.loads(pathlib.Path(path).read_text()))


def matrix_of(gate: list) -> numpy.ndarray:
    """The matrix of a `unitary` gate."""
    numbers = numpy.array(gate[2]).view(numpy.complex128)
    side = math.isqrt(len(numbers))
    return numbers.reshape(side, side)


def u_matrix(theta: float, phi: float, lam: float) -> numpy.ndarray:
    """The one-qubit gate u of OpenQASM 2."""
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    e = lambda angle: complex(math.cos(angle), math.sin(angle))
    return numpy.array([[c, -e(lam) * s], [e(phi) * s, e(phi + lam) * c]])


def with_product_start(circuit: Circuit, seed: int) -> Circuit:
    """The same circuit behind one seeded random u(θ, φ, λ) on every qubit, so that it starts from a
    random product state. The layer is part of the circuit, and timed, for every engine."""
    random = numpy.random.default_rng([seed, circuit.qubits])
    front = Circuit(circuit.qubits)
    for qubit in range(circuit.qubits):
        theta = math.acos(random.uniform(-1, 1))
        front.add("u", qubit, angles=(theta, *random.uniform(0, 2 * math.pi, 2)))
    return Circuit(
        circuit.qubits, front.gates + circuit.gates,
        [index + len(front.gates) for index in circuit.inputs])
