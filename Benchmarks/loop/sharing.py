"""A step idle and beside a batch job, in turn, so that both see the same minutes of the machine."""
from __future__ import annotations

import dataclasses
import pathlib
import statistics

import engines

#: Pairs of figures; what is told is the median of each.
ROUNDS = 7
#: Calls of one figure: a 99th percentile beside others needs many.
MOST = 20_000
PERCENTILES = ("p50_us", "p99_us")


@dataclasses.dataclass
class Pairs:
    """Answers of the client, idle and beside the job, and what the job said of itself."""

    idle: list[dict] = dataclasses.field(default_factory=list)
    beside: list[dict] = dataclasses.field(default_factory=list)
    row_seconds: list[float] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def figures(self) -> dict:
        return {"idle": self._medians(self.idle), "beside": self._medians(self.beside),
                "row_ms": 1e3 * statistics.median(self.row_seconds)}

    @staticmethod
    def _medians(answers: list[dict]) -> dict:
        return {name: statistics.median(answer[name] for answer in answers) for name in PERCENTILES}


def measure(daemon: engines.Daemon, client: engines.Worker, case: pathlib.Path, batch_qubits: int,
            seconds: float, rounds: int) -> Pairs:
    found = Pairs()
    command = [str(engines.CLIENT_PYTHON), str(engines.HERE / "batch_job.py"), daemon.endpoint,
               str(batch_qubits)]
    request = {"case": str(case), "task": "energy", "seconds": seconds, "most": MOST}
    for _ in range(rounds):
        found.idle.append(client.ask(**request))
        job = engines.Worker(daemon.as_user(9, command))
        found.row_seconds.append(job.first["row_seconds"])
        try:
            found.beside.append(client.ask(**request))
        finally:
            last = job.finish()
        if last is None or last["status_before_cancel"] != "running":
            found.problems.append(f"the batch job did not run all the time: {last}")
    return found
