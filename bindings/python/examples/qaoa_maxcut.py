"""QAOA for MaxCut on 16 nodes, each with three edges; the best cut is checked by brute force.

Needs scipy. Endpoint: QUBUS_ENDPOINT.
"""
from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

import qubus

NODES, LAYERS, SHOTS = 16, 4, 4000
# A ring whose opposite nodes are joined: a Möbius ladder, which no cut divides completely.
EDGES = [(a, (a + 1) % NODES) for a in range(NODES)] + [
    (a, a + NODES // 2) for a in range(NODES // 2)]


def ansatz() -> str:
    """Layers of a phase for every edge that is cut, and of a rotation about X of every qubit."""
    lines = ["OPENQASM 3;", 'include "stdgates.inc";']
    for layer in range(LAYERS):
        lines += [f"input float gamma{layer};", f"input float beta{layer};"]
    lines += [f"qubit[{NODES}] q;", f"bit[{NODES}] c;", "h q;"]
    for layer in range(LAYERS):
        for a, b in EDGES:
            lines.append(f"cx q[{a}], q[{b}]; rz(gamma{layer}) q[{b}]; cx q[{a}], q[{b}];")
        lines.append(f"rx(beta{layer}) q;")
    return "\n".join([*lines, "c = measure q;"])


def cut_size(bits: str) -> int:
    """`bits` has node 0 on the right."""
    return sum(bits[-1 - a] != bits[-1 - b] for a, b in EDGES)


def best_by_brute_force() -> int:
    side = np.arange(2**NODES)
    return int(sum((side >> a ^ side >> b) & 1 for a, b in EDGES).max())


def edge(a: int, b: int) -> str:
    return "".join("Z" if q in (a, b) else "I" for q in reversed(range(NODES)))


def main() -> tuple[int, float]:
    # The cut of a state is the sum over edges of (1 - ZZ) / 2; its negative is minimized.
    cost = [("I" * NODES, -len(EDGES) / 2), *((edge(a, b), 0.5) for a, b in EDGES)]
    best = best_by_brute_force()
    # A ramp from the mixer to the cost, as annealing would do it, and from there by gradients.
    ramp = (np.arange(LAYERS) + 0.5) / LAYERS
    start = np.column_stack([-0.9 * ramp, 0.9 * (1 - ramp)]).ravel()
    with qubus.Client() as client:
        with client.session(ansatz(), observables=cost, name="MaxCut") as session:  # exact
            found = minimize(session.objective(gradient=True), start, jac=True, method="BFGS",
                             options={"maxiter": 60})
        with client.session(ansatz(), shots=SHOTS, seed=7, name="MaxCut, cuts") as session:
            counts = session.counts(found.x)
    sizes = {bits: cut_size(bits) for bits in counts}
    largest = max(sizes.values())
    share = sum(n for bits, n in counts.items() if sizes[bits] == largest) / SHOTS
    print(f"expected cut   {-found.fun:.3f} of {len(EDGES)} edges after {found.nfev} gradients")
    print(f"best sampled   {largest}, in {share:.1%} of {SHOTS} shots")
    print(f"brute force    {best}")
    assert largest == best, (largest, best)
    return largest, -float(found.fun)


if __name__ == "__main__":
    main()
