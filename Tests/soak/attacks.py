#!/usr/bin/env python3
"""Attack clients of every kind beside honest ones, on one daemon with an ipc and a curve endpoint.

Honest clients of two tenants step, read and submit all the time: first beside pure CPU burners, then
beside as many attack clients. Checked: nobody is ever answered with what is another tenant's, and every
honest answer is right; the honest 99th percentiles are at most twice those beside the burners (judged
in runs of two minutes or more, told in shorter ones); no honest client is ever cut off; the daemon's
memory stays under its cap and is flat afterwards; the daemon lives, is well, and its audit verifies;
every kind of attack did happen.
"""
from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/python"))

import qubus  # noqa: E402
from attack_service import MEBIBYTE, MEMORY_CAP, Service  # noqa: E402
from attacker import ATTACKS, WANTED  # noqa: E402

HONEST = ["lab/qc/ada", "lab/qc/bob", "rival/qc/zoe", "rival/qc/yan"]
#: Attack clients may make the honest ones' 99th percentiles so much longer than burners do.
SLOWDOWN = 2.0
#: Fewest seconds of attacks, and fewest calls in each phase, by which a 99th percentile is judged.
JUDGED_SECONDS, JUDGED_CALLS = 120, 500
#: Growth of the daemon's memory after the attacks that is still flat.
FLAT_FACTOR, FLAT_BYTES = 1.1, 24 * MEBIBYTE
#: Share of the connections asked for that a flood has to reach to be one.
FLOOD_SHARE = 0.5


class Helper:
    """A process of ours that says "ready", takes lines, and ends with a line of JSON."""

    def __init__(self, script: str, *arguments: object):
        self.name = f"{script} {arguments[0]}"
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(pathlib.Path(__file__).with_name(script)), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

    def wait_ready(self) -> None:
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")

    def say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def finish(self) -> dict:
        """Ends its input and gives its last line; a helper that hangs says where."""
        try:
            told, _ = self.process.communicate(timeout=150)
            return json.loads(told.splitlines()[-1])
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # its traceback goes to standard error
            self.process.wait()
            return {"problems": [f"{self.name} did not end"]}
        except (IndexError, ValueError):
            return {"problems": [f"{self.name} gave no report and ended with {self.process.returncode}"]}


class Memory(threading.Thread):
    """Samples the daemon's resident memory ten times a second, by phase."""

    def __init__(self, service: Service):
        super().__init__(daemon=True)
        self.service, self.phase, self.ending = service, "start", threading.Event()
        self.samples: dict[str, list[int]] = collections.defaultdict(list)

    def run(self) -> None:
        while not self.ending.wait(0.1):
            try:
                self.samples[self.phase].append(self.service.resident_bytes())
            except (OSError, AttributeError):
                return  # the daemon is gone, which is noticed elsewhere

    def report(self, problems: list[str]) -> dict:
        self.ending.set()
        highest = max(max(each) for each in self.samples.values())
        after = self.samples["after"]
        half = len(after) // 2
        early, late = statistics.median(after[:half]), statistics.median(after[half:])
        if highest > MEMORY_CAP:
            problems.append(f"memory rose to {highest >> 20} MiB; its cap is {MEMORY_CAP >> 20} MiB")
        if late > max(FLAT_FACTOR * early, early + FLAT_BYTES):
            problems.append(f"memory grows after the attacks: {early} to {late} bytes")
        return {"cap_mib": MEMORY_CAP >> 20, "highest_mib": highest >> 20,
                "before_mib": round(statistics.median(self.samples["burners"])) >> 20,
                "after_mib": [int(early) >> 20, int(late) >> 20]}


def percentile_99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * (len(seconds) - 1))]


def compare(told: list[dict], seconds: float, problems: list[str]) -> dict:
    """99th percentiles of the honest clients' calls beside burners and beside attackers."""
    found = {}
    for what in ("step", "read", "submit"):
        pooled = {phase: [each for report in told
                          for each in report.get("seconds", {}).get(phase, {}).get(what, [])]
                  for phase in ("burners", "attacks")}
        if not all(pooled.values()):
            problems.append(f"no {what} of an honest client in one of the phases")
            continue
        burners, attacks = (percentile_99(each) for each in pooled.values())
        found[what] = {"calls": [len(each) for each in pooled.values()],
                       "p50_ms": [round(1000 * statistics.median(v), 2) for v in pooled.values()],
                       "p99_ms_beside_burners": round(1000 * burners, 2),
                       "p99_ms_beside_attackers": round(1000 * attacks, 2),
                       "ratio": round(attacks / burners, 2)}
        is_judged = seconds >= JUDGED_SECONDS and min(map(len, pooled.values())) >= JUDGED_CALLS
        if is_judged and attacks > SLOWDOWN * burners:
            problems.append(f"honest {what}: p99 {1000 * attacks:.1f} ms beside attackers, "
                            f"{1000 * burners:.1f} ms beside burners")
    return found


