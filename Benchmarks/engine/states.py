"""The table of whole final states: every family, size and precision, each state compared."""
import pathlib
import sys

import numpy

import measure
from cases import Case, CircuitFiles

OVERLAP = 1 - 1e-5
# A state whose norm is off by more is wrong whatever its overlap.
NORM_TOLERANCE = 1e-3
CHUNK = 1 << 22


class StateTable:
    """Measures rows; `problems` collects what must fail the run."""

    def __init__(self, engines: dict, files: CircuitFiles, folder: pathlib.Path) -> None:
        self._engines, self._files, self._folder = engines, files, folder
        self.problems: list[str] = []

    def rows(self, case: Case, precision: str, *, repetitions: int, budget: float) -> list[dict]:
        """One row for each engine."""
        files = self._files.files(case)
        answers, ready = measure.prepared(self._engines, files, precision)
        try:
            timed = measure.interleaved(
                ready, "state", {name: {} for name in ready}, repetitions=repetitions,
                budget=budget)
            done = {name: ready[name] for name, row in timed.items() if "median" in row}
            overlaps = self._overlaps(done, case, precision)
        finally:
            measure.release(ready)
        rows = []
        for name, answer in answers.items():
            kept = {k: v for k, v in answer.items() if k != "seconds"}
            figures = {k: v for k, v in timed.get(name, {}).items() if v is not None}
            rows.append({
                "table": "state", "family": case.family, "qubits": case.qubits,
                "start": case.start, "precision": precision, "engine": name, **kept, **figures,
                **({"overlap": overlaps[name]} if name in overlaps else {})})
            if "error" in rows[-1]:
                self.problems.append(f"{case.name}, {case.qubits} qubits: {name} failed")
        return rows

    def _overlaps(self, ready: dict, case: Case, precision: str) -> dict[str, float]:
        """|⟨a|b⟩| / (‖a‖ ‖b‖) of every state with Qubus's, or with the first if Qubus has none."""
        names = sorted(ready, key=lambda name: name != "qubus")
        kind = numpy.complex64 if precision == "single" else numpy.complex128
        paths = {name: self._folder / f"{name}.state" for name in names[:1]}
        found = {}
        try:
            for name in names:
                paths[name] = self._folder / f"{name}.state"
                ready[name].ask("dump", path=str(paths[name]))
                vector = numpy.memmap(paths[name], dtype=kind, mode="r")
                if len(vector) != 1 << case.qubits:
                    raise ValueError(f"{name} gave {len(vector)} amplitudes")
                if name == names[0]:
                    reference = vector
                overlap, norm = compared(reference, vector)
                if name != names[0]:
                    found[name] = overlap
                    paths.pop(name).unlink()
                if not overlap >= OVERLAP or not abs(norm - 1) <= NORM_TOLERANCE:
                    problem = (f"{case.name}, {case.qubits} qubits, {precision}: the state of {name}"
                               f" differs from that of {names[0]}: overlap {overlap}, norm {norm}")
                    print(problem, file=sys.stderr)
                    self.problems.append(problem)
        finally:
            for path in paths.values():
                path.unlink(missing_ok=True)
        return found


def compared(a: numpy.ndarray, b: numpy.ndarray) -> tuple[float, float]:
    """Overlap of two states, each normalised, and the norm of the second."""
    inner, square_a, square_b = 0j, 0.0, 0.0
    for start in range(0, len(a), CHUNK):
        x = a[start:start + CHUNK].astype(numpy.complex128, copy=False)
        y = b[start:start + CHUNK].astype(numpy.complex128, copy=False)
        inner += numpy.vdot(x, y)
        square_a += numpy.vdot(x, x).real
        square_b += numpy.vdot(y, y).real
    return float(abs(inner) / (square_a * square_b) ** 0.5), float(square_b ** 0.5)
