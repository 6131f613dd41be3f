#!/usr/bin/env python3
"""Sessions of many principals for minutes, with disconnects, kills of clients and of the daemon.

Checked: every session's answers are numbered 1, 2, 3, … without gap, double or change; every answer
has the bits that a quiet daemon computes alone with the same seed; no step is charged twice; the
daemon's memory stays flat; principals that keep it busy get equal device time within 10 %.
As root each of the 8 principals is a user of its own; else they are one user, whose shares are told
but not judged.
"""
from __future__ import annotations

import argparse
import grp
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import qubus
from workload import Work

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRINCIPALS, SESSIONS_EACH = 8, 8
FIRST_USER = 61200
#: Share of the run that is spent on fair shares.
SHARING = 0.15
#: Growth of the daemon's memory that is still flat: of the median, and in KiB.
FLAT_FACTOR, FLAT_KIB = 1.1, 24 * 1024
FAIR = 0.10


def can_be_others() -> bool:
    """Whether this process may start Python as other users."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return False
    return subprocess.run(
        ["setpriv", f"--reuid={FIRST_USER}", "--clear-groups", sys.executable, "-c", "import qubus"],
        capture_output=True).returncode == 0


class Daemon:
    """qubusd on one data directory, started again on it after a kill."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path):
        self.binary, self.folder = binary, folder
        self.group = grp.getgrall()[-1] if can_be_others() else None
        folder.mkdir()
        (folder / "data").mkdir(mode=0o700)
        self.endpoint = f"ipc://{folder}/s/q.sock" if self.group else f"ipc://{folder}/data/q.sock"

    def start(self) -> None:
        command = [str(self.binary), "--data-dir", str(self.folder / "data"), "--listen",
                   self.endpoint, "--log-level", "warning"]
        if self.group:
            self.folder.chmod(0o755)
            command += ["--socket-group", self.group.gr_name]
        with open(self.folder / "qubusd.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        if not self.process.stdout.readline():
            raise RuntimeError(f"qubusd did not start; see {log.name}")

    def as_user(self, principal: int, command: list[str]) -> list[str]:
        if self.group is None:
            return command
        user = FIRST_USER + principal
        return ["setpriv", f"--reuid={user}", f"--regid={self.group.gr_gid}", "--clear-groups", *command]

    def resident_kib(self) -> int:
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code


class Tenant:
    """The process of one principal, started again when it was killed."""

    def __init__(self, daemon: Daemon, number: int, arguments: list[str]):
        self.command = daemon.as_user(number, [
            sys.executable, str(pathlib.Path(__file__).with_name("tenant.py")), daemon.endpoint,
            *arguments])
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

    def wait_ready(self) -> None:
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{self.command} ended with {self.process.wait()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def finish(self, limit: float = 120) -> dict:
        """Ends its input and gives its last line."""
        told, _ = self.process.communicate(timeout=limit)
        lines = [line for line in told.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {
            "problems": [f"a client ended with {self.process.returncode} and no report"]}


class Memory(threading.Thread):
    """Samples the daemon's resident memory once a second."""

    def __init__(self, daemon: Daemon):
        super().__init__(daemon=True)
        self.daemon_process, self.samples, self.ending = daemon, [], threading.Event()

    def run(self) -> None:
        while not self.ending.wait(1):
            try:
                self.samples.append(self.daemon_process.resident_kib())
            except OSError:
                continue  # between a kill and the start after it

    def growth(self) -> tuple[float, float]:
        """Medians of the second and of the last quarter."""
        self.ending.set()
        quarter = max(1, len(self.samples) // 4)
        return (statistics.median(self.samples[quarter:2 * quarter] or [0]),
                statistics.median(self.samples[-quarter:] or [0]))


def disturb(daemon: Daemon, tenants: list[Tenant], seconds: float, dice: random.Random) -> dict:
    """Kills a client now and then, and the daemon once, a third on the way."""
    ending = time.monotonic() + seconds
    restart_at, kills, memory = time.monotonic() + seconds / 3, 0, None
    pause = min(3.0, seconds / 12)
    while time.monotonic() < ending:
        time.sleep(pause * (0.5 + dice.random()))
        if restart_at is not None and time.monotonic() > restart_at:
            daemon.kill()
            time.sleep(0.2)
            daemon.start()
            restart_at, memory = None, Memory(daemon)
            memory.start()
            continue
        victim = dice.choice(tenants)
        victim.kill()
        victim.start()
        kills += 1
    early, late = memory.growth() if memory else (0, 0)
    return {"clients_killed": kills, "daemon_restarts": int(restart_at is None),
            "memory_early_kib": early, "memory_late_kib": late}


def check_logs(folder: pathlib.Path, count: int, problems: list[str]) -> dict[int, list[str]]:
    """The digests of every session, in order of their sequence numbers."""
    found: dict[int, list[str]] = {}
    for number in range(count):
        path = folder / f"{number}.log"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        if [int(line[0]) for line in lines] != list(range(1, len(lines) + 1)):
            problems.append(f"session {number}: its answers are not numbered 1, 2, 3, …")
        if not lines:
            problems.append(f"session {number} has no answer")
        found[number] = [line[1] for line in lines]
        end = folder / f"{number}.end"
        if not end.exists():
            problems.append(f"session {number} was not closed by its client")
            continue
        told = json.loads(end.read_text())
        if told["steps"] > told["last_sequence"]:
            problems.append(f"session {number}: {told['steps']} steps charged of {told['last_sequence']}")
        if told["last_sequence"] != told["answered"]:
            problems.append(f"session {number}: last_sequence is {told['last_sequence']}, "
                            f"the client has {told['answered']} answers")
    return found


def compare(daemon: Daemon, seed: int, answers: dict[int, list[str]], problems: list[str]) -> int:
    """Computes every answer again, one session after the other on a quiet daemon."""
    compared = 0
    with qubus.Client(daemon.endpoint) as client:
        for number, digests in answers.items():
            work = Work(number, seed)
            with client.session(work.source, **work.options) as session:
                for sequence, digest in enumerate(digests, 1):
                    if work.step(session, sequence)[1] != digest:
                        problems.append(f"session {number}, step {sequence} ({work.kind}): another "
                                        "answer than the one computed alone")
                        break
                    compared += 1
    return compared


def shares(daemon: Daemon, seconds: float, problems: list[str]) -> list[float]:
    """Device time of principals that keep the daemon busy, of its mean; steps of unequal size.

    A step takes milliseconds, so that every principal has work waiting whatever its Python costs.
    """
    tenants = [Tenant(daemon, n, ["--share", str(16 * (1 + n % 4)), str(SESSIONS_EACH)])
               for n in range(PRINCIPALS)]
    for tenant in tenants:
        tenant.wait_ready()
    for tenant in tenants:
        tenant.say("go")
    time.sleep(seconds)
    for tenant in tenants:
        tenant.say("stop")
    spent = [tenant.finish().get("device_microseconds", 0) for tenant in tenants]
    mean = statistics.mean(spent) or 1
    found = [round(each / mean, 3) for each in spent]
    if daemon.group is not None and max(abs(share - 1) for share in found) > FAIR:
        problems.append(f"shares of device time are not within {FAIR:.0%}: {found}")
    return found


def run(options: argparse.Namespace, base: pathlib.Path) -> dict:
    seconds, problems = 60 * options.minutes, []
    dice, count = random.Random(options.seed), PRINCIPALS * SESSIONS_EACH
    base.chmod(0o755)
    logs = base / "logs"
    logs.mkdir()
    logs.chmod(0o777)
    daemon = Daemon(options.daemon, base / "shared")
    daemon.start()
    try:
        with qubus.Client(daemon.endpoint) as client:
            if "sessions" not in client.hello().features:
                raise SystemExit("this daemon serves no sessions")
        tenants = [Tenant(daemon, n, [str(logs), str(options.seed), str(n * SESSIONS_EACH),
                                      str(SESSIONS_EACH)]) for n in range(PRINCIPALS)]
        report = disturb(daemon, tenants, seconds * (1 - SHARING), dice)
        for told in [tenant.finish() for tenant in tenants]:
            problems += told.pop("problems")
            for key, value in told.items():
                report[key] = report.get(key, 0) + value
        early, late = report["memory_early_kib"], report["memory_late_kib"]
        if late > max(FLAT_FACTOR * early, early + FLAT_KIB):
            problems.append(f"memory grew from {early} to {late} KiB")
        if not report["daemon_restarts"]:
            problems.append("the daemon was not restarted: the run is too short")
        report["shares"] = shares(daemon, seconds * SHARING, problems)
    finally:
        code = daemon.stop()
    if code:
        problems.append(f"qubusd ended with {code} on SIGTERM")
    answers = check_logs(logs, count, problems)
    quiet = Daemon(options.daemon, base / "quiet")
    quiet.start()
    try:
        report["answers_compared"] = compare(quiet, options.seed, answers, problems)
    finally:
        quiet.stop()
    if report["answers_compared"] < 20 * count:
        problems.append(f"only {report['answers_compared']} answers: too few to show anything")
    return {"minutes": options.minutes, "seed": options.seed, "sessions": count,
            "principals": PRINCIPALS if daemon.group else 1, **report,
            "problem_count": len(problems), "problems": problems[:20]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak sessions", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("minutes are positive")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"sessions soak: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="qubus-soak."))
    report = run(options, base)
    print(json.dumps(report, indent=2), flush=True)
    if report["problem_count"] == 0:
        shutil.rmtree(base)
        return 0
    print(f"logs and data are kept: {base}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
