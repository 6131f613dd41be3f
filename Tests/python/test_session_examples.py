"""The examples of sessions, each run as a user would against a live daemon."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import qubus

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "bindings/python/examples"


@pytest.fixture
def endpoint(daemon):
    """Of a daemon that serves sessions."""
    with qubus.Client(daemon.endpoint) as client:
        if "sessions" not in client.hello().features:
            reason = "this daemon does not serve sessions"
            if os.environ.get("QUBUS_REQUIRE_DAEMON"):
                pytest.fail(reason)
            pytest.skip(reason)
    return daemon.endpoint


def run(name: str, endpoint: str, timeout: float = 120) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "QUBUS_ENDPOINT": endpoint})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def number_after(text: str, label: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(label)]
    return float(line.removeprefix(label).split()[0])


def test_the_ground_state_of_h2(endpoint):
    shown = run("vqe_h2.py", endpoint)
    assert number_after(shown, "exact") == pytest.approx(-1.137306, abs=1e-6)
    assert number_after(shown, "here, L-BFGS") == pytest.approx(-1.137306, abs=1e-6)
    assert number_after(shown, "in the daemon") == pytest.approx(-1.137306, abs=1e-4)


def test_the_ground_state_of_lih(endpoint):
    shown = run("vqe_lih.py", endpoint)
    assert "20 of 76 double excitations" in shown
    assert number_after(shown, "Hartree-Fock") == pytest.approx(-7.862027, abs=1e-6)
    # within a tenth of a millihartree of the exact -7.882403
    assert number_after(shown, "found") == pytest.approx(-7.8824, abs=1e-4)


def test_the_best_cut_of_sixteen_nodes(endpoint):
    shown = run("qaoa_maxcut.py", endpoint)
    assert number_after(shown, "brute force") == 22
    assert "best sampled   22," in shown
    assert number_after(shown, "expected cut") > 20


def test_a_parameter_sweep(endpoint):
    shown = run("parameter_sweep.py", endpoint)
    assert "1071 rows, 3 observables each: an array (51, 21, 3)" in shown


def test_the_notebook_runs_from_top_to_bottom(endpoint, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("QUBUS_ENDPOINT", endpoint)
    notebook = nbformat.read(EXAMPLES / "sessions.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is stored without outputs"
    drawn = []

    class Client(nbclient.NotebookClient):
        """Notes each time that the plot is drawn anew."""

        def process_message(self, message, cell, index):
            if message["msg_type"] == "update_display_data":
                drawn.append(message["content"]["data"])
            return super().process_message(message, cell, index)

    Client(notebook, timeout=120, kernel_name="python3",
           resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    text = "".join(output.get("text", "") for output in outputs)
    assert "succeeded" in text and "status.changed" in text  # the job's events
    assert "was running: True" in text and "canceled after" in text
    assert len(drawn) >= 5 and all("image/png" in data for data in drawn)


@pytest.mark.parametrize("name, qubits, terms", [("h2", 4, 15), ("lih", 12, 631)])
def test_a_shipped_hamiltonian_has_the_ground_energy_that_it_names(name, qubits, terms):
    sparse = pytest.importorskip("scipy.sparse")
    import numpy
    from scipy.sparse.linalg import eigsh

    molecule = json.loads((EXAMPLES / f"data/{name}.json").read_text())
    assert len(molecule["terms"]) == terms and molecule["qubits"] == qubits
    assert molecule["source"] and molecule["licence"]
    index, by_flips = numpy.arange(2**qubits), {}
    for letters, coefficient in molecule["terms"]:
        assert len(letters) == qubits
        flips, factors = 0, numpy.full(2**qubits, complex(coefficient))
        for qubit, letter in enumerate(reversed(letters)):
            if letter in "XY":
                flips |= 1 << qubit
            if letter in "YZ":
                factors *= (1j if letter == "Y" else 1) * (1 - 2 * (index >> qubit & 1))
        by_flips[flips] = by_flips.get(flips, 0) + factors
    matrix = sum(sparse.csr_matrix((factors, (index ^ flips, index)), shape=(2**qubits,) * 2)
                 for flips, factors in by_flips.items())
    lowest = eigsh(matrix, k=1, which="SA", tol=1e-12, return_eigenvectors=False)[0]
    assert lowest == pytest.approx(molecule["ground_energy"], abs=1e-8)
    start = sum(1 << qubit for qubit in molecule["hartree_fock_qubits"])
    assert matrix[start, start].real == pytest.approx(molecule["hartree_fock_energy"], abs=1e-8)
