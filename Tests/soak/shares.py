#!/usr/bin/env python3
"""Four tenants with weights 4:2:1:1 who keep both cores busy with jobs of 20 qubits, and who else comes.

Checked: each tenant's part of the device time is within 3 % of its weight's, and two tenants never lie
further apart than the bound of fair queueing (docs/scheduling.md); somebody's Bell circuit, submitted
every second meanwhile, has its result within 50 ms in 99 of 100 cases (judged in runs of two minutes or
more, told in shorter ones); a tenant that arrives at the end has its first job started within the bound.
"""
from __future__ import annotations

import argparse
import collections
import dataclasses
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/python"))

import qubus  # noqa: E402
from attack_service import BELL, Service  # noqa: E402

WEIGHTS = {"four": 4.0, "two": 2.0, "one": 1.0, "another": 1.0}
#: Parts may differ from those of the weights by so much of themselves.
DEVIATION = 0.03
#: Microseconds in which a Bell circuit has its counts.
BELL_LIMIT = 50_000
#: Fewest seconds by which Bell's 99th percentile is judged.
JUDGED_SECONDS = 120
#: Seconds at the beginning that do not count: not all wait yet.
SETTLING = 5
#: Jobs that each tenant keeps waiting.
DEPTH = 24
QUBITS, LAYERS = 20, 6


def program() -> str:
    lines = [f'OPENQASM 3; include "stdgates.inc"; qubit[{QUBITS}] q; bit[{QUBITS}] c; h q;']
    for layer in range(LAYERS):
        lines += [f"ry({0.1 + 0.01 * layer * i}) q[{i}];" for i in range(QUBITS)]
        lines += [f"cx q[{i}], q[{i + 1}];" for i in range(layer % 2, QUBITS - 1, 2)]
    return "\n".join([*lines, "c = measure q;"])


@dataclasses.dataclass
class Run:
    """One job, seconds of the service's clock."""
    started: float
    finished: float
    device: float


class Tenant(threading.Thread):
    """Keeps jobs waiting until it is told to stop."""

    def __init__(self, service: Service, name: str, seed: int, ending: threading.Event):
        super().__init__(name=name, daemon=True)
        self.service, self.seed, self.ending = service, seed, ending
        self.runs: list[Run] = []
        self.problem: str | None = None

    def run(self) -> None:
        try:
            with connect(self.service, f"{self.name}/qc/user") as client:
                waiting: collections.deque[qubus.Job] = collections.deque()
                number = 0
                while not self.ending.is_set():
                    while len(waiting) < DEPTH:
                        number += 1
                        waiting.append(client.submit(
                            program(), shots=100, seed=self.seed + number, priority="batch"))
                    self.finish(waiting.popleft())
                for job in waiting:
                    job.cancel("the run is over")
        except Exception as error:
            self.problem = f"{self.name}: {type(error).__name__}: {error}"

    def finish(self, job: qubus.Job) -> None:
        status = job.wait(timeout=300)
        if status != "succeeded":
            raise RuntimeError(f"job {job.id} ended as {status}")
        self.runs.append(measured(job))


class Bell(threading.Thread):
    """Somebody at a keyboard: a Bell circuit every second."""

    def __init__(self, service: Service, seed: int, ending: threading.Event):
        super().__init__(name="bell", daemon=True)
        self.service, self.seed, self.ending = service, seed, ending
        self.microseconds: list[float] = []
        self.problem: str | None = None

    def run(self) -> None:
        try:
            with connect(self.service, "keyboard/qc/user") as client:
                client.submit(BELL, shots=1024).result(timeout=60)
                while not self.ending.wait(1):
                    began = time.monotonic()
                    counts = client.submit(
                        BELL, shots=1024, seed=self.seed + len(self.microseconds),
                        priority="interactive").result(timeout=60).counts
                    self.microseconds.append((time.monotonic() - began) * 1e6)
                    if sum(counts.values()) != 1024:
                        raise RuntimeError(f"{counts} is no Bell circuit")
        except Exception as error:
            self.problem = f"Bell: {type(error).__name__}: {error}"


def connect(service: Service, principal: str) -> qubus.Client:
    return qubus.Client(
        service.curve, server_key=service.server_key, key_file=service.key_files[principal])


def measured(job: qubus.Job) -> Run:
    phases = job.info().phases
    return Run(phases.started_at / 1e6, phases.finished_at / 1e6, phases.device_microseconds / 1e6)


