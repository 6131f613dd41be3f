"""Writes docs/performance.md; what stands between the markers is kept by hand."""
import datetime
import pathlib

BEGIN, END = "<!-- reasons: kept by hand -->", "<!-- end of reasons -->"
NO_REASONS = "No measured place is explained here yet."
NOTES = """\
- Only the evolution from |0…0⟩ to the whole final state is timed: reading, translating and
  optimising circuits is outside for every engine. Inside, for each:
  - **qubus**: the reset and every gate, in memory that is there already (`engine-bench`).
  - **qsim**: its own "simu time", the application of fused gates; fusion, memory and the
    conversion of the state's layout are outside. Best `max_fused_gate_size` of 2 to 5.
  - **aer**: the experiment's own `time_taken`: memory, fusion, gates and saving the state, which
    Aer does not tell apart; conversion from Python is outside. Fusion of at most 5 or 3
    qubits or none, whichever is the fastest.
  - **qulacs**: `set_zero_state` and `update_quantum_state`. The fastest of no optimizer, the light
    one, and blocks of 2, 3 and 4; the time to optimise is outside.
  - **lightning**: `reset_state` and `apply_operations` of lightning.qubit.
- Settings of circuits above 22 qubits are found on the same family at 22, those of qsim always on
  the circuit itself.
- Every circuit starts with one seeded random u(θ, φ, λ) a qubit, that is from a random product
  state; this layer is part of the circuit and timed for everybody. Rows "from |0⟩" leave it out and
  show what known zeros are worth; the row "light cone" shows what dropping unseen gates is worth.
- Quantum volume: the peers get dense two-qubit unitaries. Qubus reads OpenQASM, which has none, and
  gets each block as u·u·rxx·ryy·rzz·u·u.
- One repetition of each engine in turn after a warm-up. A cell is the median and, in brackets, the
  90th percentile over the 10th; "(once)" is a single run, where one takes longer than the budget or
  only one was quiet. A repetition during which other programs kept more than 15 % of a CPU busy is left out as long as a
  quiet one remains; "!" marks cells that had none.
- Final states are compared: |overlap| of each peer's with Qubus's ≥ 1 − 1e-5, else the run fails.
  Energies and gradients agree to 1e-6.
- The floor is what the plan's bytes and flops take at this machine's measured bandwidth (the 16 MiB
  figure while the state fits there) and multiply-add peak; the gap is Qubus's time over it.
- Energies: one evaluation of a bound circuit and its observable. The peers are called from Python in
  their own process, Qubus from Swift in its own.
- Shots: seconds for 10^6 shots and their counts, less the state's. Peers count in NumPy or by their
  own counts, whichever they have.
"""


def reasons(path: pathlib.Path) -> str:
    """The part between the markers, as it stands."""
    if not path.exists():
        return NO_REASONS
    text = path.read_text()
    if BEGIN not in text or END not in text:
        return NO_REASONS
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def write(path: pathlib.Path, *, machine: str, commit: str, threads: int, versions: dict,
          floors: list[str], tables: list[tuple[str, str]]) -> None:
    """Replaces the page except for its reasons."""
    date = datetime.date.today().isoformat()
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    parts = [
        "# Performance of the simulator",
        "Made by `scripts/bench engine --document`; only the reasons are written by hand.",
        f"- Machine: {machine}\n- Date: {date}, commit {commit}, {threads} threads\n"
        f"- Beside: {named}\n" + "\n".join(f"- Floor, {text}" for text in floors),
    ]
    parts += [f"## {title}\n\n{text}" for title, text in tables]
    parts += ["## Notes\n\n" + NOTES.rstrip(),
              f"## Reasons\n\n{BEGIN}\n{reasons(path)}\n{END}"]
    path.write_text("\n\n".join(parts) + "\n")
