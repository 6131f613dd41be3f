"""The clients of a ledger soak: a thread for each principal, through kills and restarts.

What a job is to be is told by its key, so that the check knows it from the database alone, and so
that a submit whose answer was lost is sent again without a second job.
"""
from __future__ import annotations

import collections
import random
import threading
import time
from typing import Any, Callable

import qubus
from ledger_check import key

BELL = """OPENQASM 3;
include "stdgates.inc";
qubit[2] q; bit[2] c;
h q[0]; cx q[0], q[1];
c = measure q;
"""
#: Fails in its first shot, on the device: a qubit that nothing has touched is measured as 0.
BROKEN = """OPENQASM 3;
qubit q; bit c;
c = measure q;
int n = 0;
if (c == 1) { n = 1; }
n = 12 / n;
"""
ROTATION = """OPENQASM 3;
include "stdgates.inc";
input float t;
qubit[2] q; bit[2] c;
ry(t) q[0]; cx q[0], q[1];
c = measure q;
"""


def repeated(qubits: int, rounds: int) -> str:
    """A circuit with mid-circuit measurement, most of whose shots go ways of their own."""
    body = "".join(
        f"h q[{i % qubits}]; cx q[{i % qubits}], q[{(i + 1) % qubits}]; "
        f"c[{i % qubits}] = measure q[{i % qubits}];\n" for i in range(rounds))
    return f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[{qubits}] q; bit[{qubits}] c;\n{body}'


LONG = repeated(10, 16)
LONG_SHOTS = 4000
CLASSES = ["", "", "validation", "comparison", "calibration", "demo"]
TAGS = ["a", "b", "c=1", "with, comma", 'and "quotes"']
#: Kinds of jobs and how often they come.
KINDS = {"bell": 80, "broken": 8, "long": 1, "hurried": 2, "capped": 1, "brief": 4, "dear": 4}


class Counts:
    """What the clients met, over all of them."""

    def __init__(self, jobs_wanted: int) -> None:
        self.lock = threading.Lock()
        self.jobs_wanted, self.accepted = jobs_wanted, 0
        self.met: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []

    def note(self, what: str, count: int = 1) -> None:
        with self.lock:
            self.met[what] += count

    def accept(self, count: int) -> None:
        with self.lock:
            self.accepted += count

    @property
    def is_enough(self) -> bool:
        return self.accepted >= self.jobs_wanted

    def problem(self, text: str) -> None:
        with self.lock:
            self.problems.append(text)


