"""One principal of a soak: a process with sessions, a thread each.

usage: tenant.py ENDPOINT FOLDER SEED FIRST COUNT          step until the input ends
       tenant.py ENDPOINT --share ROWS COUNT               keep sessions busy from "go" to "stop"

In FOLDER every session keeps a ticket (id, secret) and a log: a line for each answer with its
sequence number, digest, and whether the server had it already. A process that was killed is started
again with the same arguments, and goes on with its sessions.
"""
from __future__ import annotations

import json
import os
import pathlib
import random
import sys
import threading
import time

import numpy

import qubus
from workload import HEAVY_QUBITS, Work, observables, program

#: Longest pause between two steps, in seconds.
THINK = 0.02


class Stepper(threading.Thread):
    """One session, through lost connections, kills and restarts."""

    def __init__(self, endpoint: str, folder: pathlib.Path, work: Work, ending: threading.Event):
        super().__init__(name=f"session-{work.number}", daemon=True)
        self.endpoint, self.work, self.ending = endpoint, work, ending
        self.ticket, self.path = folder / f"{work.number}.ticket", folder / f"{work.number}.log"
        self.dice = random.Random(os.getpid() * 1000 + work.number)
        self.last = 0
        self.problem: str | None = None
        self.is_closed = False
        self.rebuilds = self.repeats = self.reconnects = 0

    def run(self) -> None:
        if self.path.exists():
            lines = self.path.read_text().splitlines()
            self.last = int(lines[-1].split()[0]) if lines else 0
        self.log = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        while not self.is_closed:
            try:
                self.connected()
            except qubus.QubusError as error:
                if not (error.retryable or isinstance(error, (qubus.ClientError, qubus.BackendError))):
                    self.problem = f"session {self.work.number} after step {self.last}: {error}"
                    return
                self.reconnects += 1
                time.sleep(0.05)
            except Exception as error:
                self.problem = f"session {self.work.number}: {type(error).__name__}: {error}"
                return
        os.close(self.log)

    def connected(self) -> None:
        """Steps on one connection until it is dropped, here or elsewhere."""
        with qubus.Client(self.endpoint, connect_timeout=20) as client:
            session = self.opened(client)
            steps = self.dice.randint(20, 400)
            while steps and not self.ending.is_set():
                steps -= 1
                self.one_step(session)
                if self.dice.random() < 0.5:
                    self.ending.wait(self.dice.random() * THINK)
            if not self.ending.is_set():
                if self.dice.random() < 0.5:
                    self.abandon(session)
                session.detach()
                return
            self.close(session)

    def opened(self, client: qubus.Client) -> qubus.Session:
        if self.ticket.exists():
            told = json.loads(self.ticket.read_text())
            return client.resume_session(
                told["id"], bytes.fromhex(told["secret"]), last_sequence=self.last)
        # a key, so that a kill between the answer and the ticket leaves no second session
        session = client.session(
            self.work.source, idempotency_key=f"{self.work.seed}-{self.work.number}",
            **self.work.options)
        new = self.ticket.with_suffix(".new")
        new.write_text(json.dumps({"id": session.id, "secret": session.secret.hex()}))
        new.rename(self.ticket)
        return session

    def one_step(self, session: qubus.Session) -> None:
        result, digest = self.work.step(session, self.last + 1, timeout=60)
        if result.sequence != self.last + 1:
            raise RuntimeError(f"step {self.last + 1} was answered as {result.sequence}")
        self.rebuilds += result.was_rebuilt
        self.repeats += result.was_repeated
        os.write(self.log, f"{result.sequence} {digest} {int(result.was_repeated)}\n".encode())
        self.last = result.sequence

    def abandon(self, session: qubus.Session) -> None:
        """Leaves a step on its way, as a client does that is interrupted."""
        try:
            result, digest = self.work.step(session, self.last + 1, timeout=0)
        except TimeoutError:
            return
        os.write(self.log, f"{result.sequence} {digest} {int(result.was_repeated)}\n".encode())
        self.last = result.sequence

    def close(self, session: qubus.Session) -> None:
        while session.info()["last_sequence"] > self.last:
            self.one_step(session)  # a step that was abandoned has been answered since
        info = session.info()
        told = {"session": self.work.number, "answered": self.last, "steps": info["steps"],
                "last_sequence": info["last_sequence"], "shots_used": info.get("shots_used", 0)}
        self.path.with_suffix(".end").write_text(json.dumps(told))
        session.close()
        self.is_closed = True


def step_until_the_input_ends(endpoint: str, folder: str, seed: int, first: int, count: int) -> int:
    ending = threading.Event()
    steppers = [Stepper(endpoint, pathlib.Path(folder), Work(first + n, seed), ending)
                for n in range(count)]
    for stepper in steppers:
        stepper.start()
    print("ready", flush=True)
    sys.stdin.read()
    ending.set()
    for stepper in steppers:
        stepper.join(60)
        if stepper.is_alive():
            stepper.problem = f"session {stepper.work.number} hangs after step {stepper.last}"
    problems = [stepper.problem for stepper in steppers if stepper.problem]
    print(json.dumps({
        "problems": problems, "rebuilds": sum(s.rebuilds for s in steppers),
        "repeats": sum(s.repeats for s in steppers),
        "reconnects": sum(s.reconnects for s in steppers)}), flush=True)
    return 1 if problems else 0


def keep_busy(endpoint: str, rows: int, count: int) -> int:
    """Device time of the sessions between two lines of input."""
    with qubus.Client(endpoint) as client:
        sessions = [client.session(program(HEAVY_QUBITS, 4), observables=observables(HEAVY_QUBITS, 2))
                    for _ in range(count)]
        values = numpy.random.default_rng(rows).uniform(-3, 3, (rows, 4 * HEAVY_QUBITS))
        for session in sessions:
            session.step(values)
        print("ready", flush=True)
        sys.stdin.readline()
        ending = threading.Event()

        def work(session: qubus.Session) -> None:
            while not ending.is_set():
                session.step(values)

        before = sum(session.info()["device_microseconds"] for session in sessions)
        threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
        for thread in threads:
            thread.start()
        sys.stdin.readline()
        after = sum(session.info()["device_microseconds"] for session in sessions)
        ending.set()
        for thread in threads:
            thread.join()
        for session in sessions:
            session.close()
    print(json.dumps({"rows": rows, "device_microseconds": after - before}), flush=True)
    return 0


if __name__ == "__main__":
    if sys.argv[2] == "--share":
        sys.exit(keep_busy(sys.argv[1], int(sys.argv[3]), int(sys.argv[4])))
    endpoint, folder, *numbers = sys.argv[1:]
    code = step_until_the_input_ends(endpoint, folder, *map(int, numbers))
    sys.stdout.flush()
    os._exit(code)  # threads that hang are in the report; they must not keep the process
