"""PennyLane lightning.qubit: complex64 or complex128, gates that its C++ core applies directly.

Timed: the reset and `apply_operations` on a state vector that is there already.
"""
import time
import warnings

import numpy
import pennylane
from pennylane.devices import ExecutionConfig
from pennylane_lightning.lightning_qubit._state_vector import LightningStateVector

from circuit import Circuit, matrix_of, u_matrix
from peers.worker import Output, Worker, serve

FIXED = {
    "h": pennylane.Hadamard, "x": pennylane.PauliX, "y": pennylane.PauliY, "z": pennylane.PauliZ,
    "s": pennylane.S, "t": pennylane.T, "cx": pennylane.CNOT, "cy": pennylane.CY,
    "cz": pennylane.CZ, "ch": pennylane.CH, "swap": pennylane.SWAP, "ccx": pennylane.Toffoli,
    "sx": pennylane.SX,
}
ANGLED = {
    "rx": pennylane.RX, "ry": pennylane.RY, "rz": pennylane.RZ, "p": pennylane.PhaseShift,
    "cp": pennylane.ControlledPhaseShift, "rxx": pennylane.IsingXX, "ryy": pennylane.IsingYY,
    "rzz": pennylane.IsingZZ,
}
PAULI = {"X": pennylane.PauliX, "Y": pennylane.PauliY, "Z": pennylane.PauliZ}


def operation(gate: list, size: int):
    """A gate of PennyLane; its wire 0 is the highest qubit."""
    name, qubits, angles = gate
    wires = [size - 1 - q for q in qubits]
    if name in FIXED:
        return FIXED[name](wires=wires)
    if name in ANGLED:
        return ANGLED[name](angles[0], wires=wires)
    if name in {"sdg", "tdg", "sxdg"}:
        return pennylane.adjoint(FIXED[name[:-2]](wires=wires))
    if name == "u":
        return pennylane.QubitUnitary(u_matrix(*angles), wires=wires)
    if name == "unitary":  # the first wire is the high bit
        return pennylane.QubitUnitary(matrix_of(gate), wires=wires[::-1])
    target = wires[-1]
    base = {"mcx": lambda: pennylane.PauliX(target), "mcz": lambda: pennylane.PauliZ(target),
            "mcp": lambda: pennylane.PhaseShift(angles[0], target)}[name]()
    return pennylane.ctrl(base, control=wires[:-1])


def operator_of(observable: list[dict]):
    """A Hamiltonian; letter k of a string acts on wire k."""
    terms = []
    for term in observable:
        factors = [PAULI[c](w) for w, c in enumerate(term["pauli"]) if c != "I"]
        terms.append(pennylane.prod(*factors) if len(factors) > 1 else
                     factors[0] if factors else pennylane.Identity(0))
    return pennylane.Hamiltonian([t["coefficient"] for t in observable], terms)


class Lightning(Worker):
    def __init__(self, output: Output) -> None:
        self._vector = None
        warnings.simplefilter("ignore")

    def _kind(self):
        return numpy.complex64 if self.precision == "single" else numpy.complex128

    def load(self, tuning: Circuit | None) -> dict:
        size = self.circuit.qubits
        self._operations = [operation(g, size) for g in self.circuit.gates]
        self._vector = LightningStateVector(num_wires=size, dtype=self._kind())
        return {"settings": "lightning.qubit"}

    def evolve(self) -> tuple[float, float]:
        start = time.perf_counter()
        self._vector.reset_state()
        self._vector.apply_operations(self._operations)
        seconds = time.perf_counter() - start
        return seconds, seconds

    def state(self) -> numpy.ndarray:
        return self._vector.state

    def _device(self):
        return pennylane.device(
            "lightning.qubit", wires=self.circuit.qubits, c_dtype=self._kind(), batch_obs=True)

    def energy(self, observable: list[dict]):
        device = self._device()
        tape = pennylane.tape.QuantumScript(
            self._operations, [pennylane.expval(operator_of(observable))])
        return lambda: float(device.execute(tape))

    def gradient(self, observable: list[dict]):
        device = self._device()
        tape = pennylane.tape.QuantumScript(
            self._operations, [pennylane.expval(operator_of(observable))])
        parameters, index = [], 0
        marked = set(self.circuit.inputs)
        for number, made in enumerate(self._operations):
            if number in marked:
                parameters.append(index)
            index += made.num_params
        tape.trainable_params = parameters
        config = device.setup_execution_config(ExecutionConfig(gradient_method="adjoint"), tape)
        return lambda: device.compute_derivatives(tape, config)

    def sample(self, shots: int, seed: int) -> tuple[float, int]:
        device = pennylane.device(
            "lightning.qubit", wires=self.circuit.qubits, c_dtype=self._kind(), seed=seed)
        tape = pennylane.tape.QuantumScript(
            self._operations, [pennylane.counts(all_outcomes=False)], shots=shots)
        start = time.perf_counter()
        counts = device.execute(tape)
        whole = time.perf_counter() - start
        return whole - self.evolve()[0], len(counts)

    def release(self) -> None:
        self._vector = None
        self._operations = []

    def versions(self) -> dict:
        from importlib.metadata import version
        return {"pennylane-lightning": version("pennylane-lightning"),
                "pennylane": pennylane.__version__}


if __name__ == "__main__":
    serve(Lightning)
