#!/usr/bin/env python3
"""kill -9 at random moments while clients submit, watch and cancel; then every promise is checked.

Checked after every kill: SQLite's integrity_check and foreign keys, on a copy of what it left.
Checked after the last round, with the daemon up again and every job at its end:
- no acknowledged job is lost, no acknowledged cancel of a waiting job is undone, and a key
  submitted again gives the same job;
- no job has two terminal events, and its events are numbered 1, 2, 3, … without gap or double;
- every watcher, over all restarts, saw exactly the stored events in order;
- the ledger balances: what was held is charged or given back, to the last unit.

The report counts kills by the states that jobs were in: from the database as the kill left it, and,
with `--fault-points`, from the points of a fault-injection build at which the daemon killed itself
(states that last microseconds). Such a run of 300 rounds or more fails with fewer than 10 of any.
`--acknowledge-early` makes that build answer before its commit: the run then has to fail.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import qubus
from checks import states_after_kill, verify
from clients import Ledger, Tenant

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Fault points, and the state that the job at the point is in.
POINTS = {
    "accepted_uncommitted": "accepted", "accepted_committed": "accepted", "reserved": "reserved",
    "processing_results": "processing_results", "terminal_uncommitted": "processing_results",
    "terminal_committed": None,
}
LIFECYCLE = ["accepted", "queued", "reserved", "running", "processing_results"]
KILLS_WANTED = 10
#: Seconds that a start may take, that an armed daemon may live, and that the rest may take.
START_LIMIT, POINT_LIMIT, DRAIN_LIMIT = 30, 10, 180


class Daemon:
    """One qubusd process on the data directory, started and killed by its own handle."""

    def __init__(self, binary: pathlib.Path, data: pathlib.Path, environment: dict[str, str]):
        self.log_path = data.parent / "qubusd.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [binary, "--data-dir", data, "--listen", f"ipc://{data}/qubus.sock"],
                stdout=subprocess.PIPE, stderr=log, env={**os.environ, **environment})

    def wait_ready(self) -> None:
        """Returns when clients are served, or when the daemon killed itself before."""
        timer = threading.Timer(START_LIMIT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if line:
            json.loads(line)
        elif self.process.wait() != -signal.SIGKILL:
            raise RuntimeError(
                f"qubusd ended with {self.process.returncode} at its start; see {self.log_path}")

    def killed_itself(self, seconds: float) -> bool:
        try:
            return self.process.wait(timeout=seconds) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=15)
        self.process.stdout.close()
        return code


class Rounds:
    """The rounds of one run: each starts a daemon and ends with a kill."""

    def __init__(self, arguments: argparse.Namespace, data: pathlib.Path, ledger: Ledger) -> None:
        self.arguments, self.data, self.ledger = arguments, data, ledger
        self.dice = random.Random(arguments.seed)
        self.by_state: collections.Counter[str] = collections.Counter()
        self.by_manner: collections.Counter[str] = collections.Counter()
        self.environment: dict[str, str] = {}
        self.points = list(POINTS)
        if arguments.acknowledge_early:
            self.environment["QUBUS_FAULT_ACK_BEFORE_COMMIT"] = "1"
            self.points = ["acknowledged_uncommitted"]

    def set_prices(self) -> None:
        """So that every job holds and settles."""
        daemon = Daemon(self.arguments.daemon, self.data, {})
        daemon.wait_ready()
        with qubus.Client(f"ipc://{self.data}/qubus.sock") as client:
            client.call("SetPrice", {"price": {
                "device": "sim.statevector", "per_job": 1000, "per_shot": 3,
                "per_device_second": 1_234_567}})
        daemon.stop()

    def start(self, **environment: str) -> Daemon:
        return Daemon(self.arguments.daemon, self.data, {**self.environment, **environment})

    def run_one(self, number: int) -> None:
        if self.arguments.fault_points and number % 2 == 0:
            point = self.points[number // 2 % len(self.points)]
            daemon = self.start(
                QUBUS_FAULT_KILL_AT=point, QUBUS_FAULT_KILL_COUNT=str(self.dice.randint(1, 12)))
            daemon.wait_ready()
            manner = point if daemon.killed_itself(POINT_LIMIT) else f"{point} not reached"
        elif self.dice.random() < 0.1:
            manner = "while it started"
            daemon = self.start()
            time.sleep(self.dice.random() * 0.06)
        else:
            manner = "at random"
            daemon = self.start()
            daemon.wait_ready()
            time.sleep(0.01 + self.dice.random() * 0.6)
        if daemon.process.poll() not in (None, -signal.SIGKILL):
            self.ledger.problem(f"qubusd ended by itself with {daemon.process.returncode}")
        daemon.kill()
        self.by_manner[manner] += 1
        states = {state for state in states_after_kill(self.data, self.ledger)
                  if state in LIFECYCLE}
        if (state := POINTS.get(manner)) is not None:
            states.add(state)
        self.by_state.update(states)

    def report(self) -> dict:
        return {"kills_by_state": {state: self.by_state[state] for state in LIFECYCLE},
                "kills_by_manner": dict(sorted(self.by_manner.items()))}


def end(tenants: list[Tenant], ledger: Ledger) -> None:
    """Waits until the clients' last jobs are at their end and their watchers have seen it."""
    limit = time.monotonic() + DRAIN_LIMIT
    for tenant in tenants:
        tenant.join(timeout=max(0, limit - time.monotonic()))
    for thread in threading.enumerate():
        if thread.name.startswith("watch-"):
            job = thread.name.removeprefix("watch-")
            ledger.problem(f"the watcher of {job} hangs after events {ledger.seen[job]}")
        elif thread in tenants:
            ledger.problem(f"{thread.name} hangs")


