"""An honest client of a soak: a process that steps, reads and submits, and checks every answer.

usage: honest.py FACTS PRINCIPAL SEED          says "ready"; input: "phase NAME" lines, then its end
"""
from __future__ import annotations

import collections
import json
import math
import os
import pathlib
import random
import sys
import threading
import time

import qubus

#: Seconds between two calls, on average.
THINK = 0.01


class Honest:
    def __init__(self, facts: dict, principal: str, seed: int):
        self.facts, self.principal = facts, principal
        self.dice = random.Random(f"{seed}/{principal}")
        self.phase = "start"
        self.seconds: dict[str, dict[str, list[float]]] = collections.defaultdict(
            lambda: collections.defaultdict(list))
        self.problems: list[str] = []
        self.reconnects: collections.Counter[str] = collections.Counter()
        self.ending = threading.Event()

    def connect(self) -> qubus.Client:
        return qubus.Client(
            self.facts["curve"], server_key=self.facts["server_key"],
            key_file=self.facts["key_files"][self.principal], connect_timeout=60, call_timeout=60)

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                with self.connect() as client:
                    self.work(client)
            except qubus.QubusError as error:
                self.reconnects[f"{self.phase}: {error.name}"] += 1
                if not error.retryable:
                    self.problems.append(f"{self.principal}, {self.phase}: {error}")
                self.ending.wait(0.05)

    def work(self, client: qubus.Client) -> None:
        session = client.session(self.facts["turn"], observables="Z", idle_seconds=3600)
        job = client.submit(self.facts["bell"], shots=50, name=self.mark)
        while not self.ending.is_set():
            draw = self.dice.random()
            if draw < 0.7:
                angle = self.dice.uniform(-3, 3)
                value = self.timed("step", session.step, [angle])
                self.expect(abs(value - math.cos(angle)) < 1e-9, "a step gave another's value")
            elif draw < 0.96:
                status = self.timed("read", client.call, "GetJob", {"job_id": job.id})
                self.expect(status["job"]["name"] == self.mark, "a job is another's")
            else:
                job = self.timed("submit", self.submit_and_wait, client)
            self.ending.wait(self.dice.expovariate(1 / THINK))
        session.close()

    @property
    def mark(self) -> str:
        return f"{self.facts['lab']['mark'] if self.principal.startswith('lab/') else 'rival'}-honest"

    def submit_and_wait(self, client: qubus.Client):
        job = client.submit(self.facts["bell"], shots=50, seed=self.dice.randrange(1 << 30), name=self.mark)
        counts = job.result(timeout=60).counts
        self.expect(sum(counts.values()) == 50 and set(counts) <= {"00", "11"}, "counts of another job")
        return job

    def timed(self, what: str, call, *arguments):
        started = time.perf_counter()
        answer = call(*arguments)
        self.seconds[self.phase][what].append(time.perf_counter() - started)
        return answer

    def expect(self, holds: bool, text: str) -> None:
        if not holds:
            self.problems.append(f"{self.principal}, {self.phase}: {text}")

    def report(self) -> dict:
        return {"seconds": self.seconds, "problems": self.problems[:20],
                "problem_count": len(self.problems), "reconnects": dict(self.reconnects)}


def main(facts: str, principal: str, seed: str) -> None:
    honest = Honest(json.loads(pathlib.Path(facts).read_text()), principal, int(seed))
    worker = threading.Thread(target=honest.run, daemon=True)
    worker.start()
    print("ready", flush=True)
    for line in sys.stdin:
        honest.phase = line.split()[1]
    honest.ending.set()
    worker.join(90)
    if worker.is_alive():
        honest.problems.append(f"{principal} hangs")
    print(json.dumps(honest.report()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
