"""The circuit of `scripts/bench loop`: three layers of RY and RZ with a ring of CZ, 100 random terms.

A case is a folder: program.qasm, observable.txt (a Pauli string and a coefficient a line, leftmost
letter on the highest qubit), parameters.f64 (rows of little-endian float64) and case.json.
"""
from __future__ import annotations

import json
import pathlib

import numpy

LAYERS, TERMS, ROWS = 3, 100, 64


def rotations(qubits: int, last_layer: bool = False) -> list[tuple[str, int]]:
    """Gate and qubit of every parameter, in order; the ring follows every 2 × `qubits`."""
    layer = [(gate, q) for q in range(qubits) for gate in ("ry", "rz")]
    return layer * LAYERS + [("ry", q) for q in range(qubits)] * last_layer


def ring(qubits: int) -> list[tuple[int, int]]:
    return [(q, (q + 1) % qubits) for q in range(qubits)]


def program(qubits: int, last_layer: bool = False) -> str:
    """OpenQASM 3 with an input for every angle."""
    places = rotations(qubits, last_layer)
    lines = ["OPENQASM 3;", 'include "stdgates.inc";']
    lines += [f"input float t{number};" for number in range(len(places))]
    lines.append(f"qubit[{qubits}] q;")
    for number, (gate, qubit) in enumerate(places):
        lines.append(f"{gate}(t{number}) q[{qubit}];")
        if (number + 1) % (2 * qubits) == 0:
            lines += [f"cz q[{a}], q[{b}];" for a, b in ring(qubits)]
    return "\n".join(lines) + "\n"


class Case:
    """One size, made from a seed."""

    def __init__(self, qubits: int, seed: int = 7):
        dice = numpy.random.default_rng([seed, qubits])
        self.qubits = qubits
        self.places = rotations(qubits)
        self.program = program(qubits)
        letters = dice.choice(list("IXYZ"), (TERMS, qubits))
        coefficients = dice.normal(size=TERMS)
        self.terms = [("".join(row), float(c)) for row, c in zip(letters, coefficients)]
        self.parameters = dice.uniform(-numpy.pi, numpy.pi, (ROWS, len(self.places)))

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        folder.mkdir()
        (folder / "program.qasm").write_text(self.program)
        (folder / "observable.txt").write_text(
            "".join(f"{pauli} {coefficient!r}\n" for pauli, coefficient in self.terms))
        (folder / "parameters.f64").write_bytes(self.parameters.astype("<f8").tobytes())
        (folder / "case.json").write_text(json.dumps(
            {"qubits": self.qubits, "parameters": len(self.places), "rows": ROWS}))
        return folder

    @classmethod
    def read(cls, folder: str) -> Case:
        """The case of a folder; the files are what counts."""
        path = pathlib.Path(folder)
        self = cls.__new__(cls)
        self.qubits = json.loads((path / "case.json").read_text())["qubits"]
        self.places = rotations(self.qubits)
        self.program = (path / "program.qasm").read_text()
        pairs = [line.split() for line in (path / "observable.txt").read_text().splitlines()]
        self.terms = [(pauli, float(coefficient)) for pauli, coefficient in pairs]
        self.parameters = numpy.fromfile(path / "parameters.f64", "<f8").reshape(ROWS, -1)
        return self