def run(arguments: argparse.Namespace, base: pathlib.Path) -> dict:
    data = base / "data"
    data.mkdir(mode=0o700)
    ledger, ending = Ledger(), threading.Event()
    rounds = Rounds(arguments, data, ledger)
    threading.excepthook = lambda failure: ledger.problem(
        f"{failure.thread.name} broke: {failure.exc_type.__name__}: {failure.exc_value}")
    rounds.set_prices()
    started = time.monotonic()
    tenants = [Tenant(i, f"ipc://{data}/qubus.sock", arguments.seed, ledger, ending)
               for i in range(arguments.clients)]
    for tenant in tenants:
        tenant.start()
    for number in range(arguments.rounds):
        rounds.run_one(number)
        if (number + 1) % 25 == 0:
            print(f"  round {number + 1} at {time.monotonic() - started:.0f} s: "
                  f"{len(ledger.acknowledged)} jobs acknowledged, "
                  f"{len(ledger.problems)} problems", flush=True)
    daemon = rounds.start()
    daemon.wait_ready()
    time.sleep(1)
    ending.set()
    end(tenants, ledger)
    code = daemon.stop()
    if code != 0:
        ledger.problem(f"qubusd ended with {code} on SIGTERM")
    finals = verify(data, ledger)
    if arguments.fault_points and arguments.rounds >= 300 and not arguments.acknowledge_early:
        for state in LIFECYCLE:
            if rounds.by_state[state] < KILLS_WANTED:
                ledger.problem(
                    f"only {rounds.by_state[state]} kills while a job was {state}, "
                    f"wanted are {KILLS_WANTED}")
    if len(ledger.acknowledged) < 2 * arguments.rounds:
        ledger.problem(f"only {len(ledger.acknowledged)} jobs: too few to show anything")
    events = sum(map(len, ledger.seen.values()))
    return {
        "rounds": arguments.rounds, "seed": arguments.seed, "clients": arguments.clients,
        "seconds": round(time.monotonic() - started), **rounds.report(),
        "jobs_acknowledged": len(ledger.acknowledged), "jobs_lost": len(ledger.lost),
        "cancels_acknowledged": len(ledger.canceled), "events_watched": events,
        "longest_call_seconds": ledger.longest, "final_states": finals, "client_errors": dict(ledger.errors),
        "problem_count": len(ledger.problems), "problems": ledger.problems[:20]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    parser.add_argument("--fault-points", action="store_true",
                        help="the daemon is a fault-injection build: half of the kills are its own")
    parser.add_argument("--acknowledge-early", action="store_true",
                        help="that build answers before it commits; the run has to fail")
    arguments = parser.parse_args()
    print(f"crash run: {arguments.rounds} rounds, seed {arguments.seed}, "
          f"{arguments.clients} clients, {arguments.daemon}", flush=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="qubus-crash."))
    report = run(arguments, base)
    print(json.dumps(report, indent=2), flush=True)
    if report["problem_count"] == 0 or arguments.acknowledge_early:
        shutil.rmtree(base)
        return min(1, report["problem_count"])
    print(f"the data directory is kept: {base}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    code = main()
    # Threads that hang are in the report; they must not keep the process.
    sys.stdout.flush()
    os._exit(code)
