"""Promises of the service: determinism, restarts, cancel latency, principals, descriptors."""
import grp
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
import zmq

import qubus
from conftest import BELL, Daemon
from raw_client import RawClient
from wire import message

HEAD = 'OPENQASM 3;\ninclude "stdgates.inc";\n'


def layered(qubits: int, layers: int) -> str:
    """Rotations by non-dyadic angles and chains of cx, measured at the end."""
    lines = [HEAD, f"qubit[{qubits}] q; bit[{qubits}] c;\n"]
    for layer in range(layers):
        lines += [f"ry({0.1 * (i + 1) + 0.37 * layer}) q[{i}];\n" for i in range(qubits)]
        lines += [f"cx q[{i}], q[{i + 1}];\n" for i in range(qubits - 1)]
    return "".join(lines) + "c = measure q;\n"


MEASURED_ON_THE_WAY = (
    HEAD + "qubit[18] q; bit[18] c; bit m;\n"
    + "".join(f"ry({0.1 * (i + 1)}) q[{i}];\n" for i in range(18))
    + "m = measure q[3]; if (m) { rx(0.77) q[5]; cx q[5], q[6]; }\n"
    + "reset q[2]; ry(0.3) q[2]; c = measure q;\n")


class ConfiguredDaemon(Daemon):
    """A daemon with flags, and with commands before it."""

    def __init__(self, binary, data, *flags, before=()):
        super().__init__(binary, data)
        self.flags, self.before = flags, before

    def start(self) -> None:
        self.log = open(self.data.parent / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [*self.before, self.binary, "--data-dir", self.data, *self.flags],
            stdout=subprocess.PIPE, stderr=self.log)
        self.endpoints = json.loads(self.process.stdout.readline())["endpoints"]


@pytest.fixture
def start(daemon, tmp_path):
    """Starts daemons of the test's own; those still running at its end must stop well."""
    running = []

    def started(*flags, before=()):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        own = ConfiguredDaemon(daemon.binary, folder / "data", *flags, before=before)
        own.start()
        running.append(own)
        return own

    yield started
    assert all(own.stop() == 0 for own in running)


