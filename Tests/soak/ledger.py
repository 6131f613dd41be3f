#!/usr/bin/env python3
"""Random jobs and sessions of several projects with prices, credit and caps, and kills among them.

Projects that pay later, with credit that runs out and expires, with a subscription, with budgets for
all and for classes of experiments; jobs that succeed, fail, are canceled, expire, are stopped by
their time, by `max_cost` and by a cap while they run; sessions; submits sent twice; SIGKILL, SIGTERM
and SIGSTOP of the daemon. After every stop, and at the end: every movement sums to zero, every
balance is the sum of its entries, nothing is held without a live job, every job that ended was
settled once with the charge that its use comes to, no cap was passed by more than one chunk. At the
end `qubus usage` tells the same sums, by everything that it sums by, in JSON and CSV, and the same
metrics. The rows are read with SQL; then rows are altered on copies, and each alteration has to be
found.
"""
from __future__ import annotations

import argparse
import collections
import csv
import datetime
import io
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
from typing import Any

import qubus
from ledger_alterations import ALTERATIONS, USAGE_ALTERATIONS, alter
from ledger_check import Check, Rows, Stall, copied
from ledger_clients import LONG, LONG_SHOTS, Counts, Stepper, Tenant
from ledger_service import PLACES, STOPPED, TIGHT, Daemon, Operator, Squeezer
from ledger_usage import Answer, Comparison, Sums

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Seconds that jobs have to come to their end.
DRAIN_LIMIT = 300
#: Jobs of a window for which usage is asked by job.
WINDOW = 5000


