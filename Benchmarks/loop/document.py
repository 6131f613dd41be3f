"""Writes docs/performance-loop.md; what stands between the markers is kept by hand."""
from __future__ import annotations

import datetime
import pathlib

BEGIN, END = "<!-- reasons: kept by hand -->", "<!-- end of reasons -->"
NOTES = """\
- One program for everybody: three layers of RY and RZ on every qubit with a ring of CZ after each,
  100 random Pauli terms with normal coefficients, every angle new in every step.
- Qubus is called over its socket: the figure holds the round trip. The peers run in the process
  that asks, as their users write it: Qulacs' ParametricQuantumCircuit with `set_parameter` and
  `backprop`, a QNode of lightning.qubit with adjoint differentiation, EstimatorV2 of Aer (which has
  no gradient of its own). The peers may use both cores.
- Each figure is timed for some seconds in each of several rounds, engines taking turns; shown is the
  round with the least median: p50 and, in brackets, p99 of its steps, in µs.
- Values and gradients at the first row agree with the peers' within 1e-9, else the run fails.
- Beside the loop: four sessions of other principals with 8 qubits that step without a pause, and a
  batch job of 22 qubits that takes all cores. Idle and beside the job are timed in turn, seven times;
  shown are the medians of p50 and p99. ✗ marks what is beyond the expected figure.
"""


def reasons(path: pathlib.Path) -> str:
    """The part between the markers, as it stands."""
    text = path.read_text() if path.exists() else ""
    if BEGIN in text and END in text:
        return text.split(BEGIN)[1].split(END)[0].strip()
    return "No measured place is explained here yet."


def write(path: pathlib.Path, common: dict, tables: list[tuple[str, str]]) -> None:
    day = datetime.datetime.fromtimestamp(common["time"], datetime.timezone.utc).date()
    parts = [
        "# The loop: steps of a session",
        f"Made by `scripts/bench loop --document` on {day}, commit {common['commit']}, "
        f"{common['machine']}.",
        *(f"## {title}\n\n{text}" for title, text in tables),
        f"## Reasons\n\n{BEGIN}\n{reasons(path)}\n{END}",
        f"## How it is measured\n\n{NOTES}"]
    path.write_text("\n\n".join(parts).rstrip() + "\n")
