"""Bad input, one test for each kind, over the wire and through the binding: the right error with
field, limit, action and trace id, and a daemon that goes on serving.
"""
import collections
import os
import random
import sqlite3
import subprocess

import pytest
import zmq

import qubus
import wire
from conftest import BELL, Daemon
from raw_client import RawClient, Refusal
from wire import message

UNKNOWN_JOB = "01890000-0000-7000-8000-000000000000"
INPUT = ('OPENQASM 3; include "stdgates.inc"; input float t; qubit q; rx(t) q; bit c;'
         " c = measure q;")
NAN = float("nan")


@pytest.fixture(scope="module")
def raw(daemon):
    context = zmq.Context()
    opened = RawClient(daemon.endpoint, context)
    yield opened
    assert opened.is_served()
    opened.close()
    context.term()


def submit_body(program: object = BELL, shots: object = 10, *, pub: dict = {}, execution: dict = {},
                job: dict = {}) -> bytes:
    """A SubmitRequest whose messages have these fields besides program and shots."""
    unit = {1: program, **({} if shots is None else {5: shots}), **pub}
    request = {1: 1, 4: message(unit), 5: message(execution), **job}
    return message({1: message(request)})


def refused(answer: object, name: str, field: str = "") -> Refusal:
    assert isinstance(answer, Refusal), f"accepted: {answer!r}"
    assert answer.name == name, answer
    assert answer.action and len(answer.trace_id) == 32
    if field:
        assert [each.removeprefix("job.") for each in answer.fields] == [field]
    return answer


def health(**extra: object) -> bytes:
    given: dict[int, object] = {1: 1, 2: wire.CALL, 3: 2**40, 4: "Health"}
    given.update({int(key[1:]): value for key, value in extra.items()})
    return message(given)


@pytest.mark.parametrize("frames, name", [
    ((b"\xff" * 10,), "malformed_frame"), ((health()[:-1], b""), "malformed_frame"),
    ((health(),), "malformed_frame"), ((health(), b"", b"more"), "invalid_attachment"),
    ((health(), *[b"x"] * 200), "malformed_frame"), ((health(f9=b"x" * 70000), b""), "message_too_large"),
    ((b"",), "unsupported_protocol_version"), ((health(f1=2), b""), "unsupported_protocol_version"),
    ((health(f2=99), b""), "unknown_message_kind"), ((health(f2=wire.FINAL), b""), "unknown_message_kind"),
    ((health(f3=0), b""), "invalid_request"), ((health(f4=b"He\xff"), b""), "invalid_utf8"),
    ((health(f4=b"He\0"), b""), "nul_in_string"), ((health(f4="Nope"), b""), "unknown_method"),
])
def test_messages_that_are_no_calls_are_refused_by_name(raw, frames, name):
    raw.frames(*frames)
    refused(raw.outcome(*raw.receive()), name)


def test_unknown_fields_are_ignored(raw):
    assert isinstance(raw.call("Health", message({77: 5, 999: b"x"}), f999=b"later"), bytes)


def test_a_truncated_body_is_refused_wherever_it_ends(raw):
    body = submit_body()
    names = collections.Counter(raw.call("Submit", body[:end]).name for end in range(len(body)))
    assert set(names) == {"malformed_frame", "missing_field"}


def test_mutated_and_random_messages_leave_the_daemon_serving(raw, daemon):
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    generator, body = random.Random(seed), submit_body(shots=1)
    for _ in range(500):
        mutated = bytearray(body)
        for _ in range(generator.randint(1, 6)):
            mutated[generator.randrange(len(mutated))] = generator.randrange(256)
        raw.call("Submit", bytes(mutated))
    for _ in range(500):
        raw.frames(*(generator.randbytes(generator.randint(0, 200))
                     for _ in range(generator.randint(1, 5))))
    for _ in range(500):
        raw.receive()
    with qubus.Client(daemon.endpoint) as other:
        assert sum(other.submit(BELL, shots=10).result(timeout=10).counts.values()) == 10