class Soak:
    """One run."""

    def __init__(self, options: argparse.Namespace, base: pathlib.Path):
        self.options, self.base = options, base
        self.dice = random.Random(options.seed)
        self.counts = Counts(options.jobs)
        self.stalls: list[Stall] = []
        self.errors = {
            each["number"]: each["name"]
            for each in json.loads((ROOT / "proto/errors.json").read_text())["errors"]}
        self.stops: collections.Counter[str] = collections.Counter()
        self.daemon = Daemon(options.daemon, base)
        self.daemon.start()
        self.operator = Operator(self.daemon, base)
        self.operator.set_up(options.jobs)
        self.squeezer = Squeezer(self.operator, self.counts, self.stalls)
        self.chunks: dict[str, int] = {}

    def run(self) -> dict:
        started = time.monotonic()
        threads = self.threads()
        for thread in threads:
            thread.start()
        self.disturb()
        for thread in threads:
            thread.join(120)
            if thread.is_alive():
                self.counts.problem(f"{thread.name} hangs")
        self.drain()
        sums = self.usage_of_the_end()
        self.stop(signal.SIGTERM)
        rows, check = self.checked()
        if live := sum(job.is_live for job in rows.jobs.values()):
            self.counts.problem(f"{live} jobs did not come to an end")
        self.squeezes(rows, check)
        self.counts.problems += Comparison(Sums(rows, check.spent)).all(sums)
        altered = self.altered(sums)
        counts, problems = self.counts, self.counts.problems
        for what in ("succeeded", "failed division_by_zero", "canceled", "jobs refunded in part",
                     "jobs with extended holds"):
            if not check.counts[what]:
                problems.append(f"the run met no case of: {what}")
        expected = ["submit: insufficient_credit", "submit: budget_exceeded",
                    "submit: cost_limit_exceeded", "sessions closed"]
        # It takes a job that is slower than nine of ten just when its project has nothing left.
        if self.options.jobs >= 20_000:
            expected.append(STOPPED)
        for what in expected:
            if not counts.met[what]:
                problems.append(f"the run met no case of: {what}")
        return {
            "jobs_wanted": self.options.jobs, "seed": self.options.seed,
            "seconds": round(time.monotonic() - started), "jobs": len(rows.jobs),
            "sessions": len(rows.sessions), "movements": len(rows.movements),
            "entries": sum(len(movement.lines) for movement in rows.movements),
            "spent_micro_units": sum(check.spent.values()),
            "stops": dict(sorted(self.stops.items())),
            "jobs_by_end": dict(sorted(check.counts.items())),
            "met": dict(sorted(counts.met.items())), "usage_answers_compared": len(sums),
            "alterations_found": altered, "problem_count": len(problems), "problems": problems[:20]}

    def threads(self) -> list[threading.Thread]:
        found: list[threading.Thread] = [self.squeezer]
        with self.operator.connect("lab/open/ada") as client:
            plan = client.plan(LONG, shots=LONG_SHOTS)
        longest = {"capped": int(plan["cost"]) + 1}
        size = int(plan["pubs"][0]["shots_per_chunk"])
        self.chunks.update({"long": size, "hurried": size, "capped": size})
        for place in PLACES[:-1]:
            for name in ("ada", "bob"):
                def connect(principal: str = f"{place}/{name}") -> qubus.Client:
                    return self.operator.connect(principal)
                found.append(Tenant(f"{place}/{name}", connect, self.options.seed, self.counts, longest))
                if name == "bob":
                    found.append(Stepper(place, connect, self.options.seed, self.counts))
        return found

    def disturb(self) -> None:
        """Stops the daemon again and again, and looks at what it left."""
        step = max(100, self.options.jobs // self.options.stops)
        following, refusals = step, 0
        while not self.counts.is_enough:
            time.sleep(0.05)
            now = self.counts.met["submit: insufficient_credit"]
            if now > refusals + 200:
                refusals = now
                self.top_up()
            if self.counts.accepted < following:
                continue
            following = self.counts.accepted + step
            # Long enough for whatever is at an unlucky place to come to another.
            time.sleep(self.dice.random() * 0.2)
            self.restart(signal.SIGTERM if self.dice.random() < 0.25 else signal.SIGKILL)

    def top_up(self) -> None:
        try:
            self.operator.credit("lab/prepaid", 200 * self.options.jobs)
            self.counts.note("credit topped up")
        except qubus.QubusError as error:
            self.counts.note(f"operator: {error.name}")

    def restart(self, number: int) -> None:
        with self.daemon.lock:
            self.stop(number)
            self.checked()
            self.daemon.start()

    def stop(self, number: int) -> None:
        code = self.daemon.end(number)
        self.stops[signal.Signals(number).name] += 1
        if code not in (0, -signal.SIGKILL):
            self.counts.problem(f"qubusd ended with {code}")

    def checked(self) -> tuple[Rows, Check]:
        """Looks at a copy of what the daemon left."""
        database = copied(self.daemon.data, self.base / "copy")
        rows = Rows(database)
        database.close()
        check = Check(rows, self.errors, self.chunks, list(self.stalls), {TIGHT})
        self.counts.problems += check.all()
        return rows, check

    def drain(self) -> None:
        limit = time.monotonic() + DRAIN_LIMIT
        while time.monotonic() < limit:
            health = self.operator.client.health()
            if not int(health.get("jobs_queued", 0)) + int(health.get("jobs_running", 0)):
                break
            time.sleep(0.1)
        # Sessions that were left alone end by their time, and are charged then.
        time.sleep(Stepper.IDLE_SECONDS + 1)

    def squeezes(self, rows: Rows, check: Check) -> None:
        for id, room in self.squeezer.room.items():
            job = rows.jobs[id]
            if (job.cost or 0) > room + check.chunk(job):
                self.counts.problem(
                    f"job {id} cost {job.cost}, its budget had {room}, a chunk is {check.chunk(job)}")

    # `qubus usage`

    def usage_of_the_end(self) -> list[Answer]:
        database = copied(self.daemon.data, self.base / "copy")
        times = sorted(time for (time,) in database.execute("SELECT accepted_at FROM jobs"))
        database.close()
        windows: list[tuple[int, int | None]] = [(0, None)]
        # The command takes whole seconds.
        edges = sorted({times[n] // 1_000_000 for n in range(WINDOW, len(times), WINDOW)})
        middle = [0, *(1_000_000 * edge for edge in edges), None]
        pages = list(zip(middle, middle[1:]))
        answers: list[Answer] = []
        for form in ("json", "csv"):
            for group in ("tag", "session", "project", "principal", "device", "class"):
                for since, until in windows + self.dice.sample(pages, min(3, len(pages))):
                    told = self.usage(group, form, since, until)
                    answers.append(Answer(group, form, since, until, told))
            for since, until in pages:
                told = self.usage("job", form, since, until)
                answers.append(Answer("job", form, since, until, told))
        told = self.usage("project", "json", 0, None, "--metrics")
        answers.append(Answer("metrics", "json", 0, None, told))
        return answers

    def usage(self, group: str, form: str, since: int, until: int | None, *more: str) -> Any:
        command = [self.options.cli, "usage", "--everything", "--by", group, "--limit", "10000",
                   "-o", form, *more, "--endpoint", self.daemon.ipc]
        for option, time_ in (("--since", since), ("--until", until)):
            if time_:
                moment = datetime.datetime.fromtimestamp(time_ // 1_000_000, datetime.UTC)
                command += [option, moment.strftime("%Y-%m-%dT%H:%M:%S")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            self.counts.problem(f"qubus usage --by {group}: {done.stderr}")
            return {} if form == "json" else []
        return (json.loads(done.stdout) if form == "json"
                else list(csv.DictReader(io.StringIO(done.stdout))))

    def altered(self, answers: list[Answer]) -> list[str]:
        """Alters rows on copies; the checks that passed on the whole have to find each."""
        found = []
        for what, statement in (ALTERATIONS | USAGE_ALTERATIONS).items():
            database = copied(self.daemon.data, self.base / "copy")
            alter(database, statement)
            check = Check(Rows(database), self.errors, self.chunks, self.stalls, {TIGHT})
            problems = check.all()
            if what in USAGE_ALTERATIONS:
                problems = Comparison(Sums(check.rows, check.spent)).all(answers)
            if problems:
                found.append(what)
            else:
                self.counts.problem(f"the check does not find that {what}")
            database.close()
        return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak ledger", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--stops", type=int, default=24, help="of the daemon, about")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    parser.add_argument("--cli", type=pathlib.Path, default=ROOT / ".build/release/qubus")
    options = parser.parse_args()
    if options.jobs < 500 or options.stops < 1:
        parser.error("at least 500 jobs and one stop")
    print(f"ledger soak: {options.jobs} jobs, seed {options.seed}", flush=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="qubus-ledger."))
    soak = Soak(options, base)
    try:
        report = soak.run()
    except BaseException:
        soak.daemon.process.kill()
        raise
    print(json.dumps(report, indent=2), flush=True)
    if report["problem_count"] == 0:
        shutil.rmtree(base)
        return 0
    print(f"the data directory is kept: {base}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    code = main()
    # Threads that hang are in the report; they must not keep the process.
    sys.stdout.flush()
    os._exit(code)
