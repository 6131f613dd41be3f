"""Qiskit Aer: statevector method, fusion on, single or double precision.

Timed: the experiment's own `time_taken` less the copy that `save_statevector` makes is not told
apart by Aer, so it is `time_taken`, with fusion and memory inside; conversion from Python is
outside of it and inside `call_seconds`.
"""
import time

import numpy
import qiskit
import qiskit_aer
from qiskit.circuit.library import UGate, UnitaryGate, MCPhaseGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.primitives import EstimatorV2

from circuit import Circuit, matrix_of
from peers.worker import Output, Worker, serve


def translated(circuit: Circuit) -> qiskit.QuantumCircuit:
    """The circuit in Qiskit's gates, all of which Aer applies as they are."""
    result = qiskit.QuantumCircuit(circuit.qubits)
    for gate in circuit.gates:
        name, qubits, angles = gate
        if name == "unitary":
            result.append(UnitaryGate(matrix_of(gate), check_input=False), qubits)
        elif name == "u":
            result.append(UGate(*angles), qubits)
        elif name == "mcx":
            result.mcx(qubits[:-1], qubits[-1])
        elif name in {"mcz", "mcp"}:
            angle = angles[0] if angles else numpy.pi
            result.append(MCPhaseGate(angle, len(qubits) - 1), qubits)
        else:
            getattr(result, name)(*angles, *qubits)
    return result


class Aer(Worker):
    def __init__(self, output: Output) -> None:
        self._state = None

    def load(self, tuning: Circuit | None) -> dict:
        self._plain = translated(self.circuit)
        self._circuit = self._plain.copy()
        self._circuit.save_statevector()
        self._simulator = qiskit_aer.AerSimulator(
            method="statevector", precision=self.precision, fusion_enable=True,
            max_parallel_threads=self.threads)
        return {"settings": "fusion on"}

    def evolve(self) -> tuple[float, float]:
        self._state = None
        start = time.perf_counter()
        result = self._simulator.run(self._circuit, shots=1).result()
        whole = time.perf_counter() - start
        if not result.success:
            raise RuntimeError(result.status)
        self._state = result.data(0)["statevector"]
        return result.results[0].time_taken, whole

    def state(self) -> numpy.ndarray:
        kind = numpy.complex64 if self.precision == "single" else numpy.complex128
        return numpy.asarray(self._state).astype(kind, copy=False)

    def energy(self, observable: list[dict]):
        operator = SparsePauliOp.from_list([(t["pauli"], t["coefficient"]) for t in observable])
        estimator = EstimatorV2(options={"backend_options": {
            "method": "statevector", "max_parallel_threads": self.threads,
            "precision": self.precision}})
        pub = [(self._plain, operator)]
        return lambda: float(estimator.run(pub, precision=0).result()[0].data.evs)

    def sample(self, shots: int, seed: int) -> tuple[float, int]:
        circuit = self._plain.copy()
        circuit.measure_all()
        start = time.perf_counter()
        result = self._simulator.run(circuit, shots=shots, seed_simulator=seed).result()
        counts = result.get_counts()
        whole = time.perf_counter() - start
        return whole - self.evolve()[0], len(counts)

    def release(self) -> None:
        self._state = self._circuit = self._plain = None

    def versions(self) -> dict:
        return {"qiskit-aer": qiskit_aer.__version__, "qiskit": qiskit.__version__}


if __name__ == "__main__":
    serve(Aer)