def test_deep_nesting_and_many_fields_are_refused(raw):
    deep = b""
    for _ in range(2000):
        deep = message({1: deep})
    refused(raw.call("Submit", deep), "malformed_frame")
    refused(raw.call("Submit", message({1: message({99: [1] * 70_000})})), "too_many_fields")
    refused(raw.call("SubmitBatch", message({1: [b""] * 1025})), "invalid_request", "jobs")


@pytest.mark.parametrize("given, name, field", [
    ({"shots": 0}, "invalid_shots", "pubs[0].shots"), ({"shots": -1}, "invalid_shots", "pubs[0].shots"),
    ({"shots": 2**32 + 1}, "invalid_shots", "pubs[0].shots"),
    ({"program": b""}, "missing_field", "pubs[0].program"),
    ({"program": b"OPENQASM 3;\xff"}, "invalid_utf8", "pubs[0].program"),
    ({"program": b"OPENQASM 3;\0"}, "nul_in_string", "pubs[0].program"),
    ({"program": b"// x\n" * (4 << 20)}, "program_too_large", "pubs[0].program"),
    ({"job": {2: b"\xff"}}, "invalid_utf8", "client_job_id"),
    ({"job": {3: b"a\0b"}}, "nul_in_string", "idempotency_key"),
    ({"job": {3: "k" * 300}}, "invalid_request", "idempotency_key"),
    ({"job": {1: 9}}, "unsupported_schema_version", "schema_version"),
    ({"job": {7: "me"}}, "invalid_identifier", "after[0]"),
    ({"job": {7: [UNKNOWN_JOB, b""]}}, "missing_field", "after[1]"),
    ({"job": {8: UNKNOWN_JOB}}, "job_not_found", "after_ok[0]"),
    ({"job": {7: [UNKNOWN_JOB] * 40, 8: [UNKNOWN_JOB] * 40}}, "invalid_request", "after"),
    ({"execution": {2: "no.such"}}, "unknown_device", "execution.device"),
    ({"execution": {13: 99}}, "invalid_enum_value", "execution.precision"),
    ({"program": INPUT, "pub": {2: message({1: "t", 3: NAN})}}, "invalid_parameter_value",
     "pubs[0].parameters[0].values[0]"),
    ({"program": INPUT}, "parameter_count_mismatch", "pubs[0].parameters"),
    ({"program": INPUT, "pub": {2: message({1: "t", 2: 3, 3: 1.0})}}, "invalid_parameter_shape",
     "pubs[0].parameters[0].shape"),
    ({"program": INPUT, "pub": {2: message({1: "t", 2: [2**63, 2], 3: 1.0})}},
     "invalid_parameter_shape", "pubs[0].parameters[0].shape"),
    ({"shots": None, "pub": {3: message({1: message({1: "ZZZ", 2: 1.0})})}}, "invalid_observable",
     "pubs[0].observables[0].terms[0].pauli"),
    ({"shots": None, "pub": {3: message({1: message({1: "ZQ", 2: 1.0})})}}, "invalid_observable",
     "pubs[0].observables[0].terms[0].pauli"),
])
def test_requests_over_the_wire_are_refused_with_their_field(raw, given, name, field):
    refused(raw.call("Submit", submit_body(**given)), name, field)


@pytest.mark.parametrize("method", ["GetJob", "WatchJob", "GetResult", "CancelJob", "ReplayJob"])
def test_every_method_refuses_a_job_that_is_not_there(raw, method):
    refused(raw.call(method, message({1: UNKNOWN_JOB})), "job_not_found")
    refused(raw.call(method, message({1: "nonsense"})), "invalid_identifier", "job_id")
    refused(raw.call(method, b""), "missing_field", "job_id")


def test_a_message_of_100_megabytes_is_refused_before_it_is_sent(client):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit("(" * (100 << 20), shots=1)
    assert caught.value.name == "message_too_large" and "67108864" in str(caught.value)
    assert client.health().state == "serving"


@pytest.mark.parametrize("source", [
    "int x = " + "(" * 10**6 + "1" + ")" * 10**6 + ";", "{" * 10**6, "if (true) " * 10**6,
    "int x = " + "-" * 10**6 + "1;", "float x = 1" + "**1" * 10**6 + ";",
    "qubit q; " + "inv @ " * 10**6 + "x q;",
])
def test_nesting_of_any_kind_is_bounded(client, source):
    with pytest.raises(qubus.ProgramError) as caught:
        client.submit("OPENQASM 3; include \"stdgates.inc\"; " + source, shots=1)
    assert caught.value.name == "program_too_deep" and caught.value.line == 1


