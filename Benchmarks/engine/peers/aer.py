"""Qiskit Aer: statevector method, single or double precision; fusion of at most 5 (the default) or
3 qubits or none, whichever is the fastest in the warm-up.

Timed: the experiment's own `time_taken`, with memory, fusion and the saving of the state inside,
which Aer does not tell apart; conversion from Python is outside of it and inside `call_seconds`.
"""
import time

import numpy
import qiskit
import qiskit_aer
from qiskit.circuit.library import UGate, UnitaryGate, MCPhaseGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.primitives import EstimatorV2

from circuit import Circuit, matrix_of
from peers.worker import Output, Worker, best_of, serve


FUSION = {
    "fused 5": {"fusion_enable": True, "fusion_max_qubit": 5},
    "fused 3": {"fusion_enable": True, "fusion_max_qubit": 3},
    "unfused": {"fusion_enable": False},
}


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


def saving(circuit: qiskit.QuantumCircuit) -> qiskit.QuantumCircuit:
    """The circuit with the instruction that hands the final state out."""
    result = circuit.copy()
    result.save_statevector()
    return result


class Aer(Worker):
    def __init__(self, output: Output) -> None:
        self._state = None

    def load(self, tuning: Circuit | None) -> dict:
        self._plain = translated(self.circuit)
        self._saving = saving(self._plain)
        sample = saving(translated(tuning)) if tuning else self._saving
        chosen = best_of(list(FUSION), lambda name: self._run(sample, self._make(name))[0])
        self._simulator = self._make(chosen)
        return {"settings": chosen}

    def _make(self, fusion: str):
        return qiskit_aer.AerSimulator(
            method="statevector", precision=self.precision, max_parallel_threads=self.threads,
            **FUSION[fusion])

    def _run(self, circuit, simulator) -> tuple[float, float]:
        self._state = None
        start = time.perf_counter()
        result = simulator.run(circuit, shots=1).result()
        whole = time.perf_counter() - start
        if not result.success:
            raise RuntimeError(result.status)
        self._state = result.data(0)["statevector"]
        return result.results[0].time_taken, whole

    def evolve(self) -> tuple[float, float]:
        return self._run(self._saving, self._simulator)

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
        self._state = self._saving = self._plain = None

    def versions(self) -> dict:
        return {"qiskit-aer": qiskit_aer.__version__, "qiskit": qiskit.__version__}


if __name__ == "__main__":
    serve(Aer)
