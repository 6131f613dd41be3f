"""What the sessions of a soak do: programs, parameters and digests as functions of numbers.

A step's parameters follow from the session and the sequence number, so that whoever takes a session
over sends the same numbers, and anyone can compute the answers again.
"""
from __future__ import annotations

import hashlib
from typing import Any

import numpy

KINDS = ("gradient", "batch", "sampled", "adaptive", "counts")
HEAVY_QUBITS = 12


def program(qubits: int, layers: int) -> str:
    """Rotations with an input each, and a ladder of CNOTs."""
    count = qubits * layers
    lines = ["OPENQASM 3;", 'include "stdgates.inc";']
    lines += [f"input float t{number};" for number in range(count)]
    lines += [f"qubit[{qubits}] q;", f"bit[{qubits}] c;"]
    for layer in range(layers):
        for q in range(qubits):
            lines.append(f"{'ry' if layer % 2 == 0 else 'rx'}(t{layer * qubits + q}) q[{q}];")
        lines += [f"cx q[{q}], q[{q + 1}];" for q in range(qubits - 1)]
    return "\n".join([*lines, "c = measure q;"])


def observables(qubits: int, count: int) -> list[list[tuple[str, float]]]:
    dice = numpy.random.default_rng([qubits, count])
    return [[("".join(dice.choice(list("IXYZ"), qubits)), float(dice.normal())) for _ in range(8)]
            for _ in range(count)]


class Work:
    """Session number `number` of a soak."""

    def __init__(self, number: int, seed: int):
        self.number, self.seed = number, seed
        self.kind = KINDS[number % len(KINDS)]
        self.qubits = 2 + number % 5
        self.source = program(self.qubits, 2)
        self.count = 2 * self.qubits
        self.rows = 1 + number % 7 if self.kind == "batch" else 0
        self.options: dict[str, Any] = {"seed": 1000 * seed + number, "name": f"soak {number}",
                                        "idle_seconds": 600.0}
        if self.kind == "counts":
            self.options.update(shots=64, outputs=["counts"])
        else:
            self.options["observables"] = observables(self.qubits, 1 + number % 3)
        if self.kind == "sampled":
            self.options["shots"] = 64
        if self.kind == "adaptive":
            self.options.update(shots=4096, target_error=0.1)

    def parameters(self, sequence: int) -> numpy.ndarray:
        dice = numpy.random.default_rng([self.seed, self.number, sequence])
        shape = (self.rows, self.count) if self.rows else (self.count,)
        return dice.uniform(-3, 3, shape)

    @property
    def outputs(self) -> list[str]:
        return {"gradient": ["values", "gradients"], "counts": ["counts"]}.get(self.kind, ["values"])

    def step(self, session: Any, sequence: int, timeout: float | None = None) -> tuple[Any, str]:
        """The answer to one step, and the digest of all its bits."""
        result = session.evaluate(self.parameters(sequence), outputs=self.outputs, timeout=timeout)
        digest = hashlib.sha256()
        for array in (result.values, result.gradients, result.standard_errors):
            if array is not None:
                digest.update(numpy.ascontiguousarray(array).tobytes())
        if result.counts is not None:
            digest.update(repr(sorted(result.counts.items())).encode())
        digest.update(str(result.shots_used).encode())
        return result, digest.hexdigest()[:24]
