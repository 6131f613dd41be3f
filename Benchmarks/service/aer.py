"""The same Bell circuit in-process in Qiskit Aer: one JSON line. usage: aer.py COUNT"""
import sys

import latency
import qiskit
import qiskit_aer


def main() -> None:
    circuit = qiskit.QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    simulator = qiskit_aer.AerSimulator()
    samples = latency.timed(
        lambda i: simulator.run(circuit, shots=1024, seed_simulator=i).result().get_counts(),
        int(sys.argv[1]), 20)
    latency.report("bell", samples, client=f"aer {qiskit_aer.__version__} in-process")


if __name__ == "__main__":
    main()