class Tenant(threading.Thread):
    """Submits in batches, cancels some, sends some again; until there are enough jobs."""

    BATCH = 40

    def __init__(
        self, place: str, connect: Callable[[], qubus.Client], seed: int, counts: Counts,
        longest: dict[str, int]
    ):
        """
        Args:
            longest: by kind, the cost above which `max_cost` stops such a job.
        """
        super().__init__(name=place, daemon=True)
        self.place, self.connect, self.counts, self.longest = place, connect, counts, longest
        self.dice = random.Random(f"{seed}/{place}")
        self.number = 0

    def run(self) -> None:
        client = None
        while not self.counts.is_enough:
            try:
                if client is None:
                    client = self.connect()
                self.act(client)
            except qubus.QubusError as error:
                if error.name == "job_not_found":
                    self.counts.problem(f"{self.name}: a job that was accepted is not known")
                self.counts.note(f"call: {error.name}")
                time.sleep(0.05)
        if client is not None:
            client.close()

    def act(self, client: qubus.Client) -> None:
        specs = [self.spec() for _ in range(self.dice.randint(1, self.BATCH))]
        jobs = self.submitted(client, specs)
        if jobs and self.dice.random() < 0.05:
            self.send_again(client, specs, jobs)
        for job in jobs:
            if self.dice.random() < 0.08:
                self.counts.note(f"cancel: {job.cancel(reason='soak').outcome}")

    def spec(self) -> dict[str, Any]:
        self.number += 1
        kind = self.dice.choices(list(KINDS), list(KINDS.values()))[0]
        experiment_class = self.dice.choice(CLASSES)
        experiment = f"e{self.dice.randint(1, 40)}" if self.dice.random() < 0.7 else ""
        spec: dict[str, Any] = {
            "source": BELL, "shots": self.dice.randint(1, 200), "seed": self.number,
            "idempotency_key": key(f"{kind}-{self.number}", experiment_class, experiment),
            "tags": self.dice.sample(TAGS, self.dice.randint(0, 3))}
        if experiment_class:
            spec["experiment_class"] = experiment_class
        if experiment:
            # An id in some, a name in others: the ledger takes either.
            spec["experiment_id" if int(experiment[1:]) % 2 else "name"] = experiment
        if kind == "broken":
            spec["source"] = BROKEN
        elif kind in ("long", "hurried", "capped"):
            spec.update(source=LONG, shots=LONG_SHOTS)
        if kind == "hurried":
            spec["max_run_seconds"] = 0.002
        elif kind == "capped":
            spec["max_cost"] = self.longest["capped"]
        elif kind == "brief":
            spec["ttl_seconds"] = 0.003
        elif kind == "dear":
            spec["max_cost"] = 1
        return spec

    def submitted(self, client: qubus.Client, specs: list[dict[str, Any]]) -> list[qubus.Job]:
        """Sends what has no answer again until it has one."""
        jobs: list[qubus.Job] = []
        while specs:
            try:
                outcomes = client.submit_batch(specs, return_exceptions=True)
            except qubus.QubusError as error:
                self.counts.note(f"submit: {error.name}")
                if not error.retryable:
                    raise
                time.sleep(0.05)
                continue
            again = []
            for spec, outcome in zip(specs, outcomes):
                if not isinstance(outcome, qubus.QubusError):
                    jobs.append(outcome)
                    continue
                self.counts.note(f"submit: {outcome.name}")
                if outcome.retryable and outcome.name not in (
                        "budget_exceeded", "insufficient_credit"):
                    again.append(spec)
            specs = again
        self.counts.accept(len(jobs))
        return jobs

    def send_again(
        self, client: qubus.Client, specs: list[dict[str, Any]], jobs: list[qubus.Job]
    ) -> None:
        """The same keys once more give the same jobs; what was refused stays refused, or not."""
        for outcome in client.submit_batch(specs, return_exceptions=True):
            if isinstance(outcome, qubus.QubusError):
                continue
            if outcome.is_duplicate:
                self.counts.note("submits repeated")
                if outcome.id not in {job.id for job in jobs}:
                    self.counts.problem(f"{self.name}: a key gave a second job, {outcome.id}")
            else:
                self.counts.accept(1)


class Stepper(threading.Thread):
    """Opens sessions, steps them, closes some and leaves the others to their time."""

    IDLE_SECONDS = 2.0

    def __init__(
        self, place: str, connect: Callable[[], qubus.Client], seed: int, counts: Counts
    ):
        super().__init__(name=f"sessions of {place}", daemon=True)
        self.connect, self.counts = connect, counts
        self.dice = random.Random(f"{seed}/{self.name}")

    def run(self) -> None:
        while not self.counts.is_enough:
            try:
                with self.connect() as client:
                    while not self.counts.is_enough:
                        self.one_session(client)
            except qubus.QubusError as error:
                self.counts.note(f"session: {error.name}")
                time.sleep(0.1)

    def one_session(self, client: qubus.Client) -> None:
        session = client.session(
            ROTATION, shots=32, outputs=["counts"], idle_seconds=self.IDLE_SECONDS, tags=["s"])
        self.counts.note("sessions opened")
        for _ in range(self.dice.randint(1, 200)):
            session.evaluate([self.dice.random()], outputs=["counts"])
            self.counts.note("steps answered")
            if self.dice.random() < 0.05:
                time.sleep(self.dice.random() * 0.2)
            if self.counts.is_enough:
                break
        if self.dice.random() < 0.7:
            session.close()
            self.counts.note("sessions closed")
        else:
            session.detach()
