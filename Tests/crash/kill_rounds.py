#!/usr/bin/env python3
"""kill -9 at random moments while clients submit, watch and cancel; then every promise is checked.

Checked after the last round, with the daemon up again and every job at its end:
- no acknowledged job is lost;
- no job has two terminal events, and its events are numbered 1, 2, 3, … without gap or double;
- every watcher, over all restarts, saw exactly the stored events in order;
- SQLite's integrity_check is ok after every kill.

The report counts kills by the states that jobs were in (from the database as the kill left it, and
from the fault points of a fault-injection build). `--daemon` names another build of qubusd, for
example one that acknowledges before the commit: the harness must fail against it.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import qubus

ROOT = pathlib.Path(__file__).resolve().parents[2]
TERMINAL = {"succeeded", "failed", "canceled", "expired"}
STATES = {1: "accepted", 2: "queued", 3: "reserved", 4: "running", 5: "processing_results",
          6: "succeeded", 7: "failed", 8: "canceled", 9: "expired"}

BELL = """OPENQASM 3;
include "stdgates.inc";
qubit[2] q; bit[2] c;
h q[0]; cx q[0], q[1];
c = measure q;
"""


def repeated(qubits: int, rounds: int) -> str:
    """A circuit with mid-circuit measurement, so that every shot runs by itself."""
    body = "".join(
        f"h q[{i % qubits}]; cx q[{i % qubits}], q[{(i + 1) % qubits}]; "
        f"c[{i % qubits}] = measure q[{i % qubits}];\n" for i in range(rounds))
    return f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[{qubits}] q; bit[{qubits}] c;\n{body}'


KINDS = {
    "bell": (BELL, 200),
    "middle": (repeated(8, 24), 20_000),
    "long": (repeated(10, 40), 120_000),
}


class Daemon:
    """One qubusd process on the data directory, started and killed by its own handle."""

    def __init__(self, binary: pathlib.Path, data: pathlib.Path, environment: dict[str, str]):
        self.log = open(data.parent / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [binary, "--data-dir", data, "--listen", f"ipc://{data}/qubus.sock"],
            stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, **environment})
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"qubusd did not start; see {self.log.name}")
        self.ready = json.loads(line)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=10)
        self.log.close()
        return code


class Ledger:
    """What the clients know: acknowledged jobs and what watchers saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.seen: dict[str, list[int]] = collections.defaultdict(list)
        self.problems: list[str] = []
        self.errors: collections.Counter = collections.Counter()

    def acknowledge(self, key: str, job_id: str, kind: str) -> None:
        with self.lock:
            before = self.keys.setdefault(key, job_id)
            if before != job_id:
                self.problems.append(f"key {key} gave two jobs: {before} and {job_id}")
            self.acknowledged[job_id] = kind

    def saw(self, job_id: str, sequence: int) -> None:
        with self.lock:
            self.seen[job_id].append(sequence)


class Tenant(threading.Thread):
    """One client: submits, watches, cancels until told to stop."""

    def __init__(self, number: int, endpoint: str, seed: int, ledger: Ledger, stop: threading.Event):
        super().__init__(name=f"client-{number}")
        self.number, self.endpoint, self.ledger, self.stop = number, endpoint, ledger, stop
        self.random = random.Random(f"{seed}/{number}")
        self.watchers: list[threading.Thread] = []
        self.open_jobs: collections.deque = collections.deque(maxlen=12)
        self.count = 0

    def run(self) -> None:
        client = None
        while not self.stop.is_set():
            try:
                if client is None:
                    client = qubus.Client(self.endpoint)
                self.act(client)
            except qubus.QubusError as error:
                with self.ledger.lock:
                    self.ledger.errors[error.name] += 1
                self.stop.wait(0.02)
        for watcher in self.watchers:
            watcher.join()
        if client is not None:
            client.close()

    def act(self, client) -> None:
        self.watchers = [w for w in self.watchers if w.is_alive()]
        draw = self.random.random()
        if draw < 0.55 and len(self.watchers) < 6:
            self.submit(client)
        elif draw < 0.7 and self.open_jobs:
            self.random.choice(self.open_jobs).cancel(reason="crash run")
        elif self.open_jobs:
            self.random.choice(self.open_jobs).status()
        self.stop.wait(self.random.random() * 0.02)

    def submit(self, client) -> None:
        kind = self.random.choices(list(KINDS), [6, 3, 2])[0]
        source, shots = KINDS[kind]
        self.count += 1
        key = f"client-{self.number}-{self.count}"
        while not self.stop.is_set():
            try:
                job = client.submit(source, shots=shots, seed=self.count, idempotency_key=key)
                break
            except qubus.QubusError as error:
                with self.ledger.lock:
                    self.ledger.errors[error.name] += 1
                if not error.retryable:
                    raise
                self.stop.wait(0.05)
        else:
            return
        self.ledger.acknowledge(key, job.id, kind)
        self.open_jobs.append(job)
        watcher = threading.Thread(target=self.watch, args=(job,), name=f"watch-{job.id}")
        watcher.start()
        self.watchers.append(watcher)

    def watch(self, job) -> None:
        """Reads the whole history, resuming after the last sequence whenever the stream breaks."""
        last = 0
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                for event in job.events(after=last):
                    self.ledger.saw(job.id, event.sequence)
                    last = event.sequence
                return
            except qubus.QubusError as error:
                with self.ledger.lock:
                    self.ledger.errors[error.name] += 1
                    if error.name == "job_not_found":
                        self.ledger.problems.append(f"acknowledged job {job.id} is not known")
                        return
                self.stop.wait(0.05)
        with self.ledger.lock:
            self.ledger.problems.append(f"watcher of {job.id} did not reach the end")


