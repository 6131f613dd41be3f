"""Fixtures for tests of the built binaries; QUBUS and QUBUSD name them (default .build/release)."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
QUBUS = os.environ.get("QUBUS", str(ROOT / ".build/release/qubus"))
QUBUSD = os.environ.get("QUBUSD", str(ROOT / ".build/release/qubusd"))
LIMIT_SECONDS = 60


def clean_environment(**extra):
    """The environment without anything that configures Qubus."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUBUS", "XDG_"))}
    return {**kept, "COLUMNS": "80", "LC_ALL": "C.UTF-8", **extra}


class Daemon:
    """A qubusd that was started and has announced itself."""

    def __init__(self, data_dir, *arguments, env=None):
        self.data_dir = str(data_dir)
        self.process = subprocess.Popen(
            [QUBUSD, "--data-dir", self.data_dir, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=env or clean_environment())
        ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            pytest.fail(f"qubusd did not start: {self.process.communicate()[1]}")
        self.ready = json.loads(line)
        self.endpoint = self.ready["endpoints"][0]

    def stop(self, number=signal.SIGTERM):
        """Sends the signal; returns (exit status, seconds, rest of stdout, stderr)."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode, time.monotonic() - begin, out, err


@pytest.fixture
def short_dir():
    """A directory whose path leaves room for a socket's name."""
    path = tempfile.mkdtemp(prefix="qubus-", dir="/tmp")
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def daemon():
    path = tempfile.mkdtemp(prefix="qubus-", dir="/tmp")
    # A small memory limit, so that too large a program is one of few qubits.
    started = Daemon(path, "--threads", "2", "--memory-limit", "1GiB")
    yield started
    status, _, _, err = started.stop()
    shutil.rmtree(path, ignore_errors=True)
    assert status == 0, err


def run(*arguments, stdin=None, env=None, binary=QUBUS):
    return subprocess.run(
        [binary, *map(str, arguments)], input=stdin, capture_output=True, text=True,
        timeout=LIMIT_SECONDS, env=env or clean_environment())


@pytest.fixture
def qubus(daemon):
    """Runs the command line against the session's daemon."""
    environment = clean_environment(QUBUS_ENDPOINT=daemon.endpoint)

    def call(*arguments, stdin=None):
        return run(*arguments, stdin=stdin, env=environment)

    call.environment = environment
    return call