def prepare(service: Service) -> None:
    for name in (*WEIGHTS, "keyboard", "newcomer"):
        service.ask("admin", "tenants", "create", name, "--reason", "soak")
        service.ask("admin", "projects", "create", f"{name}/qc")
        service.member(f"{name}/qc/user", "submitter")
    for name, weight in WEIGHTS.items():
        service.ask("admin", "weight", name, weight)


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def furthest_apart(tenants: list[Tenant], begin: float, end: float) -> float:
    """The largest |W_f/w_f − W_g/w_g| of any two tenants in any interval from `begin`, over its bound."""
    longest = {t.name: max(run.device for run in t.runs) for t in tenants}
    events = sorted((run.finished, t.name, run.device) for t in tenants for run in t.runs
                    if run.started >= begin and run.finished <= end)
    worst, served = 0.0, dict.fromkeys(WEIGHTS, 0.0)
    # Of each pair, the range of the difference so far: an interval may begin anywhere.
    ranges: dict[tuple[str, str], list[float]] = {}
    for _, name, device in events:
        served[name] += device / WEIGHTS[name]
        for other in WEIGHTS:
            if other == name:
                continue
            pair = (min(name, other), max(name, other))
            gap = served[pair[0]] - served[pair[1]]
            low, high = ranges.setdefault(pair, [0.0, 0.0])
            ranges[pair] = [min(low, gap), max(high, gap)]
            # Besides the run that each has in service: here up to two, of one core each.
            bound = sum(3 * longest[each] / WEIGHTS[each] for each in pair)
            worst = max(worst, (ranges[pair][1] - ranges[pair][0]) / bound)
    return worst


def newcomer_wait(service: Service, seed: int) -> float:
    """Seconds until somebody who never ran anything has a first job started."""
    with connect(service, "newcomer/qc/user") as client:
        job = client.submit(program(), shots=100, seed=seed, priority="batch")
        if job.wait(timeout=300) != "succeeded":
            raise RuntimeError("the newcomer's job did not succeed")
        info = job.info()
        return info.phases.started_at / 1e6 - info.submitted_at / 1e6


def newcomer_bound(longest: float) -> float:
    """Formula of docs/scheduling.md: a device of two cores and jobs of up to both, the batch lane (40 of
    100 %), then weight 1 among the four and the keyboard's."""
    rate, delay = 0.5, longest
    for part, siblings in ((0.4, 4), (1 / (1 + sum(WEIGHTS.values()) + 1), len(WEIGHTS) + 1)):
        rate, delay = rate * part, delay * part + (siblings + 1) * longest
    return delay / rate


def judge(tenants: list[Tenant], bell: Bell, begin: float, seconds: float, wait: float) -> list[str]:
    problems = [each.problem for each in (*tenants, bell) if each.problem]
    end = begin + seconds
    used = {t.name: sum(r.device for r in t.runs if begin <= r.started <= end) for t in tenants}
    total, weights = sum(used.values()), sum(WEIGHTS.values())
    for tenant in tenants:
        part, due = used[tenant.name] / total, WEIGHTS[tenant.name] / weights
        print(f"  {tenant.name:8} {len(tenant.runs):6} jobs {used[tenant.name]:9.2f} s "
              f"{100 * part:6.2f} % of {100 * due:5.1f} %: {100 * (part / due - 1):+.2f} %")
        if abs(part / due - 1) > DEVIATION:
            problems.append(f"{tenant.name} has {part:.4f} of the device time instead of {due:.4f}")
    apart = furthest_apart(tenants, begin, end)
    print(f"  two tenants are at most {apart:.2f} of the bound apart")
    if apart > 1:
        problems.append(f"two tenants are {apart:.2f} times the bound apart")
    p50, p99 = (percentile(bell.microseconds, part) for part in (0.5, 0.99))
    print(f"  Bell beside them: {len(bell.microseconds)} times, p50 {p50 / 1e3:.2f} ms, "
          f"p99 {p99 / 1e3:.2f} ms, longest {max(bell.microseconds) / 1e3:.2f} ms (limit: 50 ms)")
    if seconds >= JUDGED_SECONDS and p99 > BELL_LIMIT:
        problems.append(f"Bell's 99th percentile is {p99 / 1e3:.1f} ms")
    longest = max(run.device for tenant in tenants for run in tenant.runs)
    bound = newcomer_bound(longest)
    print(f"  a newcomer's first job started after {wait:.3f} s (bound: {bound:.2f} s, "
          f"longest job {longest:.3f} s)")
    if wait > bound:
        problems.append(f"the newcomer waited for {wait:.2f} s of {bound:.2f} s")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"shares soak: {options.seconds:g} s, seed {options.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qubus-shares."))
    folder.joinpath("data").mkdir(mode=0o700)
    service = Service(ROOT / ".build/release/qubusd", folder)
    try:
        prepare(service)
        ending = threading.Event()
        tenants = [Tenant(service, name, options.seed + 100_000 * i, ending)
                   for i, name in enumerate(WEIGHTS)]
        bell = Bell(service, options.seed, ending)
        for thread in (*tenants, bell):
            thread.start()
        begin = time.time() + SETTLING
        ending.wait(SETTLING + options.seconds)
        wait = newcomer_wait(service, options.seed)
        ending.set()
        for thread in (*tenants, bell):
            thread.join(timeout=120)
        problems = judge(tenants, bell, begin, options.seconds, wait)
    finally:
        service.process.terminate()
        service.process.wait(timeout=60)
    for problem in problems:
        print("PROBLEM:", problem)
    if not problems:
        shutil.rmtree(folder)
    print(f"shares soak: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
