"""Fixtures: a scripted server for the binding alone, and a live daemon for the whole path.

Environment: `QUBUSD`, the daemon (default .build/release/qubusd); `QUBUS_REQUIRE_DAEMON`, fail
instead of skipping without it; `QUBUS_CORPUS`, the folder of the circuit corpus.
"""
from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

import qubus

sys.path.insert(0, str(pathlib.Path(__file__).parent))

ROOT = pathlib.Path(__file__).resolve().parents[2]

BELL = """OPENQASM 3;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""

ROTATION = """OPENQASM 3;
include "stdgates.inc";
input float theta;
qubit[2] q;
ry(theta) q[0];
cx q[0], q[1];
"""


class Daemon:
    """A qubusd of our own on a data directory; stopped by its handle."""

    def __init__(self, binary: pathlib.Path, data: pathlib.Path):
        self.binary, self.data = binary, data
        self.process: subprocess.Popen[bytes] | None = None
        self.endpoints: list[str] = []

    def start(self, *arguments: str) -> None:
        self.log = open(self.data.parent / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "--data-dir", self.data, *arguments], stdout=subprocess.PIPE, stderr=self.log)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"qubusd did not start: {pathlib.Path(self.log.name).read_text()[-2000:]}")
        self.endpoints = json.loads(line)["endpoints"]

    @property
    def endpoint(self) -> str:
        return next(e for e in self.endpoints if e.startswith("ipc://"))

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return code


def serving(kind, binary, folder):
    """A daemon in a data directory of its own, started before the test and stopped well after it."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    running = kind(binary, data)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    binary = pathlib.Path(os.environ.get("QUBUSD", ROOT / ".build/release/qubusd"))
    if not binary.exists():
        reason = f"no daemon at {binary}: build it with scripts/build, or set QUBUSD"
        if os.environ.get("QUBUS_REQUIRE_DAEMON"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield from serving(Daemon, binary, tmp_path_factory.mktemp("qubus"))


@pytest.fixture
def client(daemon):
    with qubus.Client(daemon.endpoint) as opened:
        yield opened


@pytest.fixture
def scripted(tmp_path_factory):
    from scripted_daemon import ScriptedDaemon

    server = ScriptedDaemon(f"ipc://{tmp_path_factory.mktemp('s')}/q.sock")
    yield server
    server.stop()


@pytest.fixture
def scripted_client(scripted):
    with qubus.Client(scripted.endpoint) as opened:
        yield opened