def inspect(data: pathlib.Path, ledger: Ledger) -> collections.Counter:
    """States of unfinished jobs in a copy of the database as the kill left it."""
    with tempfile.TemporaryDirectory() as copy:
        for file in data.glob("*.sqlite*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
        (path,) = pathlib.Path(copy).glob("*.sqlite")
        database = sqlite3.connect(path)
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            ledger.problems.append(f"integrity_check: {verdict}")
        states = collections.Counter(
            {STATES[s]: n for s, n in database.execute("SELECT status, count(*) FROM jobs GROUP BY status")})
        database.close()
    return states


def verify(data: pathlib.Path, ledger: Ledger) -> dict:
    """Compares what clients were told with what the database holds."""
    (path,) = data.glob("*.sqlite")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    stored: dict[str, list[tuple[int, int, str]]] = collections.defaultdict(list)
    for job, sequence, status, kind in database.execute(
            "SELECT lower(hex(jobs.id)), events.sequence, events.status, events.kind"
            " FROM jobs JOIN events ON events.job = jobs.job ORDER BY jobs.id, events.sequence"):
        text = f"{job[:8]}-{job[8:12]}-{job[12:16]}-{job[16:20]}-{job[20:]}"
        stored[text].append((sequence, status, kind))
    for job, kind in ledger.acknowledged.items():
        events = stored.get(job)
        if not events:
            ledger.problems.append(f"acknowledged job {job} ({kind}) is lost")
            continue
        sequences = [e[0] for e in events]
        if sequences != list(range(1, len(events) + 1)):
            ledger.problems.append(f"{job}: events are numbered {sequences}")
        ends = [e for e in events if STATES[e[1]] in TERMINAL and e[2] in ("status.changed", 1)]
        if len(ends) != 1:
            ledger.problems.append(f"{job}: {len(ends)} terminal events")
        if ledger.seen[job] != sequences:
            ledger.problems.append(f"{job}: watcher saw {ledger.seen[job]}, stored are {sequences}")
    finals = collections.Counter(STATES[events[-1][1]] for events in stored.values() if events)
    database.close()
    return dict(finals)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    parser.add_argument("--fault-points", action="store_true",
                        help="the daemon is a fault-injection build: a third of the kills happen at its fault points")
    arguments = parser.parse_args()
    print(f"crash run: {arguments.rounds} rounds, seed {arguments.seed}, {arguments.clients} clients")
    dice = random.Random(arguments.seed)
    base = pathlib.Path(tempfile.mkdtemp(prefix="qubus-crash."))
    data = base / "data"
    data.mkdir(mode=0o700)
    endpoint = f"ipc://{data}/qubus.sock"
    ledger, stop = Ledger(), threading.Event()
    kills: collections.Counter = collections.Counter()
    daemon = Daemon(arguments.daemon, data, {})
    tenants = [Tenant(i, endpoint, arguments.seed, ledger, stop) for i in range(arguments.clients)]
    for tenant in tenants:
        tenant.start()
    points = ["accepted", "reserved", "processing_results"]
    for number in range(arguments.rounds):
        armed = None
        if arguments.fault_points and number % 3 == 0:
            armed = points[(number // 3) % len(points)]
        if armed is not None:
            daemon.kill()
            daemon = Daemon(arguments.daemon, data,
                            {"QUBUS_FAULT_KILL_AT": armed, "QUBUS_FAULT_KILL_COUNT": str(dice.randint(1, 20))})
            try:
                daemon.process.wait(timeout=20)
                kills[armed] += 1
            except subprocess.TimeoutExpired:
                ledger.errors[f"fault point {armed} not reached"] += 1
        else:
            stop.wait(0.02 + dice.random() * 0.6)
        daemon.kill()
        for state in inspect(data, ledger):
            if state not in points:
                kills[state] += 1
        daemon = Daemon(arguments.daemon, data, {})
        if (number + 1) % 25 == 0:
            print(f"  round {number + 1}: {len(ledger.acknowledged)} jobs acknowledged, "
                  f"{len(ledger.problems)} problems", flush=True)
    stop.set()
    for tenant in tenants:
        tenant.join(timeout=900)
        if tenant.is_alive():
            ledger.problems.append(f"{tenant.name} hangs")
    # the last jobs of the clients end by themselves; watchers above waited for them
    code = daemon.stop()
    if code != 0:
        ledger.problems.append(f"qubusd ended with {code} on SIGTERM")
    finals = verify(data, ledger)
    report = {"rounds": arguments.rounds, "seed": arguments.seed, "acknowledged": len(ledger.acknowledged),
              "final_states": finals, "kills_by_state": dict(kills), "client_errors": dict(ledger.errors),
              "problems": ledger.problems[:20], "problem_count": len(ledger.problems)}
    print(json.dumps(report, indent=2))
    if not ledger.problems:
        shutil.rmtree(base)
    else:
        print(f"the data directory is kept: {base}", file=sys.stderr)
    return 1 if ledger.problems else 0


if __name__ == "__main__":
    sys.exit(main())
