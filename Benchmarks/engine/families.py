"""The circuit families of the table. All randomness is seeded, so every run times the same gates."""
import math

import networkx
import numpy

from circuit import Circuit

SEED = 20260


def generator(name: str, qubits: int) -> numpy.random.Generator:
    return numpy.random.default_rng([SEED, qubits, *name.encode()])


def qft(qubits: int) -> Circuit:
    """The textbook transform with its final swaps."""
    circuit = Circuit(qubits)
    for high in reversed(range(qubits)):
        circuit.add("h", high)
        for low in reversed(range(high)):
            circuit.add("cp", low, high, angles=(math.pi / 2 ** (high - low),))
    for low in range(qubits // 2):
        circuit.add("swap", low, qubits - 1 - low)
    return circuit


def quantum_volume(qubits: int) -> Circuit:
    """n layers of Haar-random two-qubit unitaries on a random pairing."""
    random = generator("qv", qubits)
    circuit = Circuit(qubits)
    for _ in range(qubits):
        order = random.permutation(qubits)
        for pair in range(qubits // 2):
            circuit.add_unitary(haar(random, 4), order[2 * pair], order[2 * pair + 1])
    return circuit


def haar(random: numpy.random.Generator, side: int) -> numpy.ndarray:
    """A unitary drawn by QR with the phases of R divided out (Mezzadri 2007)."""
    q, r = numpy.linalg.qr(
        random.normal(size=(side, side)) + 1j * random.normal(size=(side, side)))
    return q * (numpy.diag(r) / abs(numpy.diag(r)))


def random_layers(qubits: int, depth: int = 20) -> Circuit:
    """Per layer a random rotation with a random angle on every qubit, then CZ on a random pairing."""
    random = generator("random", qubits)
    circuit = Circuit(qubits)
    for _ in range(depth):
        for qubit in range(qubits):
            name = ("rx", "ry", "rz")[random.integers(3)]
            circuit.add(name, qubit, angles=(random.uniform(0, 2 * math.pi),))
        order = random.permutation(qubits)
        for pair in range(qubits // 2):
            circuit.add("cz", order[2 * pair], order[2 * pair + 1])
    return circuit


def ansatz(qubits: int, layers: int = 4, closing: str = "") -> Circuit:
    """Hardware-efficient: layers of ry and rz on every qubit and a chain of CX; every angle is an
    input. `closing` names the rotations of a last layer without entanglers."""
    random = generator("ansatz", qubits)
    circuit = Circuit(qubits)

    def rotate(names: list[str]) -> None:
        for name in names:
            for qubit in range(qubits):
                circuit.add(
                    name, qubit, angles=(random.uniform(0, 2 * math.pi),), is_input=True)

    for _ in range(layers):
        rotate(["ry", "rz"])
        for qubit in range(qubits - 1):
            circuit.add("cx", qubit, qubit + 1)
    rotate(closing.split())
    return circuit


def ghz(qubits: int) -> Circuit:
    circuit = Circuit(qubits)
    circuit.add("h", 0)
    for qubit in range(qubits - 1):
        circuit.add("cx", qubit, qubit + 1)
    return circuit


def grover(qubits: int, iterations: int = 3) -> Circuit:
    """A few iterations that mark one random basis state with a multi-controlled Z."""
    random = generator("grover", qubits)
    zeros = [qubit for qubit in range(qubits) if random.integers(2) == 0]
    circuit = Circuit(qubits)
    everywhere = range(qubits)

    def apply(name: str, where) -> None:
        for qubit in where:
            circuit.add(name, qubit)

    apply("h", everywhere)
    for _ in range(iterations):
        apply("x", zeros)
        circuit.add("mcz", *everywhere)
        apply("x", zeros)
        apply("h", everywhere)
        apply("x", everywhere)
        circuit.add("mcz", *everywhere)
        apply("x", everywhere)
        apply("h", everywhere)
    return circuit


def qaoa(qubits: int, layers: int = 4) -> Circuit:
    """MaxCut on a random 3-regular graph (on a cycle with an odd number of qubits)."""
    random = generator("qaoa", qubits)
    if qubits % 2 == 0:
        graph = networkx.random_regular_graph(3, qubits, seed=SEED + qubits)
    else:
        graph = networkx.cycle_graph(qubits)
    circuit = Circuit(qubits)
    for qubit in range(qubits):
        circuit.add("h", qubit)
    for _ in range(layers):
        gamma, beta = random.uniform(0, math.pi, 2)
        for a, b in sorted(graph.edges):
            circuit.add("rzz", a, b, angles=(gamma,))
        for qubit in range(qubits):
            circuit.add("rx", qubit, angles=(2 * beta,))
    return circuit


FAMILIES = {
    "qft": qft, "qv": quantum_volume, "random": random_layers, "ansatz": ansatz, "ghz": ghz,
    "grover": grover, "qaoa": qaoa,
}


def pauli_sum(qubits: int, terms: int, name: str = "pauli") -> list[dict]:
    """Random strings with random coefficients; the leftmost letter acts on the highest qubit."""
    random = generator(name, qubits)
    return [
        {"pauli": "".join(random.choice(list("IXYZ"), qubits)),
         "coefficient": float(random.normal())} for _ in range(terms)]


def ising(qubits: int) -> list[dict]:
    """Transverse-field Ising chain: ZZ on neighbours, X on every qubit."""
    def term(letters: dict[int, str], coefficient: float) -> dict:
        text = "".join(letters.get(q, "I") for q in reversed(range(qubits)))
        return {"pauli": text, "coefficient": coefficient}

    return ([term({q: "Z", q + 1: "Z"}, -1.0) for q in range(qubits - 1)]
            + [term({q: "X"}, -0.7) for q in range(qubits)])
