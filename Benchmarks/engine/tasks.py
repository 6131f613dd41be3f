"""Rows beside the state's: energies of small circuits, a gradient, shots, two threads against one."""
import sys

import numpy

import families
import measure
from cases import Case, CircuitFiles
from process import Engine

SHOTS = 1_000_000
# Peers may round differently in an energy of 100 terms and in derivatives.
VALUE_TOLERANCE = 1e-6


class TaskTables:
    """Measures complex128; `problems` collects what must fail the run."""

    def __init__(self, engines: dict, files: CircuitFiles, *, repetitions: int, budget: float):
        self._engines, self._files = engines, files
        self._repetitions, self._budget = repetitions, budget
        self.problems: list[str] = []

    def _rows(self, table: str, tasks: dict[str, str], qubits: int, files: dict, fields: dict,
              names: list[str] | None = None) -> list[dict]:
        """Prepares, measures and frees one circuit on the engines (or on those named). `tasks` has
        the task of each row by the row's name; they are timed in turn."""
        chosen = {n: e for n, e in self._engines.items() if names is None or n in names}
        answers, ready = measure.prepared(chosen, files, "double")
        keys = [(name, engine) for engine in ready for name in tasks]
        try:
            timed = measure.interleaved(
                {key: ready[key[1]] for key in keys}, {key: tasks[key[0]] for key in keys},
                dict.fromkeys(keys, fields), repetitions=self._repetitions, budget=self._budget)
        finally:
            measure.release(ready)
        rows = []
        for name in tasks:
            own = {engine: row for (row_name, engine), row in timed.items() if row_name == name}
            self._compare(f"{name}, {qubits} qubits", own)
            for engine, answer in answers.items():
                found = {k: v for k, v in own.get(engine, {}).items() if v is not None}
                found.pop("gradient", None)
                rows.append({"table": table, "family": name, "qubits": qubits, "start": "zero",
                             "precision": "double", "engine": engine, **answer, **found})
                if "error" in rows[-1]:
                    self.problems.append(f"{name}, {qubits} qubits: {engine} failed")
        return rows

    def _compare(self, where: str, timed: dict[str, dict]) -> None:
        """Energies and gradients of all engines must agree."""
        for field in ("value", "gradient"):
            known = {n: numpy.array(r[field]) for n, r in timed.items() if r.get(field) is not None}
            first = next(iter(known), None)
            for name, values in known.items():
                off = float(numpy.max(numpy.abs(values - known[first])))
                if not off <= VALUE_TOLERANCE:
                    problem = f"{where}: {field} of {name} and {first} differ by {off}"
                    print(problem, file=sys.stderr)
                    self.problems.append(problem)

    def energy(self, qubits: int) -> list[dict]:
        """One evaluation of a bound ansatz with a random sum of 100 Pauli strings."""
        case = Case("ansatz", qubits, "zero")
        return self._rows(
            "energy", {"ansatz, 100 terms": "energy"}, qubits, self._files.files(case),
            {"observable": families.pauli_sum(qubits, 100)}, ["qubus", "aer", "qulacs", "lightning"])

    def light_cone(self, qubits: int) -> list[dict]:
        """⟨Z⟩ of one qubit behind a shallow circuit: what an engine gains that drops gates nobody
        sees. A row of its own, never part of the others."""
        files = self._files.write(
            f"cone-{qubits}", lambda: families.random_layers(qubits, depth=3))
        observable = [{"pauli": "I" * (qubits - 1) + "Z", "coefficient": 1.0}]
        return self._rows(
            "energy", {"light cone: Z of 1 qubit, depth 3": "energy"}, qubits, files,
            {"observable": observable}, ["qubus", "aer", "qulacs", "lightning"])

    def gradient(self, qubits: int = 16) -> list[dict]:
        """Ansatz of 3 layers and a last layer of ry: 7 angles a qubit; transverse-field Ising. The
        engines' forward evaluations of the same circuit are timed in turn with it."""
        made = families.ansatz(qubits, layers=3, closing="ry")
        files = self._files.write(f"gradient-{qubits}", lambda: made, with_inputs=True)
        files["inputs"] = made.input_values()
        fields = {"observable": families.ising(qubits)}
        names = ["qubus", "qulacs", "lightning"]
        label = f"{len(made.inputs)} parameters"
        tasks = {f"forward, {label}": "energy", label: "gradient"}
        return self._rows("gradient", tasks, qubits, files, fields, names)

    def sampling(self, qubits: int = 20) -> list[dict]:
        """A million shots with counts, seconds beyond the state's own."""
        files = self._files.write(
            f"sampling-{qubits}", lambda: families.random_layers(qubits), measured=True)
        return self._rows(
            "sample", {"10^6 shots, beyond the state": "sample"}, qubits, files,
            {"shots": SHOTS, "seed": 11})

    def threads(self, case: Case, precision: str, counts: tuple[int, int] = (1, 2)) -> list[dict]:
        """Qubus with each number of threads, interleaved."""
        engines = {str(count): Engine("qubus", count) for count in counts}
        try:
            answers, ready = measure.prepared(engines, self._files.files(case), precision)
            timed = measure.interleaved(
                ready, "state", {n: {} for n in ready}, repetitions=self._repetitions,
                budget=self._budget)
        finally:
            for engine in engines.values():
                engine.stop()
        return [
            {"table": "threads", "family": case.family, "qubits": case.qubits, "start": case.start,
             "precision": precision, "engine": "qubus", **answers[name],
             **{k: v for k, v in timed.get(name, {}).items() if v is not None},
             "threads": int(name)} for name in engines]
