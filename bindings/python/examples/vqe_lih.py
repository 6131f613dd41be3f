"""VQE of LiH at 1.5949 Å on 12 qubits: excitations chosen by their gradients, then optimized.

Needs scipy. Endpoint: QUBUS_ENDPOINT. The Hamiltonian is data/lih.json; see data/generate.py.
"""
from __future__ import annotations

import itertools
import json
import pathlib
import time

import numpy as np
from scipy.optimize import minimize

import qubus

HERE = pathlib.Path(__file__).parent

# Rotations by t/2 between |01⟩ and |10⟩ and between |0011⟩ and |1100⟩, everything else untouched;
# the latter as in Anselmetti et al. 2021, New J. Phys. 23, 113010.
EXCITATIONS = """
OPENQASM 3;
include "stdgates.inc";

gate single_excitation(t) a, b {
  cx b, a;
  ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b;
  cx b, a;
}

gate double_excitation(t) a, b, c, d {
  cx c, d; cx a, c; h d; h a; cx c, d; cx a, b;
  ry(t/8) b; ry(-t/8) a;
  cx a, d; h d; cx d, b;
  ry(t/8) b; ry(-t/8) a;
  cx c, b; cx c, a;
  ry(-t/8) b; ry(t/8) a;
  cx d, b; h d; cx a, d;
  ry(-t/8) b; ry(t/8) a;
  cx a, b; cx c, a; h a; h d; cx a, c; cx c, d;
}
"""


def excitations(occupied: list[int], qubits: int) -> tuple[list[tuple], list[tuple]]:
    """Singles and doubles from occupied to empty spin orbitals that keep the spin."""
    empty = [q for q in range(qubits) if q not in occupied]
    singles = [(i, a) for i in occupied for a in empty if i % 2 == a % 2]
    doubles = [
        (i, j, a, b) for i, j in itertools.combinations(occupied, 2)
        for a, b in itertools.combinations(empty, 2) if i % 2 + j % 2 == a % 2 + b % 2]
    return singles, doubles


def ansatz(qubits: int, occupied: list[int], chosen: list[tuple]) -> str:
    """The Hartree-Fock state and one excitation after the other, each with an angle of its own."""
    lines = [f"input float t{number};" for number in range(len(chosen))]
    lines += [f"qubit[{qubits}] q;", *(f"x q[{q}];" for q in occupied)]
    for number, places in enumerate(chosen):
        name = "single_excitation" if len(places) == 2 else "double_excitation"
        lines.append(f"{name}(t{number}) {', '.join(f'q[{q}]' for q in places)};")
    return EXCITATIONS + "\n".join(lines)


def main() -> float:
    molecule = json.loads((HERE / "data/lih.json").read_text())
    qubits, occupied = molecule["qubits"], molecule["hartree_fock_qubits"]
    exact, hartree_fock = molecule["ground_energy"], molecule["hartree_fock_energy"]
    singles, doubles = excitations(occupied, qubits)
    started = time.monotonic()
    with qubus.Client() as client:
        # One gradient at the Hartree-Fock state tells which double excitations matter.
        with client.session(ansatz(qubits, occupied, doubles), observables=molecule["terms"],
                            name="LiH, choice") as session:
            slopes = session.gradient(np.zeros(len(doubles)))
        chosen = [e for e, slope in zip(doubles, slopes) if abs(slope) > 1e-3]
        print(f"{len(chosen)} of {len(doubles)} double excitations, {len(singles)} single ones")

        with client.session(ansatz(qubits, occupied, chosen + singles),
                            observables=molecule["terms"], name="LiH") as session:
            start = np.zeros(len(session.parameters))
            found = minimize(session.objective(gradient=True), start, jac=True,
                             method="L-BFGS-B", options={"gtol": 1e-6, "maxiter": 100})
    print(f"Hartree-Fock  {hartree_fock:.6f}")
    print(f"found         {found.fun:.6f}  after {found.nfev} gradients, "
          f"{time.monotonic() - started:.1f} s")
    print(f"exact         {exact:.6f}  ({1000 * (found.fun - exact):.3f} mHa below)")
    assert exact - 1e-8 < found.fun < exact + 1e-4, found.fun
    return float(found.fun)


if __name__ == "__main__":
    main()
