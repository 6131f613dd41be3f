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

import qubus
from ledger_check import ALTERATIONS, Check, Rows, Stall, Sums, alter, copied, key
from ledger_clients import LONG, LONG_SHOTS, Counts, Stepper, Tenant

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICE = "sim.statevector"
PRICE = {"device": DEVICE, "per_job": 1000, "per_shot": 7, "per_device_second": 12_345_678}
PLACES = ("lab/open", "lab/prepaid", "lab/capped", "rival/subscribed", "lab/tight")
#: Project of the jobs that are driven into a cap while they run, one after the other.
TIGHT = ("lab/tight", "calibration")
#: Seconds for which the daemon is stopped under such a job.
STALL = 0.4
START_LIMIT, DRAIN_LIMIT = 30, 300
#: Jobs of a window for which usage is asked by job.
WINDOW = 5000


class Daemon:
    """qubusd on one data directory, started again on it after it was stopped."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path):
        self.binary, self.folder, self.data = binary, folder, folder / "data"
        self.data.mkdir(mode=0o700)
        self.ipc, self.curve, self.server_key = f"ipc://{folder}/q.sock", "curve://127.0.0.1:0", ""
        #: Held by whoever stops the process, for a moment or for good.
        self.lock = threading.Lock()

    def start(self) -> None:
        with open(self.folder / "qubusd.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--data-dir", self.data, "--listen", self.ipc, "--listen", self.curve,
                 "--log-level", "warning"], stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(START_LIMIT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            raise RuntimeError(f"qubusd did not start; see {log.name}")
        ready = json.loads(line)
        # The port of the first start is that of all others.
        self.curve = next(each for each in ready["endpoints"] if each.startswith("curve://"))
        self.server_key = ready["server_keys"][self.curve]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def stall(self, seconds: float) -> Stall:
        """Stops the process for a while, as a machine does that is too busy."""
        begin = time.time_ns() // 1000
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)
        return Stall(begin, time.time_ns() // 1000 + 50_000)


class Operator:
    """Sets everything up, and tops up credit that ran out."""

    def __init__(self, daemon: Daemon, folder: pathlib.Path):
        self.daemon, self.folder = daemon, folder
        self.client = qubus.Client(daemon.ipc, connect_timeout=60)
        self.keys: dict[str, pathlib.Path] = {}

    def set_up(self, jobs: int) -> None:
        self.client.call("SetPrice", {"price": PRICE, "reason": "soak"})
        for tenant in ("lab", "rival"):
            self.client.call("CreateTenant", {"name": tenant})
        for place in PLACES:
            tenant, project = place.split("/")
            self.client.call("CreateProject", {"tenant": tenant, "name": project})
            for name in ("ada", "bob"):
                self.member(f"{place}/{name}")
        mean = 3000 * jobs // len(PLACES)
        self.credit("lab/prepaid", mean // 8, valid_seconds=max(5, jobs // 400))
        self.credit("lab/prepaid", mean // 4)
        self.credit("rival/subscribed", mean // 12, period_seconds=4)
        self.budget("lab/capped", "", "month", soft=mean // 8, hard=mean // 2)
        self.budget("lab/capped", "demo", "day", hard=mean // 20)
        self.budget("lab/capped", "validation", "always", soft=mean // 40)

    def member(self, principal: str) -> None:
        tenant, project, _ = principal.split("/")
        self.client.call("CreatePrincipal", {
            "principal": principal,
            "grants": [{"role": "submitter", "tenant": tenant, "project": project}]})
        path = self.folder / f"{principal.replace('/', '-')}.key"
        self.client.call("AddKey", {"principal": principal, "key": qubus.generate_key(path)})
        self.keys[principal] = path

    def connect(self, principal: str) -> qubus.Client:
        return qubus.Client(
            self.daemon.curve, server_key=self.daemon.server_key, key_file=self.keys[principal],
            connect_timeout=60, call_timeout=60)

    def credit(self, place: str, amount: int, **options: float) -> None:
        tenant, project = place.split("/")
        self.client.call("GrantCredit", {
            "tenant": tenant, "project": project, "amount": amount, **options})

    def budget(
        self, place: str, experiment_class: str, period: str, soft: int | None = None,
        hard: int | None = None
    ) -> None:
        tenant, project = place.split("/")
        caps = {"soft_cap": soft, "hard_cap": hard}
        self.client.call("SetBudget", {
            "tenant": tenant, "project": project, "experiment_class": experiment_class,
            "period": period, **{name: cap for name, cap in caps.items() if cap is not None}})

    def used(self, place: str, experiment_class: str) -> int:
        tenant, project = place.split("/")
        for budget in self.client.call(
                "ListBudgets", {"tenant": tenant, "project": project}).get("budgets", []):
            if budget.get("experiment_class", "") == experiment_class:
                return int(budget.get("used", 0))
        return 0


class Squeezer(threading.Thread):
    """Jobs whose budget is what is held for them, on a daemon that stands still for a moment while
    they run: they reach the cap, stop behind the chunk, and keep what they did."""

    def __init__(self, operator: Operator, counts: Counts, stalls: list[Stall]):
        super().__init__(name="squeezer", daemon=True)
        self.operator, self.counts, self.stalls = operator, counts, stalls
        #: Cap of the budget when the job was submitted, less what was used before it.
        self.room: dict[str, int] = {}

    def run(self) -> None:
        number = 0
        while not self.counts.is_enough:
            number += 1
            try:
                with self.operator.connect(f"{TIGHT[0]}/ada") as client:
                    self.squeeze(client, number)
            except qubus.QubusError as error:
                self.counts.note(f"squeezer: {error.name}")
            time.sleep(0.5)

    def squeeze(self, client: qubus.Client, number: int) -> None:
        options = {"shots": 3 * LONG_SHOTS, "experiment_class": TIGHT[1]}
        held = int(client.plan(LONG, **options)["cost_held"])
        used = self.operator.used(*TIGHT)
        self.operator.budget(*TIGHT, "always", hard=used + held + 1)
        # One thread alone submits here, so that what is used does not change in between.
        job = client.submit(
            LONG, seed=number, idempotency_key=key(f"long-{number}", TIGHT[1], ""), **options)
        self.counts.accept(1)
        self.room[job.id] = held + 1
        for event in job.events(timeout=60):
            if event.status == "running":
                with self.operator.daemon.lock:
                    if self.operator.daemon.process.poll() is None:
                        self.stalls.append(self.operator.daemon.stall(STALL))
                break
        status = job.wait(timeout=60)
        info = job.info()
        name = (info.get("error") or {}).get("name", "")
        self.counts.note(f"squeezed: {status} {name}".strip())
        if name == "budget_exceeded":
            result = job.result(timeout=60)
            done = int(info.get("shots_done", 0))
            if sum(result.counts.values()) != done or not 0 < done < options["shots"]:
                self.counts.problem(
                    f"{job.id} was stopped by its cap after {done} shots and kept "
                    f"{sum(result.counts.values())}")
            self.counts.note("stopped by a cap with its counts kept")


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
        self.compare(Sums(rows, check.spent), sums)
        altered = self.altered()
        counts, problems = self.counts, self.counts.problems
        for what in ("succeeded", "failed division_by_zero", "canceled", "jobs refunded in part",
                     "jobs with extended holds"):
            if not check.counts[what]:
                problems.append(f"the run met no case of: {what}")
        for what in ("stopped by a cap with its counts kept", "submit: insufficient_credit",
                     "submit: budget_exceeded", "submit: cost_limit_exceeded", "sessions closed"):
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

    def usage_of_the_end(self) -> list[tuple[str, str, int, int | None, object]]:
        """(group, format, since, until, answer) of everything that is asked."""
        database = copied(self.daemon.data, self.base / "copy")
        times = sorted(time for (time,) in database.execute("SELECT accepted_at FROM jobs"))
        database.close()
        windows: list[tuple[int, int | None]] = [(0, None)]
        # The command takes whole seconds.
        edges = sorted({times[n] // 1_000_000 for n in range(WINDOW, len(times), WINDOW)})
        middle = [0, *(1_000_000 * edge for edge in edges), None]
        pages = list(zip(middle, middle[1:]))
        answers: list[tuple[str, str, int, int | None, object]] = []
        for form in ("json", "csv"):
            for group in ("tag", "session", "project", "principal", "device", "class"):
                for since, until in windows + self.dice.sample(pages, min(3, len(pages))):
                    answers.append((group, form, since, until, self.usage(group, form, since, until)))
            for since, until in pages:
                answers.append(("job", form, since, until, self.usage("job", form, since, until)))
        answers.append(("metrics", "json", 0, None, self.usage("project", "json", 0, None, "--metrics")))
        return answers

    def usage(self, group: str, form: str, since: int, until: int | None, *more: str) -> object:
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

    def compare(self, sums: Sums, answers: list) -> None:
        problems = self.counts.problems
        for group, form, since, until, answer in answers:
            what = f"usage by {group} ({form}, {since} to {until})"
            if group == "metrics":
                self.compare_metrics(sums, answer)
                continue
            expected = sums.by(group, since, until)
            rows = answer if isinstance(answer, list) else answer.get("rows", [])
            title = group if isinstance(answer, list) else "key"
            found = {row.get(title, ""): {name: int(row.get(name, 0)) for name in Sums.COLUMNS}
                     for row in rows}
            for each in expected.keys() | found.keys():
                if expected.get(each) != found.get(each):
                    problems.append(f"{what}: {each!r} is {found.get(each)}, not {expected.get(each)}")
            if isinstance(answer, dict):
                total = {name: int(answer.get("total", {}).get(name, 0)) for name in Sums.COLUMNS}
                wanted = sums.by("total", since, until).get("", dict.fromkeys(Sums.COLUMNS, 0))
                if total != wanted:
                    problems.append(f"{what}: the total is {total}, not {wanted}")

    def compare_metrics(self, sums: Sums, answer: dict) -> None:
        cost = sum(sums.spent.values())
        if int(answer.get("cost", -1)) != cost:
            self.counts.problem(f"metrics: the cost is {answer.get('cost')}, not {cost}")
        wanted = sums.denominators()
        for metric in answer.get("metrics", []):
            denominator = wanted.pop(metric["name"], None)
            value = cost / denominator if denominator else None
            if (denominator is None or abs(metric["denominator"] - denominator) > 1e-9 * denominator
                    or (value is None) != (metric["value"] is None)
                    or (value is not None and abs(metric["value"] - value) > 1e-9 * value)):
                self.counts.problem(f"metrics: {metric}, not {value} of {denominator}")
        if wanted:
            self.counts.problem(f"metrics without {', '.join(wanted)}")

    def altered(self) -> list[str]:
        """Alters rows on copies; the check that passed on the whole has to find each."""
        found = []
        for what, statement in ALTERATIONS.items():
            database = copied(self.daemon.data, self.base / "copy")
            alter(database, statement)
            check = Check(Rows(database), self.errors, self.chunks, self.stalls, {TIGHT})
            if check.all():
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
