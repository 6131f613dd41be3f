"""What issue 4 expects on two cores, and the verdicts on it."""
from __future__ import annotations

#: Microseconds at the median, by client and qubits.
MEDIAN = {("C", 4): 50, ("Python", 4): 75, ("Python", 8): 80, ("Python", 12): 400,
          ("Python", 16): 4_000, ("Python", 20): 60_000}
#: Python's step against Qulacs in-process.
OF_QULACS = {4: 1.6, 8: 0.7, 12: 0.4, 16: 0.4, 20: 0.4}
#: Python's step against Lightning and Aer, up to 12 qubits.
OF_OTHERS = 0.05
#: Energy and gradient, in steps.
GRADIENT_STEPS = 4.5
#: p50 and p99 beside a batch job, in the idle figure.
BESIDE_BATCH = 2.0
#: Iterations a second of Adam on H2 with 28 parameters.
ADAM = 20_000
#: Largest difference of values and gradients to those of the peers.
AGREEMENT = 1e-9


def mark(found: float, limit: float, at_least: bool = False) -> str:
    is_met = found >= limit if at_least else found <= limit
    return "" if is_met else " ✗"