@pytest.mark.parametrize("body", [
    "gate g0 q { x q; x q; }\n"
    + "".join(f"gate g{i} q {{ g{i - 1} q; g{i - 1} q; }}\n" for i in range(1, 60)) + "qubit q; g59 q;",
    "qubit q; for int i in [0:1000000000000000000] { }",
])
def test_programs_that_explode_are_refused_at_once(client, body):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit('OPENQASM 3; include "stdgates.inc";\n' + body, shots=1)
    assert caught.value.name == "program_too_large"


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(client, seed):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit(BELL, shots=1, seed=seed)
    assert caught.value.name == "invalid_seed" and caught.value.violations[0]["limit"]


def test_more_qubits_than_memory_are_refused_with_both_figures(client):
    source = 'OPENQASM 3; include "stdgates.inc"; qubit[50] q; h q; bit[50] c; c = measure q;'
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit(source, shots=1)
    assert caught.value.name == "insufficient_memory" and "16 PiB" in str(caught.value)


# What goes wrong around the daemon.

def start(binary, data, *before: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*before, binary, "--data-dir", data], capture_output=True, text=True, timeout=20)


def test_a_data_directory_of_a_newer_version_is_left_alone(daemon, tmp_path):
    data = tmp_path / "data"
    made = Daemon(daemon.binary, data)
    made.start()
    assert made.stop() == 0
    with sqlite3.connect(data / "qubus.sqlite") as database:
        database.execute("pragma user_version = 99")
    outcome = start(daemon.binary, data)
    assert outcome.returncode == 78 and "data_directory_newer_version [5009]" in outcome.stderr
    assert sqlite3.connect(data / "qubus.sqlite").execute("pragma user_version").fetchone() == (99,)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_data_directory_that_is_not_writable_is_refused(daemon, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder.is_relative_to("/tmp") and folder != folder.parent:
            if str(folder) != "/tmp":
                folder.chmod(folder.stat().st_mode | 0o055)
    outcome = start(
        daemon.binary, data, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert outcome.returncode == 73 and "data_directory_not_writable [5008]" in outcome.stderr


def test_a_second_daemon_on_the_same_directory_is_refused(daemon):
    outcome = start(daemon.binary, daemon.data)
    assert outcome.returncode == 75 and "data_directory_locked [4009]" in outcome.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount")
def test_a_full_disk_refuses_submits_and_loses_nothing(daemon, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small]).returncode:
        pytest.skip("this machine allows no mounts")
    own = Daemon(daemon.binary, small / "data")
    try:
        own.start()
        with qubus.Client(own.endpoint) as client:
            jobs = []
            with pytest.raises(qubus.QubusError) as caught:
                for number in range(5000):
                    jobs.append(client.submit(
                        BELL + f"// {random.random()} " + "x" * 5000, shots=5000, seed=number))
            assert caught.value.name == "disk_full" and jobs
            assert client.job(jobs[0].id).info().status in ("queued", "running", "succeeded")
            subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
            for job in jobs:
                assert sum(job.result(timeout=30).counts.values()) == 5000
        assert own.stop() == 0
    finally:
        if own.process is not None and own.process.poll() is None:
            own.process.kill()
            own.process.wait()
        own.log.close()
        subprocess.run(["umount", "-l", small], check=True)


def test_a_limit_on_file_sizes_is_a_full_disk_and_kills_nothing(daemon, tmp_path):
    own = Daemon(daemon.binary, tmp_path / "data")
    own.start()
    subprocess.run(["prlimit", f"--pid={own.process.pid}", "--fsize=3000000"], check=True)
    with qubus.Client(own.endpoint) as client:
        with pytest.raises(qubus.QubusError) as caught:
            for _ in range(5000):
                client.submit(BELL + f"// {random.random()} " + "x" * 5000, shots=1)
        assert caught.value.name == "disk_full"
        assert client.health().state in ("serving", "degraded")
    assert own.stop() == 0