def honest_problems(told: list[dict], problems: list[str]) -> dict:
    """An honest client is refused nothing and loses no connection."""
    reconnects = collections.Counter()
    for report in told:
        problems += report["problems"]
        reconnects.update(report.get("reconnects", {}))
    problems += [f"an honest client was cut off: {what}, {count} times"
                 for what, count in reconnects.items()]
    return dict(reconnects)


def attack_counts(told: list[dict], is_whole: bool, problems: list[str]) -> dict:
    counts, maxima = collections.Counter(), {}
    for report in told:
        problems += report["problems"]
        counts.update(report.get("counts", {}))
        for name, value in report.get("maxima", {}).items():
            maxima[name] = max(maxima.get(name, 0), value)
    flooded = counts["seconds of flood"]
    rate = counts["connections"] / flooded * sum(r.get("kind") == "flood" for r in told) if flooded else 0
    if is_whole:
        problems += [f"this attack did not happen: {name}" for name in WANTED if not counts[name]]
        if rate < FLOOD_SHARE * 1000:
            problems.append(f"the flood reached only {rate:.0f} connections a second")
    return {"connections_a_second": round(rate), **dict(sorted(counts.items())), **maxima}


def still_whole(service: Service, problems: list[str]) -> dict:
    """What the attackers were after is as it was, the daemon is well, and its audit holds."""
    step = service.session.evaluate([0.5])
    if step.sequence != 2:
        problems.append(f"the session that was attacked is at step {step.sequence}, not 2")
    with qubus.Client(service.ipc) as client:
        health = client.health()
        if health["state"] != "serving":
            problems.append(f"the daemon is {health['state']}")
    verified = service.ask("audit", "verify")
    if "broken_at" in verified:
        problems.append(f"the audit is broken: {verified}")
    return {"health": health["state"], "audit_records": verified["records"]}


def phases(service: Service, options: argparse.Namespace, memory: Memory) -> tuple[list, list]:
    """Burners, attacks, and a while afterwards; reports of the attackers and of the honest."""
    facts = service.facts()
    honest = [Helper("honest.py", facts, principal, options.seed) for principal in HONEST]
    for helper in honest:
        helper.wait_ready()

    def enter(phase: str, seconds: float) -> None:
        memory.phase = phase
        for helper in honest:
            helper.say(f"phase {phase}")
        print(f"{phase}: {seconds:g} s", flush=True)
        time.sleep(seconds)

    memory.start()
    enter("start", 2)
    kinds = [(kind, number) for kind in options.only or ATTACKS
             for number in range(1, options.clients + 1)]
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in kinds]
    try:
        enter("burners", max(8, options.seconds / 3))
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    enter("between", 0)
    attackers = [Helper("attacker.py", kind, number, facts, options.seed) for kind, number in kinds]
    for helper in attackers:
        helper.wait_ready()
    before = service.processor_seconds()
    for helper in attackers:
        helper.say("go")
    enter("attacks", options.seconds)
    service.attack_processor_seconds = service.processor_seconds() - before
    for helper in attackers:
        helper.process.stdin.close()
        helper.process.stdin = None
    attacks = [helper.finish() for helper in attackers]
    enter("after", max(6, options.seconds / 10))
    return attacks, [helper.finish() for helper in honest]


def run(options: argparse.Namespace, folder: pathlib.Path) -> dict:
    problems: list[str] = []
    service = Service(options.daemon, folder)
    service.people()
    memory = Memory(service)
    attacks, honest = phases(service, options, memory)
    report = {"seconds": options.seconds, "seed": options.seed,
              "attack_clients": options.clients * len(options.only or ATTACKS), "honest_clients": len(HONEST),
              "honest": compare(honest, options.seconds, problems),
              "honest_reconnects": honest_problems(honest, problems),
              "attacks": attack_counts(attacks, not options.only, problems),
              "memory": memory.report(problems),
              "daemon_processor_share": round(service.attack_processor_seconds / options.seconds, 2)}
    if service.process.poll() is not None:
        problems.append(f"the daemon ended with {service.process.returncode}")
    else:
        report |= still_whole(service, problems)
        code = service.stop()
        if code:
            problems.append(f"qubusd ended with {code} on SIGTERM")
    return {**report, "problem_count": len(problems), "problems": problems[:20]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="of attacks; default 600")
    parser.add_argument("--only", choices=list(ATTACKS), action="append",
                        help="these attacks alone; whether the others happen is not judged")
    parser.add_argument("--clients", type=int, default=2, help="of each kind of attack; default 2")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    options = parser.parse_args()
    if options.seconds <= 0 or options.clients <= 0:
        parser.error("seconds and clients are positive")
    print(f"attacks soak: {options.seconds:g} s, seed {options.seed}, {options.clients} clients of each "
          f"of {len(ATTACKS)} kinds", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qubus-attacks.", dir="/tmp"))
    report = run(options, folder)
    print(json.dumps(report, indent=2), flush=True)
    if report["problem_count"] == 0:
        shutil.rmtree(folder)
        return 0
    print(f"logs and data are kept: {folder}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
