"""A slow, obvious evaluator of small OpenQASM programs: independent truth for sessions.

Knows inputs, gate definitions, one or more quantum registers, and measurement at the end.
"""
from __future__ import annotations

import math
import re

import numpy

_X = numpy.array([[0, 1], [1, 0]], complex)
_Y = numpy.array([[0, -1j], [1j, 0]])
_Z = numpy.diag([1, -1]).astype(complex)
PAULI = {"I": numpy.eye(2, dtype=complex), "X": _X, "Y": _Y, "Z": _Z}


def _turn(pauli: numpy.ndarray, angle: float) -> numpy.ndarray:
    return math.cos(angle / 2) * numpy.eye(2) - 1j * math.sin(angle / 2) * pauli


def _controlled(matrix: numpy.ndarray) -> numpy.ndarray:
    """The control is the first operand, which is the low bit of the matrix's index."""
    result = numpy.eye(4, dtype=complex)
    result[1::2, 1::2] = matrix
    return result


def _two(pauli: numpy.ndarray, angle: float) -> numpy.ndarray:
    return (math.cos(angle / 2) * numpy.eye(4)
            - 1j * math.sin(angle / 2) * numpy.kron(pauli, pauli))


GATES = {
    "h": lambda: numpy.array([[1, 1], [1, -1]]) / math.sqrt(2), "x": lambda: _X, "y": lambda: _Y,
    "z": lambda: _Z, "s": lambda: numpy.diag([1, 1j]), "sdg": lambda: numpy.diag([1, -1j]),
    "rx": lambda t: _turn(_X, t), "ry": lambda t: _turn(_Y, t), "rz": lambda t: _turn(_Z, t),
    "cx": lambda: _controlled(_X), "cz": lambda: _controlled(_Z),
    "cry": lambda t: _controlled(_turn(_Y, t)), "rzz": lambda t: _two(_Z, t),
}


class Program:
    """A parsed program: `parameters` are its inputs, `state(values)` its final state."""

    def __init__(self, source: str):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.S)
        self.definitions: dict[str, tuple[list[str], list[str], list[tuple]]] = {}
        for name, angles, operands, body in re.findall(
                r"\bgate\s+(\w+)\s*(?:\(([^)]*)\))?\s*([^{]*)\{([^}]*)\}", text):
            self.definitions[name] = (
                _listed(angles), _listed(operands), [_call(s) for s in _statements(body)])
        text = re.sub(r"\bgate\b[^{]*\{[^}]*\}", " ", text)
        self.parameters: list[str] = []
        self.qubits = self.bits = 0
        self._registers: dict[str, range] = {}
        self.calls: list[tuple] = []
        for statement in _statements(text):
            self._take(statement)

    def _take(self, statement: str) -> None:
        if found := re.match(r"input\s+(?:float|angle)(?:\[\d+\])?\s+(\w+)$", statement):
            self.parameters.append(found[1])
        elif found := re.match(r"qubit(?:\[(\d+)\])?\s+(\w+)$", statement):
            size = int(found[1] or 1)
            self._registers[found[2]] = range(self.qubits, self.qubits + size)
            self.qubits += size
        elif found := re.match(r"bit(?:\[(\d+)\])?\s+(\w+)$", statement):
            self.bits += int(found[1] or 1)
        elif not re.match(r"OPENQASM|include|\w+(\[\d+\])?\s*=\s*measure", statement):
            self.calls.append(_call(statement))

    def _qubits_of(self, operand: str) -> list[int]:
        found = re.match(r"(\w+)(?:\[(\d+)\])?$", operand)
        assert found, operand
        register = self._registers[found[1]]
        return list(register) if found[2] is None else [register[int(found[2])]]

    def state(self, values) -> numpy.ndarray:
        """Qubit 0 is the low bit of the index."""
        state = numpy.zeros(2**self.qubits, complex)
        state[0] = 1
        names = dict(zip(self.parameters, map(float, values)))
        for name, angles, operands in self.calls:
            lists = [self._qubits_of(operand) for operand in operands]
            for number in range(max(map(len, lists))):
                qubits = [each[number] if len(each) > 1 else each[0] for each in lists]
                state = self._apply(state, name, [_number(a, names) for a in angles], qubits)
        return state

    def _apply(self, state, name: str, angles: list[float], qubits: list[int]):
        if name in self.definitions:
            angle_names, operands, body = self.definitions[name]
            names, places = dict(zip(angle_names, angles)), dict(zip(operands, qubits))
            for inner, inner_angles, inner_operands in body:
                state = self._apply(state, inner, [_number(a, names) for a in inner_angles],
                                    [places[operand] for operand in inner_operands])
            return state
        matrix, count = GATES[name](*angles), len(qubits)
        axes = [self.qubits - 1 - qubit for qubit in reversed(qubits)]
        tensor = numpy.moveaxis(state.reshape([2] * self.qubits), axes, range(count))
        shape = tensor.shape
        tensor = (matrix @ tensor.reshape(2**count, -1)).reshape(shape)
        return numpy.moveaxis(tensor, range(count), axes).reshape(-1)


def _statements(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _call(statement: str) -> tuple[str, list[str], list[str]]:
    found = re.match(r"(\w+)\s*(?:\((.*)\))?\s*(.*)$", statement)
    assert found, statement
    return found[1], _listed(found[2] or ""), _listed(found[3])


def _number(expression: str, names: dict[str, float]) -> float:
    """An angle, whose text comes from this repository's own tests and examples."""
    return float(eval(expression, {"__builtins__": {}, "pi": math.pi}, names))


def expectation(state: numpy.ndarray, terms) -> float:
    """Of a Pauli sum; the leftmost letter acts on the highest qubit."""
    index, total = numpy.arange(state.size), 0.0
    for letters, coefficient in terms:
        flips = sum(1 << q for q, letter in enumerate(reversed(letters)) if letter in "XY")
        factors = numpy.ones(state.size, complex)
        for qubit, letter in enumerate(reversed(letters)):
            bit = index >> qubit & 1
            if letter == "Z":
                factors *= 1 - 2 * bit
            elif letter == "Y":
                factors *= 1j * (1 - 2 * bit)
        # P|b> = factor(b) |b ^ flips>
        total += coefficient * numpy.vdot(state[index ^ flips], factors * state).real
    return total


def gradient(program: Program, values, terms, step: float = 1e-4) -> numpy.ndarray:
    """By central differences of fourth order: good to about 1e-11."""
    result = numpy.empty(len(values))
    for number in range(len(values)):
        at = []
        for offset in (-2, -1, 1, 2):
            moved = numpy.array(values, float)
            moved[number] += offset * step
            at.append(expectation(program.state(moved), terms))
        result[number] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    return result
