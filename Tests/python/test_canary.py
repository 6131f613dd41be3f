"""A thousand secrets of two tenants, in programs, parameters, labels, sessions, tokens, keys and results,
and in what is refused: none lies anywhere after a kill in the middle of it, a restart and a backup.

Beside Tests/cli/test_canary.py, which has one caller and no encryption at first. QUBUS_CANARY_SEED
repeats a run.
"""
from __future__ import annotations

import itertools
import json
import os
import pathlib
import random
import re
import secrets as system_secrets
import subprocess
import threading

import numpy
import pytest
import zmq

import qubus
from conftest import serving
from raw_client import RawClient, Refusal
from test_attacks import Attacked, pair
from wire import message

MARK = b"canary_"
SECRETS, CLIENTS = 1000, 4
#: Qubits of a state vector that gets a file of its own, and of one that does not.
LARGE, SMALL = 17, 4


class Secrets:
    """What was planted, and whether it lies in some bytes."""

    def __init__(self, seed: int):
        self.lock, self.dice = threading.Lock(), random.Random(seed)
        self.texts: list[bytes] = []
        self.numbers: list[float] = []
        self.others: list[bytes] = []

    def text(self) -> str:
        with self.lock:
            self.texts.append(MARK + b"%016x" % self.dice.getrandbits(64))
            return self.texts[-1].decode()

    def number(self) -> float:
        with self.lock:
            return self.keep(self.dice.uniform(0.1, 3.0))

    def keep(self, number: float) -> float:
        self.numbers.append(float(number))
        return number

    def other(self, data: str | bytes) -> None:
        """A token, the secret half of a key, the secret of a session."""
        self.others.append(data if isinstance(data, bytes) else data.encode())

    @property
    def count(self) -> int:
        return len(self.texts) + len(self.numbers) + len(self.others)

    def leaks(self, files: dict[str, bytes]) -> list[tuple[str, object]]:
        """As text, or a number in its eight bytes or its digits."""
        bits = numpy.array(sorted(set(self.numbers))).view(numpy.uint64)
        is_wanted = numpy.zeros(1 << 16, bool)
        is_wanted[bits & 0xFFFF] = True
        digits = {repr(number).encode() for number in self.numbers}
        found: list[tuple[str, object]] = []
        for name, data in files.items():
            found += [(name, data[at.start():at.start() + 24]) for at in re.finditer(MARK, data)]
            found += [(name, other[:8]) for other in self.others if other in data]
            found += [(name, text) for text in re.findall(rb"\d\.\d{9,}", data) if text in digits]
            for start in range(min(8, len(data))):
                words = numpy.frombuffer(data, numpy.uint8)[start:]
                words = words[:len(words) // 8 * 8].view(numpy.uint64)
                words = words[is_wanted[words & 0xFFFF]]
                found += [(name, float(word)) for word in
                          words[numpy.isin(words, bits)].view(numpy.float64)]
        return found


class Loud(Attacked):
    """Its log is as loud as it gets."""

    master: pathlib.Path | None = None

    def start(self) -> None:
        arguments = ["--log-level", "trace", "--log-format", "json"]
        if self.master is not None:
            arguments += ["--master-key-file", str(self.master)]
        is_first = not (self.data / "qubus.sqlite").exists()
        self.listen(*arguments)
        if is_first:
            self.people()

    @property
    def places(self) -> list[pathlib.Path]:
        return [self.data, self.data.parent / "qubusd.log"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.operator.close()

    def shown(self, *arguments: str) -> bytes:
        """What the command line tells the operator."""
        done = subprocess.run(
            [self.binary.with_name("qubus"), *arguments], capture_output=True,
            env={**os.environ, "QUBUS_ENDPOINT": self.endpoint}, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Sealed(Loud):
    """Its data at rest are encrypted."""

    @property
    def master(self) -> pathlib.Path:
        path = self.data.parent / "master.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(system_secrets.token_hex(32) + "\n")
        return path


def contents(*places: pathlib.Path) -> dict[str, bytes]:
    """Every file; long runs of zeros are cut."""
    files = itertools.chain.from_iterable(
        sorted(place.rglob("*")) if place.is_dir() else [place] for place in places)
    return {str(file): re.sub(rb"\0{64,}", b"\0", file.read_bytes())
            for file in files if file.is_file()}


class Planter(threading.Thread):
    """One member of a tenant: plants until told to stop, or until the daemon is killed."""

    def __init__(self, service: Loud, name: str, key: pathlib.Path, secrets: Secrets):
        super().__init__(name=name, daemon=True)
        self.service, self.key, self.secrets = service, key, secrets
        self.ending, self.rounds, self.problem = threading.Event(), 0, None
        self.jobs: list[tuple[str, float]] = []
        public, secret = pair(key)
        self.credential = f"key:{public}"
        secrets.other(secret)

    def run(self) -> None:
        try:
            with self.service.connect(self.key) as client:
                while not self.ending.is_set():
                    self.plant(client)
                    self.rounds += 1
        except qubus.QubusError as error:
            if not self.ending.is_set():
                self.problem = error

    def plant(self, client: qubus.Client) -> None:
        secrets = self.secrets
        theta, name = secrets.number(), secrets.text()
        program = (f"OPENQASM 3.0; // {secrets.text()}\ninput float {name};\ninclude \"stdgates.inc\";\n"
                   f"qubit[2] q;\nry({name}) q[0];\ncx q[0], q[1];\n")
        job = client.submit(
            program, parameters={name: theta}, observables="IZ", name=secrets.text(),
            tags=[secrets.text(), secrets.text()])
        value = secrets.keep(float(job.result(timeout=60).expectation_values))
        assert abs(value - numpy.cos(theta)) < 1e-9
        self.jobs.append((job.id, value))
        client.call("AnnotateJob", {"job_id": job.id, "annotations": [
            {"key": secrets.text(), "value": secrets.text()}]})
        qubits = LARGE if self.rounds < 2 else SMALL
        large = client.submit(
            f"OPENQASM 3.0; include \"stdgates.inc\"; qubit[{qubits}] q; ry({theta!r}) q;",
            statevector=True)
        secrets.keep(float(large.result(timeout=60).statevector[1].real))
        self.step(client, program)
        self.fail(client)
        issued = client.call("IssueToken", {"bound_to": self.credential, "actions": ["jobs.read"]})
        secrets.other(issued["token"])

    def step(self, client: qubus.Client, program: str) -> None:
        secrets = self.secrets
        with client.session(program, observables="IZ", name=secrets.text(), tags=[secrets.text()]) as session:
            secrets.other(session.secret)
            for _ in range(2):
                secrets.keep(float(session.step([secrets.number()])))
            with pytest.raises(qubus.QubusError):
                session.step([secrets.number()] * 2)

    def fail(self, client: qubus.Client) -> None:
        """What is refused is told to its sender alone."""
        secrets = self.secrets
        for program in (f"OPENQASM 3.0;\nqubit q;\n{secrets.text()} q;\n",
                        f"OPENQASM 3.0; input float {secrets.text()}; qubit q; // {secrets.text()}"):
            with pytest.raises(qubus.QubusError):
                client.submit(program, shots=1).result(timeout=60)
        with pytest.raises(qubus.QubusError):
            client.call("ListJobs", {"page_token": secrets.text()})


def speak_wrongly(service: Loud, key: pathlib.Path, secrets: Secrets) -> None:
    """Secrets where the protocol has no place for them."""
    context = zmq.Context()
    client = RawClient(service.curve, context, (service.server_key, *pair(key)))
    for _ in range(20):
        name = secrets.text()
        for method, body, extra in (
                (name, b"", {}), ("GetJob", message({1: name}), {}), ("GetJob", name.encode(), {}),
                ("Health", b"", {"_9": name}), ("GetSession", message({1: name}), {}),
                ("GetDevice", message({1: name}), {}), ("Submit", message({1: name}), {})):
            assert isinstance(client.call(method, body, **extra), Refusal), method
        client.frames(name.encode(), name.encode())
        client.receive()
    client.close()
    context.term()


def planters(service: Loud, secrets: Secrets) -> list[Planter]:
    names = [f"{tenant}/qc/member{number}" for tenant in ("lab", "rival") for number in range(CLIENTS // 2)]
    found = [Planter(service, name, service.member(name, "submitter"), secrets) for name in names]
    invitation = service.operator.call("CreateInvitation", {"principal": names[0]})
    secrets.other(invitation["secret_key"])
    for planter in found:
        planter.start()
    return found


def plant_until(count: int, found: list[Planter], secrets: Secrets) -> None:
    while secrets.count < count or min(planter.rounds for planter in found) < 2:
        for planter in found:
            assert planter.problem is None, planter.problem
            planter.join(0.05)


@pytest.fixture
def seed():
    number = int(os.environ.get("QUBUS_CANARY_SEED", random.getrandbits(32)))
    print("seed", number)
    return number


@pytest.fixture
def plain(daemon, tmp_path):
    yield from serving(Loud, daemon.binary, tmp_path)


@pytest.fixture
def sealed(daemon, tmp_path):
    yield from serving(Sealed, daemon.binary, tmp_path)


def test_what_is_looked_for_would_be_found(plain, seed):
    """In a store that is not encrypted: text, and the bytes of numbers."""
    secrets = Secrets(seed)
    found = planters(plain, secrets)
    plant_until(50, found, secrets)
    for planter in found:
        planter.ending.set()
    for planter in found:
        planter.join()
    leaks = secrets.leaks(contents(plain.data))
    assert any(isinstance(what, bytes) for _, what in leaks)
    assert any(isinstance(what, float) for _, what in leaks)


def test_no_secret_of_many_is_found_after_a_kill_in_the_middle(sealed, tmp_path, seed):
    secrets = Secrets(seed)
    found = planters(sealed, secrets)
    speak_wrongly(sealed, found[0].key, secrets)
    plant_until(SECRETS, found, secrets)
    for planter in found:
        planter.ending.set()
    sealed.kill()
    files = contents(*sealed.places)
    assert any(name.endswith("-wal") and data for name, data in files.items())
    assert any("/blobs/" in name for name in files)
    assert secrets.leaks(files) == []

    sealed.start()
    backup = tmp_path / "backup"
    done = subprocess.run(
        [sealed.binary, "backup", "--data-dir", sealed.data, "--to", backup], capture_output=True)
    assert done.returncode == 0, done.stderr
    me = sealed.operator.call("WhoAmI")["principal"]
    sealed.operator.call("GrantRole", {"principal": me, "grant": {"role": "auditor"}})
    told = {" ".join(command): sealed.shown(*command) for command in (
        ("audit", "list", "--limit", "1000", "-o", "json"), ("audit", "export"),
        ("health", "-o", "json"), ("usage", "-o", "csv"), ("usage", "--metrics", "-o", "json"),
        ("quota", "-o", "json"), ("admin", "principals", "list", "-o", "json"))}
    assert secrets.leaks(told) == []
    assert "broken_at" not in json.loads(sealed.shown("audit", "verify", "-o", "json"))
    for planter in found:
        with sealed.connect(planter.key) as client:
            for job, value in planter.jobs:
                assert float(client.job(job).result(timeout=60).expectation_values) == value
    assert secrets.leaks(contents(*sealed.places, backup)) == []
    assert secrets.count >= SECRETS
    # What a clean stop leaves, too.
    assert sealed.stop() == 0
    assert secrets.leaks(contents(*sealed.places)) == []
    sealed.start()
