"""Peers in-process, as their users write the loop. usage: peers.py qulacs|lightning|aer"""
from __future__ import annotations

import sys

import numpy

from case import Case, ring
from stopwatch import serve


def qulacs(folder: str, task: str):
    """A ParametricQuantumCircuit whose angles are set; the better of its two gradients."""
    import qulacs as q

    case = Case.read(folder)
    circuit = q.ParametricQuantumCircuit(case.qubits)
    for number, (gate, qubit) in enumerate(case.places):
        getattr(circuit, f"add_parametric_{gate.upper()}_gate")(qubit, 0.0)
        if (number + 1) % (2 * case.qubits) == 0:
            for a, b in ring(case.qubits):
                circuit.add_CZ_gate(a, b)
    operator = q.Observable(case.qubits)
    for pauli, coefficient in case.terms:
        operator.add_operator(coefficient, " ".join(
            f"{letter} {i}" for i, letter in enumerate(reversed(pauli)) if letter != "I"))
    state = q.QuantumState(case.qubits)
    count = len(case.places)

    def energy(row):
        for number in range(count):  # its rotations turn the other way round
            circuit.set_parameter(number, -row[number])
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return operator.get_expectation_value(state)

    def both(row):
        value = energy(row)
        return value, circuit.backprop(operator)

    def told(row):
        value, slopes = both(row)
        return value, [-complex(slope).real for slope in slopes]

    return energy if task == "energy" else both, [r.tolist() for r in case.parameters], told


def lightning(folder: str, task: str):
    """A QNode of lightning.qubit with adjoint differentiation."""
    import pennylane as qml
    from pennylane import numpy as pnp

    case = Case.read(folder)
    device = qml.device("lightning.qubit", wires=case.qubits)
    operators = []
    for pauli, _ in case.terms:
        word = {i: letter for i, letter in enumerate(reversed(pauli)) if letter != "I"}
        operators.append(qml.pauli.PauliWord(word).operation(wire_order=range(case.qubits)))
    hamiltonian = qml.Hamiltonian([c for _, c in case.terms], operators)
    gates = {"ry": qml.RY, "rz": qml.RZ}

    @qml.qnode(device, diff_method="adjoint")
    def node(values):
        for number, (gate, qubit) in enumerate(case.places):
            gates[gate](values[number], wires=qubit)
            if (number + 1) % (2 * case.qubits) == 0:
                for a, b in ring(case.qubits):
                    qml.CZ(wires=[a, b])
        return qml.expval(hamiltonian)

    slope = qml.grad(node)

    def both(row):
        return slope(row), slope.forward

    rows = [pnp.array(row, requires_grad=task != "energy") for row in case.parameters]

    def told(row):
        gradient, value = both(pnp.array(row, requires_grad=True))
        return value, gradient

    return node if task == "energy" else both, rows, told


def aer(folder: str, task: str):
    """EstimatorV2 of qiskit-aer, exact; it has no gradient of its own."""
    if task != "energy":
        raise NotImplementedError("no gradient")
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer.primitives import EstimatorV2

    case = Case.read(folder)
    vector = ParameterVector("t", len(case.places))
    circuit = QuantumCircuit(case.qubits)
    for number, (gate, qubit) in enumerate(case.places):
        getattr(circuit, gate)(vector[number], qubit)
        if (number + 1) % (2 * case.qubits) == 0:
            for a, b in ring(case.qubits):
                circuit.cz(a, b)
    operator = SparsePauliOp.from_list(case.terms)
    estimator = EstimatorV2()

    def energy(row):
        return estimator.run([(circuit, operator, row)], precision=0.0).result()[0].data.evs

    return energy, list(case.parameters), lambda row: (numpy.asarray(energy(row)), None)


def versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("qulacs", "pennylane", "pennylane-lightning", "qiskit", "qiskit-aer"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    serve({"qulacs": qulacs, "lightning": lightning, "aer": aer}[sys.argv[1]])
