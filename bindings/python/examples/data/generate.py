#!/usr/bin/env python3
"""Makes h2.json and lih.json beside it: molecular Hamiltonians as Pauli sums.

    python3 -m venv chemistry
    chemistry/bin/pip install pyscf openfermion openfermionpyscf scipy
    chemistry/bin/python generate.py

The integrals are computed here by PySCF; nothing is copied from a data set.
"""
from __future__ import annotations

import json
import pathlib
from importlib.metadata import version

import numpy
import scipy.sparse.linalg
from openfermion import MolecularData, get_sparse_operator, jordan_wigner
from openfermionpyscf import run_pyscf

HERE = pathlib.Path(__file__).parent
PACKAGES = ("pyscf", "openfermion", "openfermionpyscf", "numpy", "scipy")
#: File, atoms, bond length in Ångström.
MOLECULES = [("h2", ("H", "H"), 0.735), ("lih", ("Li", "H"), 1.5949)]
FORMULAS = {"h2": "H2", "lih": "LiH"}
#: Coefficients below this many hartree are rounding of the integrals.
SMALLEST = 1e-12


def letters(term: tuple[tuple[int, str], ...], qubits: int) -> str:
    """A term of OpenFermion as a Pauli string, leftmost letter on the highest qubit."""
    found = ["I"] * qubits
    for qubit, letter in term:
        found[qubits - 1 - qubit] = letter
    return "".join(found)


def generate(name: str, atoms: tuple[str, str], length: float) -> dict:
    molecule = run_pyscf(
        MolecularData([(atoms[0], (0, 0, 0)), (atoms[1], (0, 0, length))], "sto-3g", 1),
        run_scf=True, run_fci=True)
    operator = jordan_wigner(molecule.get_molecular_hamiltonian())
    qubits = molecule.n_qubits
    lowest = scipy.sparse.linalg.eigsh(
        get_sparse_operator(operator, qubits), k=1, which="SA", tol=1e-13)[0][0]
    assert abs(lowest - molecule.fci_energy) < 1e-8, (lowest, molecule.fci_energy)
    terms = []
    for term, coefficient in operator.terms.items():
        assert abs(numpy.imag(coefficient)) < 1e-12
        if abs(coefficient) > SMALLEST:
            terms.append([letters(term, qubits), float(numpy.real(coefficient))])
    terms.sort()
    return {
        "name": f"{FORMULAS[name]}, bond length {length} Å, STO-3G, Jordan-Wigner",
        "qubits": qubits,
        "electrons": molecule.n_electrons,
        "spin_orbitals": "2k: orbital k, spin up; 2k + 1: orbital k, spin down; qubit = spin orbital",
        "hartree_fock_qubits": list(range(molecule.n_electrons)),
        "energy_unit": "hartree; the nuclear repulsion is part of the identity term",
        "nuclear_repulsion": float(molecule.nuclear_repulsion),
        "hartree_fock_energy": float(molecule.hf_energy),
        "ground_energy": float(molecule.fci_energy),
        "letter_order": "leftmost letter on the highest qubit",
        "source": "integrals by PySCF, Jordan-Wigner by OpenFermion; made by generate.py beside this "
                  "file with " + ", ".join(f"{p} {version(p)}" for p in PACKAGES),
        "licence": "Apache-2.0, as the rest of Qubus; computed by this project",
        "terms": terms,
    }


def text_of(record: dict) -> str:
    """JSON with a term on each line."""
    head = json.dumps({k: v for k, v in record.items() if k != "terms"}, indent=1, ensure_ascii=False)
    lines = ",\n".join("  " + json.dumps(term) for term in record["terms"])
    return f'{head[:-2]},\n "terms": [\n{lines}\n ]\n}}\n'


for name, atoms, length in MOLECULES:
    made = generate(name, atoms, length)
    (HERE / f"{name}.json").write_text(text_of(made))
    print(f"{name}: {made['qubits']} qubits, {len(made['terms'])} terms, "
          f"Hartree-Fock {made['hartree_fock_energy']:.9f}, ground {made['ground_energy']:.9f}")
