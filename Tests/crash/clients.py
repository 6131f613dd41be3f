"""The clients of a crash run, and the ledger of what they were promised and what they saw."""
import collections
import contextlib
import random
import threading
import time

import qubus

BELL = """OPENQASM 3;
include "stdgates.inc";
qubit[2] q; bit[2] c;
h q[0]; cx q[0], q[1];
c = measure q;
"""


def repeated(qubits: int, rounds: int) -> str:
    """A circuit with mid-circuit measurement, most of whose shots go ways of their own."""
    body = "".join(
        f"h q[{i % qubits}]; cx q[{i % qubits}], q[{(i + 1) % qubits}]; "
        f"c[{i % qubits}] = measure q[{i % qubits}];\n" for i in range(rounds))
    return f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[{qubits}] q; bit[{qubits}] c;\n{body}'


#: Program and shots; about 0.2 ms, 50 ms and 300 ms of one core.
KINDS = {
    "bell": (BELL, 200),
    "middle": (repeated(12, 16), 3500),
    "long": (repeated(12, 24), 14000),
}


class Ledger:
    """Acknowledged jobs, what watchers saw, and every promise that was broken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.seen: dict[str, list[int]] = collections.defaultdict(list)
        self.canceled: set[str] = set()
        self.lost: set[str] = set()
        self.problems: list[str] = []
        self.longest: dict[str, float] = {}
        self.errors: collections.Counter[str] = collections.Counter()

    def acknowledge(self, key: str, job_id: str, kind: str) -> None:
        with self.lock:
            before = self.keys.setdefault(key, job_id)
            self.acknowledged[job_id] = kind
        if before != job_id:
            self.problem(f"key {key} gave two jobs: {before} and {job_id}")

    def acknowledge_cancel(self, job_id: str) -> None:
        with self.lock:
            self.canceled.add(job_id)

    def saw(self, job_id: str, sequence: int) -> None:
        with self.lock:
            self.seen[job_id].append(sequence)

    @contextlib.contextmanager
    def timed(self, call: str):
        """Keeps the longest time that a call took, over restarts and failures."""
        started = time.monotonic()
        try:
            yield
        except qubus.QubusError as error:
            offline = ", not connected" if "not connected" in str(error) else ""
            self.error(f"{call}: {error.name}{offline}")
            raise
        finally:
            seconds = round(time.monotonic() - started, 2)
            with self.lock:
                self.longest[call] = max(self.longest.get(call, 0), seconds)

    def error(self, name: str) -> None:
        with self.lock:
            self.errors[name] += 1

    def problem(self, text: str) -> None:
        with self.lock:
            self.problems.append(text)


class Tenant(threading.Thread):
    """One client: submits, watches, cancels until told to stop, then waits for its watchers."""

    OPEN_WATCHERS = 6

    def __init__(
        self, number: int, endpoint: str, seed: int, ledger: Ledger, ending: threading.Event
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.number, self.endpoint, self.ledger, self.ending = number, endpoint, ledger, ending
        self.random = random.Random(f"{seed}/{number}")
        self.watchers: list[threading.Thread] = []
        self.open_jobs: collections.deque = collections.deque(maxlen=12)
        self.last: tuple[str, str, int] | None = None
        self.count = 0

    def run(self) -> None:
        client = None
        while not self.ending.is_set():
            try:
                if client is None:
                    client = qubus.Client(self.endpoint)
                self.act(client)
            except qubus.QubusError as error:
                if error.name == "job_not_found":
                    self.ledger.problem(f"{self.name}: an acknowledged job is not known")
                self.ending.wait(0.02)
        for watcher in self.watchers:
            watcher.join()
        if client is not None:
            client.close()

    def act(self, client) -> None:
        self.watchers = [w for w in self.watchers if w.is_alive()]
        draw = self.random.random()
        if draw < 0.55 and len(self.watchers) < self.OPEN_WATCHERS:
            self.submit(client)
        elif draw < 0.6 and self.last is not None:
            self.submit_again(client, *self.last)
        elif draw < 0.75 and self.open_jobs:
            job = self.random.choice(self.open_jobs)
            with self.ledger.timed("cancel"):
                outcome = job.cancel(reason="crash run").outcome
            if outcome == "before_start":
                self.ledger.acknowledge_cancel(job.id)
        elif self.open_jobs:
            with self.ledger.timed("status"):
                self.random.choice(self.open_jobs).status()
        self.ending.wait(self.random.random() * 0.02)

    def submit(self, client) -> None:
        kind = self.random.choices(list(KINDS), [6, 3, 1])[0]
        source, shots = KINDS[kind]
        self.count += 1
        key = f"client-{self.number}-{self.count}"
        while not self.ending.is_set():
            try:
                with self.ledger.timed("submit"):
                    job = client.submit(source, shots=shots, seed=self.count, idempotency_key=key)
                break
            except qubus.QubusError as error:
                if not error.retryable:
                    raise
                self.ending.wait(0.05)
        else:
            return
        self.ledger.acknowledge(key, job.id, kind)
        self.last = (key, kind, self.count)
        self.open_jobs.append(job)
        watcher = threading.Thread(
            target=self.watch, args=(job,), name=f"watch-{job.id}", daemon=True)
        watcher.start()
        self.watchers.append(watcher)

    def submit_again(self, client, key: str, kind: str, seed: int) -> None:
        """The same key once more: it has to give the same job."""
        source, shots = KINDS[kind]
        with self.ledger.timed("submit again"):
            job = client.submit(source, shots=shots, seed=seed, idempotency_key=key)
        self.ledger.acknowledge(key, job.id, kind)

    def watch(self, job) -> None:
        """Reads the whole history, resuming after the last sequence whenever the stream breaks."""
        last = 0
        while True:
            try:
                for event in job.events(after=last):
                    self.ledger.saw(job.id, event.sequence)
                    last = event.sequence
                return
            except qubus.QubusError as error:
                self.ledger.error(f"watch: {error.name}")
                if error.name == "job_not_found":
                    self.ledger.problem(f"acknowledged job {job.id} is not known to its watcher")
                    return
                self.ending.wait(0.05)
