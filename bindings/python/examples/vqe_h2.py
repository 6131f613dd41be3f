"""VQE of H2 at 0.735 Å: the loop in this process with SciPy, then in the daemon with Adam.

Needs scipy. Endpoint: QUBUS_ENDPOINT. The Hamiltonian is data/h2.json; see data/generate.py.
"""
import json
import pathlib

import numpy as np
from scipy.optimize import minimize

import qubus

HERE = pathlib.Path(__file__).parent
CHEMICAL_ACCURACY = 1.6e-3  # hartree

# Two electrons in the lower spin orbitals, 0 and 1, and unitary coupled cluster: exp(-i t/2 YXXX)
# moves both to the upper ones, the single excitations move one of them.
ANSATZ = """
OPENQASM 3;
include "stdgates.inc";

gate single_excitation(t) a, b {
  cx b, a;
  ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b;
  cx b, a;
}

input float up;
input float down;
input float both;
qubit[4] q;
x q[0];
x q[1];

single_excitation(up) q[0], q[2];
single_excitation(down) q[1], q[3];

h q[0]; h q[1]; h q[2]; sdg q[3]; h q[3];
cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3];
rz(both) q[3];
cx q[2], q[3]; cx q[1], q[2]; cx q[0], q[1];
h q[0]; h q[1]; h q[2]; h q[3]; s q[3];
"""


def main() -> float:
    molecule = json.loads((HERE / "data/h2.json").read_text())
    exact = molecule["ground_energy"]
    with qubus.Client() as client, client.session(
            ANSATZ, observables=molecule["terms"], name="H2") as session:
        start = np.zeros(len(session.parameters))
        print(f"Hartree-Fock      {session.step(start):.9f}")

        found = minimize(session.objective(gradient=True), start, jac=True, method="L-BFGS-B",
                         options={"gtol": 1e-8})
        print(f"here, L-BFGS      {found.fun:.9f}  after {found.nfev} steps")

        optimum = session.minimize(
            "adam", initial=start, options={"learning_rate": 0.1}, max_iterations=300).result(60)
        print(f"in the daemon     {optimum.value:.9f}  after {optimum.iterations} iterations of Adam")
        print(f"exact             {exact:.9f}")
        for energy in (found.fun, optimum.value):
            assert abs(energy - exact) < CHEMICAL_ACCURACY, energy
    return float(found.fun)


if __name__ == "__main__":
    main()
