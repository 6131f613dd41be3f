"""Keys, tokens and calls by name, over the real library against a scripted server."""
import asyncio
import math
import os
import stat
import time

import pytest
import zmq
import zmq.utils.z85
from scripted_daemon import ScriptedDaemon

import qubus
from qubus.credentials import Credentials

PROGRAM = "OPENQASM 3;\n"
TURN = """OPENQASM 3;
include "stdgates.inc";
input float a;
qubit[1] q;
ry(a) q[0];
"""


class Keys:
    """A server with a key, and a client's key that it knows."""

    def __init__(self, folder):
        self.server_public, server_secret = zmq.curve_keypair()
        self.public, self.secret = zmq.curve_keypair()
        self.server = ScriptedDaemon(secret_key=server_secret)
        self.server.accepted.add(zmq.utils.z85.decode(self.public))
        self.file = folder / "client.key"

    def options(self):
        return {"server_key": self.server_public.decode(), "secret_key": self.secret.decode()}


@pytest.fixture
def keys(tmp_path):
    made = Keys(tmp_path)
    yield made
    made.server.stop()


@pytest.fixture(autouse=True)
def no_credentials_in_the_environment(monkeypatch):
    for name in ("QUBUS_SERVER_KEY", "QUBUS_KEY_FILE", "QUBUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_a_key_file_opens_an_encrypted_endpoint(keys):
    public = qubus.generate_key(keys.file)
    assert stat.S_IMODE(os.stat(keys.file).st_mode) == 0o600
    keys.server.accepted.add(zmq.utils.z85.decode(public.encode()))
    with qubus.Client(
            keys.server.endpoint, server_key=keys.server_public.decode(),
            key_file=keys.file) as client:
        assert client.submit(PROGRAM).result(timeout=10).counts == {"00": 509, "11": 515}


def test_the_environment_stands_in_for_options(keys, monkeypatch):
    public = qubus.generate_key(keys.file)
    keys.server.accepted.add(zmq.utils.z85.decode(public.encode()))
    server_key = keys.file.with_name("server.pub")
    server_key.write_text(keys.server_public.decode() + "\n")
    monkeypatch.setenv("QUBUS_SERVER_KEY", str(server_key))
    monkeypatch.setenv("QUBUS_KEY_FILE", str(keys.file))
    monkeypatch.setenv("QUBUS_TOKEN", "from.the.environment")
    with qubus.Client(keys.server.endpoint) as client:
        client.health()
    assert keys.server.tokens == [("Hello", b""), ("Health", b"from.the.environment")]


def test_a_key_that_the_server_does_not_know_is_refused_at_once(keys):
    keys.server.accepted.clear()
    begin = time.monotonic()
    with pytest.raises(qubus.AuthError) as caught:
        qubus.Client(keys.server.endpoint, connect_timeout=60, **keys.options())
    assert time.monotonic() - begin < 20
    assert caught.value.name == "unauthenticated" and not caught.value.retryable
    assert keys.public.decode() in caught.value.message
    assert keys.secret.decode() not in str(caught.value)


def test_a_wrong_server_key_is_named_as_the_usual_cause(keys):
    other, _ = zmq.curve_keypair()
    begin = time.monotonic()
    with pytest.raises(qubus.ConnectionFailedError, match="server_key"):
        qubus.Client(keys.server.endpoint, connect_timeout=60,
                     **{**keys.options(), "server_key": other.decode()})
    assert time.monotonic() - begin < 20


def test_a_key_file_that_others_may_read_is_refused(keys):
    qubus.generate_key(keys.file)
    keys.file.chmod(0o640)
    with pytest.raises(qubus.ValidationError) as caught:
        qubus.Client(keys.server.endpoint, server_key=keys.server_public.decode(),
                     key_file=keys.file)
    assert caught.value.name == "invalid_key"
    assert str(keys.file) in caught.value.message and "0640" in caught.value.message


def test_a_key_is_never_overwritten(keys):
    keys.file.write_text("something of value")
    with pytest.raises(qubus.ClientError, match="never overwritten"):
        qubus.generate_key(keys.file)
    assert keys.file.read_text() == "something of value"


def test_a_token_goes_with_every_call_and_step_and_can_be_renewed(scripted):
    with qubus.Client(scripted.endpoint, token="first.token") as client:
        client.health()
        client.set_token("second.token")
        with client.session(TURN, observables="Z") as session:
            assert session.step([0.5]) == pytest.approx(math.cos(0.5))
        client.set_token(None)
        client.health()
    told = dict(scripted.tokens)
    assert scripted.tokens[:2] == [("Hello", b""), ("Health", b"first.token")]
    assert told["OpenSession"] == told["Step"] == told["CloseSession"] == b"second.token"
    assert scripted.tokens[-1] == ("Health", b"")


@pytest.mark.parametrize("token", ["line\nend", "with space", "é", "x" * 5000])
def test_what_is_no_token_is_refused_without_being_told(scripted, token):
    with pytest.raises(qubus.ClientError) as caught:
        qubus.Client(scripted.endpoint, token=token)
    assert caught.value.name == "invalid_argument" and token not in str(caught.value)


def test_a_call_by_name_takes_and_gives_mappings(scripted_client):
    job = scripted_client.submit(PROGRAM, name="bell")
    answer = scripted_client.call("GetJob", {"job_id": job.id})
    assert answer["job"]["job_id"] == job.id and answer["job"]["status"] == "succeeded"
    assert scripted_client.call("Health")["state"] == "serving"
    listed = scripted_client.call("ListJobs", {"page_size": 5, "statuses": ["succeeded"]})
    assert [entry["job_id"] for entry in listed["jobs"]] == [job.id]


@pytest.mark.parametrize("method, request_fields, part", [
    ("GetJob", {"id": "x"}, 'no field "id"'),
    ("GetJob", {"job_id": 5}, "job_id: a string"),
    ("ListJobs", {"page_size": -1}, "page_size: a whole number from 0"),
    ("ListJobs", {"page_size": 1.5}, "page_size: a whole number"),
    ("ListJobs", {"statuses": ["running", "flying"]}, "statuses[1]: one of accepted"),
    ("AnnotateJob", {"annotations": [{"key": "a\0b"}]}, "annotations[0].key"),
    ("NoSuchMethod", {}, "none that this library knows"),
    ("WatchJob", {"job_id": "x"}, "functions of its own"),
])
def test_a_wrong_field_is_named_and_nothing_is_sent(
        scripted, scripted_client, method, request_fields, part):
    before = list(scripted.calls)
    with pytest.raises(qubus.ClientError) as caught:
        scripted_client.call(method, request_fields)
    assert caught.value.name == "invalid_argument" and part in caught.value.message
    assert scripted.calls == before


def test_what_json_cannot_say_is_refused(scripted_client):
    with pytest.raises(TypeError, match="set cannot stand in a request"):
        scripted_client.call("GetJob", {"job_id": {1}})
    with pytest.raises(ValueError):
        scripted_client.call("ListJobs", {"page_size": float("nan")})


def test_coroutines_take_the_same_credentials(keys):
    async def main():
        client = await qubus.connect(keys.server.endpoint, token="a.token", **keys.options())
        async with client:
            assert (await client.call("Health"))["state"] == "serving"
            client.set_token("b.token")
            await client.health()

    asyncio.run(main())
    assert keys.server.tokens == [("Hello", b""), ("Health", b"a.token"), ("Health", b"b.token")]


def test_credentials_are_shown_without_what_they_are():
    shown = repr(Credentials(secret_key="hidden", token="hidden"))
    assert shown == "Credentials(secret_key, token)"
