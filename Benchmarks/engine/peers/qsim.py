"""qsim: complex64, fusion of the best size from 2 to 5 found in the warm-up.

Timed: qsim's own "simu time", which is the application of the fused gates alone; fusion, memory,
and the conversion of the state's layout are outside of it and inside `call_seconds`.
"""
import re
import time

import cirq
import numpy
import qsimcirq

from circuit import Circuit, matrix_of, u_matrix
from peers.worker import Output, Unsupported, Worker, best_of, serve

FIXED = {
    "h": cirq.H, "x": cirq.X, "y": cirq.Y, "z": cirq.Z, "s": cirq.S, "sdg": cirq.S**-1,
    "t": cirq.T, "tdg": cirq.T**-1, "sx": cirq.MatrixGate(cirq.unitary(cirq.X**0.5)),
    "sxdg": cirq.MatrixGate(cirq.unitary(cirq.X**-0.5)), "cx": cirq.CNOT, "cz": cirq.CZ,
    "cy": cirq.Y.controlled(), "ch": cirq.H.controlled(), "swap": cirq.SWAP,
    "ccx": cirq.X.controlled(2),
}
TURNS = 1 / numpy.pi


def operation(gate: list):
    """A gate on cirq's line qubits."""
    name, numbers, angles = gate
    qubits = [cirq.LineQubit(q) for q in numbers]
    if name in FIXED:
        return FIXED[name](*qubits)
    if name == "unitary":  # cirq's first qubit is the high bit
        return cirq.MatrixGate(matrix_of(gate)).on(*reversed(qubits))
    if name == "u":
        return cirq.MatrixGate(u_matrix(*angles)).on(*qubits)
    if name in {"rx", "ry", "rz"}:
        return getattr(cirq, name)(angles[0]).on(*qubits)
    if name == "p":
        return cirq.ZPowGate(exponent=angles[0] * TURNS).on(*qubits)
    if name == "cp":
        return cirq.CZPowGate(exponent=angles[0] * TURNS).on(*qubits)
    if name in {"rxx", "ryy", "rzz"}:
        power = {"rxx": cirq.XXPowGate, "ryy": cirq.YYPowGate, "rzz": cirq.ZZPowGate}[name]
        matrix = cirq.unitary(power(exponent=angles[0] * TURNS, global_shift=-0.5))
        return cirq.MatrixGate(matrix).on(*qubits)
    base = {"mcx": cirq.X, "mcz": cirq.Z}.get(name) or cirq.ZPowGate(exponent=angles[0] * TURNS)
    return base.controlled(len(qubits) - 1).on(*qubits)


class QSim(Worker):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._module = qsimcirq.qsim
        self._result = None

    def load(self, tuning: Circuit | None) -> dict:
        if self.precision != "single":
            raise Unsupported("complex128")
        self._translated = self._translate(self.circuit)
        # Fast enough to be tuned on the circuit itself.
        self._run(self._translated, 2)
        self._fused = best_of([2, 3, 4, 5], lambda f: self._run(self._translated, f)[0])
        return {"settings": f"fused {self._fused}"}

    def _translate(self, circuit: Circuit):
        order = [cirq.LineQubit(q) for q in reversed(range(circuit.qubits))]
        # Every qubit takes part, so that the state has all of them.
        source = cirq.Circuit(
            [cirq.I(q) for q in order], [operation(g) for g in circuit.gates])
        return qsimcirq.QSimCircuit(source).translate_cirq_to_qsim(order)

    def _options(self, translated, fused: int) -> dict:
        options = qsimcirq.QSimOptions(
            cpu_threads=self.threads, max_fused_gate_size=fused, verbosity=1).as_dict()
        options.update(c=translated[0] if isinstance(translated, tuple) else translated, s=1)
        return options

    def _run(self, translated, fused: int) -> tuple[float, float]:
        self._result = None
        self._output.take_printed()
        start = time.perf_counter()
        self._result = self._module.qsim_simulate_fullstate(self._options(translated, fused), 0)
        whole = time.perf_counter() - start
        printed = re.findall(r"sim\w* time is ([\d.e+-]+)", self._output.take_printed())
        return (float(printed[-1]) if printed else whole), whole

    def evolve(self) -> tuple[float, float]:
        return self._run(self._translated, self._fused)

    def state(self) -> numpy.ndarray:
        return self._result.view(numpy.complex64)

    def sample(self, shots: int, seed: int) -> tuple[float, int]:
        order = [cirq.LineQubit(q) for q in reversed(range(self.circuit.qubits))]
        source = cirq.Circuit([operation(g) for g in self.circuit.gates], cirq.measure(*order))
        options = qsimcirq.QSimOptions(
            cpu_threads=self.threads, max_fused_gate_size=self._fused)
        simulator = qsimcirq.QSimSimulator(options, seed=seed)
        start = time.perf_counter()
        bits = next(iter(simulator.run(source, repetitions=shots).records.values()))
        keys = bits.reshape(shots, -1) @ (1 << numpy.arange(bits.shape[-1]))
        outcomes = numpy.unique(keys, return_counts=True)[0]
        return time.perf_counter() - start - self.evolve()[1], len(outcomes)

    def release(self) -> None:
        self._result = self._translated = None

    def versions(self) -> dict:
        return {"qsimcirq": qsimcirq.__version__, "cirq": cirq.__version__,
                "qsim module": self._module.__name__}


if __name__ == "__main__":
    serve(QSim)
