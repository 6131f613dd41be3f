"""Circuits of MQT Bench, target-independent level, translated once and kept in a folder."""
import math
import pathlib

from circuit import NAMES, Circuit

# Algorithms of the suite whose circuits exist at any of the sizes and stay below 10^4 gates there.
ALGORITHMS = [
    "ae", "bv", "dj", "ghz", "graphstate", "qaoa", "qft", "qftentangled", "qnn", "qpeexact",
    "qpeinexact", "vqe_real_amp", "vqe_su2", "vqe_two_local", "wstate",
]
SIZES = [12, 16, 20, 24]


def circuit(algorithm: str, qubits: int, cache: pathlib.Path) -> Circuit:
    """The circuit without its measurements, from the cache if it is there."""
    path = cache / f"mqt-{algorithm}-{qubits}.json"
    if not path.exists():
        made = translate(generate(algorithm, qubits))
        cache.mkdir(parents=True, exist_ok=True)
        made.write(path)
    return Circuit.read(path)


def generate(algorithm: str, qubits: int):
    """The suite's circuit in gates that the table's circuits have."""
    import numpy
    import mqt.bench
    import qiskit

    numpy.random.seed(qubits)
    source = mqt.bench.get_benchmark_indep(algorithm, circuit_size=qubits, opt_level=1)
    if source.parameters:
        source = source.assign_parameters(
            {p: math.pi * (i % 17 + 1) / 9 for i, p in enumerate(source.parameters)})
    source.remove_final_measurements()
    return qiskit.transpile(
        source, basis_gates=sorted(NAMES - {"mcx", "mcz", "mcp", "unitary"}),
        optimization_level=0)


def translate(source) -> Circuit:
    """A Qiskit circuit as ours; barriers are left out."""
    result = Circuit(source.num_qubits)
    for instruction in source.data:
        name = instruction.operation.name
        if name in {"barrier", "id"}:
            continue
        if name not in NAMES:
            raise ValueError(f"gate {name} has no translation")
        result.add(
            name, *[source.find_bit(q).index for q in instruction.qubits],
            angles=tuple(float(p) for p in instruction.operation.params))
    return result