@pytest.fixture
def shared_folder():
    """A folder that every user may enter; pytest's own are root's."""
    with tempfile.TemporaryDirectory(prefix="qubus", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def until_running(job) -> None:
    for event in job.events(timeout=30):
        if event.status == "running":
            return
    pytest.fail("the job never ran")


def test_results_do_not_depend_on_threads_streaming_memory_or_a_restart(start):
    hashes = []
    for threads in ("1", "2"):
        own = start("--threads", threads)
        with qubus.Client(own.endpoint) as client:
            streamed = client.submit(MEASURED_ON_THE_WAY, shots=4000, seed=5)
            partial = [e for e in streamed.events(timeout=60) if e.counts is not None]
            assert client.plan(MEASURED_ON_THE_WAY, shots=4000).pubs[0].shots_per_chunk < 4000
            assert partial
            first = streamed.result(timeout=60)
            memory = client.submit(
                MEASURED_ON_THE_WAY, shots=4000, seed=5, memory=True).result(timeout=60)
            assert first.counts == memory.counts
            terminal = client.submit(layered(18, 4), shots=20_000, seed=9).result(timeout=60)
            exact = client.submit(
                layered(18, 4), observables=[("Z" * 18, 0.3), ("X" * 18, 1.0)],
                probabilities=True).result(timeout=60)
            replay = client.job(first.job_id).replay(timeout=60)
            assert replay.outcome == "identical"
        hashes.append((first.execution_hash, terminal.execution_hash, exact.execution_hash))
        if threads == "1":
            assert own.stop() == 0
            own.start()
            with qubus.Client(own.endpoint) as client:
                again = client.submit(MEASURED_ON_THE_WAY, shots=4000, seed=5).result(timeout=60)
                assert again.execution_hash == first.execution_hash
                kept = client.job(first.job_id).result(timeout=10)
                assert kept.execution_hash == first.execution_hash and kept.counts == first.counts
    assert hashes[0] == hashes[1]


def test_sigterm_interrupts_and_the_next_start_goes_on_by_itself(start):
    own = start("--threads", "2")
    with qubus.Client(own.endpoint) as client:
        jobs = [client.submit(layered(19, 150), shots=100, seed=n, priority="batch")
                for n in range(3)]
        until_running(jobs[0])
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 5
        own.start()
        assert [job.wait(timeout=60) for job in jobs] == ["succeeded"] * 3
        for job in jobs:
            sequences = [event.sequence for event in job.events(timeout=10)]
            assert sequences == list(range(1, len(sequences) + 1))


def test_cancel_stops_a_running_circuit_of_24_qubits_soon(client):
    source, delays = layered(24, 300), []
    for pause in (0.05, 0.3, 0.55):
        job = client.submit(source, shots=10, seed=1, priority="batch")
        until_running(job)
        time.sleep(pause)  # into the circuit: nothing tells how far it is
        began = time.monotonic()
        assert job.cancel().outcome == "during_run"
        assert job.wait(timeout=10) == "canceled"
        delays.append(time.monotonic() - began)
    # 0.1 s is promised on a machine of its own; three times that is left for the others
    assert sorted(delays)[1] < 0.3, delays


def test_an_interactive_job_passes_a_large_one(client):
    large = client.submit(layered(24, 300), shots=10, priority="batch")
    until_running(large)
    delays = []
    for _ in range(20):
        began = time.monotonic()
        client.submit(BELL, shots=1024, priority="interactive").result(timeout=10)
        delays.append(time.monotonic() - began)
    assert large.status() == "running"
    large.cancel()
    assert sorted(delays)[10] < 0.1, delays


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become other users")
def test_users_of_one_socket_see_their_own_jobs_only(daemon, shared_folder, start):
    tool = daemon.binary.parent / "qubus"
    if not tool.exists():
        pytest.skip("the command-line tool is not built")
    folder = shared_folder
    group = grp.getgrall()[-1]
    own = start("--socket-group", group.gr_name, "--listen", f"ipc://{folder}/s/q.sock")
    program = folder / "bell.qasm"
    program.write_text(BELL)
    copy = shutil.copy(tool, folder / "qubus")
    libraries = f"LD_LIBRARY_PATH={tool.parent}:{os.environ.get('LD_LIBRARY_PATH', '')}"

    def run_as(uid: int, *arguments: str, gid: int = group.gr_gid):
        outcome = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "env", libraries,
             f"QUBUS_ENDPOINT={own.endpoints[0]}", "HOME=/tmp", copy, *arguments, "-o", "json"],
            capture_output=True, text=True, timeout=30)
        return outcome.returncode, json.loads(outcome.stdout or "null")

    with qubus.Client(own.endpoints[0]) as client:
        job = client.submit(BELL, shots=10, name="mine", idempotency_key="a key")
        job.wait(timeout=10)
        assert run_as(61001, "list")[1]["jobs"] == []
        for command in (("get", job.id), ("explain", job.id), ("watch", job.id), ("result", job.id), ("cancel", job.id),
                        ("replay", job.id), ("annotate", job.id, "a=b")):
            code, answer = run_as(61001, *command)
            assert code == 77 and answer["error"]["name"] == "job_not_found", command
        # a key of another user tells nothing and is free
        code, answer = run_as(61001, "run", str(program), "--shots", "10", "--idempotency-key", "a key")
        assert code == 0 and answer["job_id"] != job.id
        assert [each["job_id"] for each in run_as(61001, "list")[1]["jobs"]] == [answer["job_id"]]
        assert run_as(61002, "list")[1]["jobs"] == []
        # the daemon's own user administers the project and sees all of it
        assert {each.id for each in client.jobs()} == {job.id, answer["job_id"]}
    assert run_as(61003, "health", gid=61003)[0] == 69


def test_connections_beyond_the_descriptors_are_refused_and_the_others_go_on(start):
    own = start(before=("prlimit", "--nofile=200:200"))
    with qubus.Client(own.endpoint) as client:
        client.submit(BELL, shots=10).result(timeout=10)
        silent = []
        for _ in range(400):
            peer = socket.socket(socket.AF_UNIX)
            peer.setblocking(False)
            peer.connect_ex(own.endpoint.removeprefix("ipc://"))
            silent.append(peer)
        assert sum(client.submit(BELL, shots=10).result(timeout=10).counts.values()) == 10
        assert own.process.poll() is None
        for peer in silent:
            peer.close()
        assert client.health().state == "serving"


def test_programs_that_compile_long_do_not_delay_the_stop(start):
    own, context = start(), zmq.Context()
    raw = RawClient(own.endpoint, context)
    for number in range(60):
        loop = f"for int i in [0:1000] {{ for int j in [0:1000] {{ }} }} // {number}"
        unit = message({1: f"OPENQASM 3; qubit q; {loop}", 5: 1})
        raw.send_call("Submit", message({1: message({1: 1, 4: unit})}))
    assert raw.is_served()
    began = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - began < 5
    raw.close()
    context.term()
