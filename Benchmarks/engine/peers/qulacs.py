"""Qulacs: complex128; without its optimizer, with the light one and with blocks of 2 to 4 qubits,
whichever is the fastest in the warm-up. The time to optimise stands apart.

Timed: `set_zero_state` and `update_quantum_state` on a state that is there already.
"""
import time

import numpy
import qulacs
from qulacs import gate as gates
from qulacs.circuit import QuantumCircuitOptimizer

from circuit import Circuit, matrix_of
from peers.worker import Output, Unsupported, Worker, best_of, serve

FIXED = {
    "h": gates.H, "x": gates.X, "y": gates.Y, "z": gates.Z, "s": gates.S, "sdg": gates.Sdag,
    "t": gates.T, "tdg": gates.Tdag, "sx": gates.sqrtX, "sxdg": gates.sqrtXdag,
    "cx": gates.CNOT, "cz": gates.CZ, "swap": gates.SWAP, "ccx": gates.TOFFOLI,
}
PAULI = {"I": 0, "X": 1, "Y": 2, "Z": 3}


def operation(gate: list):
    """A gate of Qulacs; its rotations turn the other way round, hence the signs."""
    name, qubits, angles = gate
    if name in FIXED:
        return FIXED[name](*qubits)
    if name == "unitary":  # the first index is the low bit
        return gates.DenseMatrix(qubits, matrix_of(gate))
    if name == "u":
        return gates.U3(qubits[0], *angles)
    if name in {"rx", "ry", "rz"}:
        return getattr(gates, name.upper())(qubits[0], -angles[0])
    if name == "p":
        return gates.U1(qubits[0], angles[0])
    if name in {"rxx", "ryy", "rzz"}:
        return gates.PauliRotation(qubits, [PAULI[name[1].upper()]] * 2, -angles[0])
    target = qubits[-1]
    base = {"cp": lambda: gates.U1(target, angles[0]), "mcp": lambda: gates.U1(target, angles[0]),
            "cy": lambda: gates.Y(target), "ch": lambda: gates.H(target),
            "mcx": lambda: gates.X(target), "mcz": lambda: gates.Z(target)}[name]()
    controlled = gates.to_matrix_gate(base)
    for control in qubits[:-1]:
        controlled.add_control_qubit(control, 1)
    return controlled


def build(circuit: Circuit, variant: str):
    """The circuit after one variant of optimisation, and the seconds that took."""
    result = qulacs.QuantumCircuit(circuit.qubits)
    for gate in circuit.gates:
        result.add_gate(operation(gate))
    start = time.perf_counter()
    if variant == "light":
        QuantumCircuitOptimizer().optimize_light(result)
    elif variant != "plain":
        QuantumCircuitOptimizer().optimize(result, int(variant.split()[1]))
    return result, time.perf_counter() - start


def operator_of(observable: list[dict], qubits: int):
    result = qulacs.Observable(qubits)
    for term in observable:
        letters = [f"{letter} {q}" for q, letter in enumerate(reversed(term["pauli"]))
                   if letter != "I"]
        result.add_operator(term["coefficient"], " ".join(letters))
    return result


class Qulacs(Worker):
    def __init__(self, output: Output) -> None:
        self._state = None

    def load(self, tuning: Circuit | None) -> dict:
        if self.precision != "double":
            raise Unsupported("complex64")
        sample = tuning or self.circuit
        state = qulacs.QuantumState(sample.qubits)
        variants = ["plain", "light", "block 2", "block 3", "block 4"]
        built = {v: build(sample, v)[0] for v in variants}
        chosen = best_of(variants, lambda v: self._run(built[v], state))
        del built, state
        self._circuit, optimising = build(self.circuit, chosen)
        self._state = qulacs.QuantumState(self.circuit.qubits)
        return {"settings": chosen, "plan_seconds": optimising}

    @staticmethod
    def _run(circuit, state) -> float:
        start = time.perf_counter()
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return time.perf_counter() - start

    def evolve(self) -> tuple[float, float]:
        seconds = self._run(self._circuit, self._state)
        return seconds, seconds

    def state(self) -> numpy.ndarray:
        return self._state.get_vector()

    def energy(self, observable: list[dict]):
        operator = operator_of(observable, self.circuit.qubits)

        def evaluate() -> float:
            self._state.set_zero_state()
            self._circuit.update_quantum_state(self._state)
            return operator.get_expectation_value(self._state)

        return evaluate

    def gradient(self, observable: list[dict]):
        circuit = qulacs.ParametricQuantumCircuit(self.circuit.qubits)
        marked = set(self.circuit.inputs)
        for index, gate in enumerate(self.circuit.gates):
            if index in marked:
                name, (qubit,), (angle,) = gate
                getattr(circuit, f"add_parametric_{name.upper()}_gate")(qubit, -angle)
            else:
                circuit.add_gate(operation(gate))
        operator = operator_of(observable, self.circuit.qubits)
        calculator = qulacs.GradCalculator()
        ways = [lambda: circuit.backprop(operator),
                lambda: calculator.calculate_grad(circuit, operator)]

        def seconds_of(way) -> float:
            start = time.perf_counter()
            way()
            return time.perf_counter() - start

        best = best_of(ways, seconds_of)
        return lambda: [-complex(value).real for value in best()]

    def sample(self, shots: int, seed: int) -> tuple[float, int]:
        start = time.perf_counter()
        drawn = self._state.sampling(shots, seed)
        outcomes = numpy.unique(numpy.array(drawn), return_counts=True)[0]
        return time.perf_counter() - start, len(outcomes)

    def release(self) -> None:
        self._state = self._circuit = None

    def versions(self) -> dict:
        return {"qulacs": qulacs.__version__}


if __name__ == "__main__":
    serve(Qulacs)
