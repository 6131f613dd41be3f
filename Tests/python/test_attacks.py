"""Attacks on a daemon's curve endpoint that take hands of their own: chunks of others' results, tokens
signed with the stolen key, handshakes that come to nothing, messages that never end."""
from __future__ import annotations

import pathlib
import re
import socket

import pytest
import zmq

import qubus
from conftest import BELL, Daemon, ROTATION, serving
from curve_peer import CurvePeer
from forged_tokens import forged, signing_key
from raw_client import RawClient, Refusal
from wire import CALL, message

UNKNOWN = "01900000-0000-7000-8000-000000000000"
#: A result of 1 MiB, in chunks.
LARGE = """OPENQASM 3; include "stdgates.inc"; qubit[16] q; h q;"""


class Attacked(Daemon):
    """A daemon with the tenants `lab` and `rival`, on ipc for its operator and on curve for them."""

    def start(self):
        self.listen()
        self.people()

    def listen(self, *arguments):
        super().start(
            "--listen", f"ipc://{self.data}/q.sock", "--listen", "curve://127.0.0.1:0", *arguments)
        self.curve = next(e for e in self.endpoints if e.startswith("curve://"))
        self.server_key = (self.data / "server.pub").read_text().strip()
        self.operator = qubus.Client(self.endpoint)

    def people(self):
        for tenant in ("lab", "rival"):
            self.operator.call("CreateTenant", {"name": tenant})
            self.operator.call("CreateProject", {"tenant": tenant, "name": "qc"})

    def member(self, principal, *roles):
        tenant, project, name = principal.split("/")
        self.operator.call("CreatePrincipal", {"principal": principal, "grants": [
            {"role": role, "tenant": tenant, "project": project} for role in roles]})
        file = self.data.parent / f"{tenant}-{name}.key"
        self.operator.call("AddKey", {"principal": principal, "key": qubus.generate_key(file)})
        return file

    def connect(self, file, **options):
        return qubus.Client(self.curve, server_key=self.server_key, key_file=file, **options)

    @property
    def address(self):
        host, port = self.curve.removeprefix("curve://").rsplit(":", 1)
        return host, int(port)

    def stop(self):
        self.operator.close()
        return super().stop()


@pytest.fixture(scope="module")
def attacked(daemon, tmp_path_factory):
    yield from serving(Attacked, daemon.binary, tmp_path_factory.mktemp("attacked"))


@pytest.fixture(scope="module")
def ada(attacked):
    with attacked.connect(attacked.member("lab/qc/ada", "submitter")) as client:
        yield client


@pytest.fixture(scope="module")
def mallory(attacked):
    return attacked.member("rival/qc/mallory", "submitter", "project_admin")


def pair(file: pathlib.Path) -> list[str]:
    return [re.search(rf'{half} = "(.{{40}})"', file.read_text()).group(1)
            for half in ("public", "secret")]


@pytest.fixture
def raw(attacked, mallory):
    context = zmq.Context()
    client = RawClient(attacked.curve, context, (attacked.server_key, *pair(mallory)))
    yield client
    client.close()
    context.term()


def test_no_way_to_ask_for_a_result_gives_a_chunk_of_another_tenant(ada, raw):
    job = ada.submit(LARGE, statevector=True)
    assert job.result(timeout=60).statevector.size == 1 << 16
    for more in ({}, {4: 1}, {2: 100}, {3: [message({1: 0})]}, {3: [message({1: 0, 2: [0]})]},
                 {3: [message({1: 0, 2: [1]}), message({1: 0, 2: [0]})]},
                 {3: [message({1: 77, 2: [1 << 20]})]}):
        hidden = raw.call("GetResult", message({1: job.id, **more}))
        absent = raw.call("GetResult", message({1: UNKNOWN, **more}))
        assert isinstance(hidden, Refusal) and hidden.name == "job_not_found", more
        assert hidden.text.replace(job.id, UNKNOWN) == absent.text
    for after in (0, 1, 1 << 40):
        stream = raw.call("WatchJob", message({1: job.id, 2: after}))
        assert isinstance(stream, Refusal) and stream.name == "job_not_found"


def test_tokens_that_are_signed_with_the_services_own_key_and_wrong_are_refused(
        attacked, mallory, raw):
    issuer = attacked.member("rival/qc/issuer", "submitter")
    bound = raw.call("WhoAmI")
    with attacked.connect(issuer) as client:
        credential = "key:" + pair(mallory)[0]
        assert credential.encode() in bound
        good = client.call("IssueToken", {"bound_to": credential, "actions": ["jobs.read"]})["token"]
    tokens = forged(good, signing_key(attacked.data))
    taken = raw.call("WhoAmI", _9=tokens.pop("unchanged"))
    assert b"rival/qc/issuer" in taken, "signed by the same means and right, it is good"
    for kind, token in tokens.items():
        for method in ("WhoAmI", "ListJobs", "CreateTenant"):
            refused = raw.call(method, _9=token)
            assert isinstance(refused, Refusal), (kind, method)
            assert refused.name in ("token_invalid", "token_expired"), (kind, method, refused)
            assert token not in str(refused)
    assert tokens.keys() >= {"expired", "future", "wrong audience", "unsigned", "altered"}


def greeted(address: tuple[str, int], source: str) -> bool:
    """Whether a new connection from there gets the first byte of a handshake."""
    with socket.create_connection(address, timeout=30, source_address=(source, 0)) as peer:
        try:
            return peer.recv(1) == b"\xff"
        except ConnectionError:
            return False


def test_an_address_whose_connections_come_to_nothing_is_let_in_no_more_for_a_while(
        attacked, mallory):
    attempts = 4000
    first = [greeted(attacked.address, "127.0.9.1") for _ in range(attempts)]
    assert all(first[:1000])
    assert not all(first), "every one of thousands was greeted"
    assert greeted(attacked.address, "127.0.9.2"), "another address is not to blame"
    with attacked.connect(mallory) as client:
        assert client.health()["state"] == "serving"


def test_connections_that_come_to_something_are_not_counted(attacked, mallory):
    keys = (attacked.server_key, *pair(mallory))
    for _ in range(2000):
        CurvePeer(attacked.address, *keys, source="127.0.9.3").close()
    assert greeted(attacked.address, "127.0.9.3")


def test_a_message_that_never_ends_is_cut_off_and_nobody_else(attacked, ada, mallory):
    with ada.session(ROTATION, observables=["ZI"]) as session:
        first = session.step([0.3])
        peer = CurvePeer(attacked.address, attacked.server_key, *pair(mallory))
        peer.socket.settimeout(60)
        peer.send(message({1: 1, 2: CALL, 3: 1, 4: "Submit"}), more=True)
        sent, frame = 0, bytes(1 << 20)
        with pytest.raises(OSError):
            while sent < 4096:
                peer.send(frame, more=True)
                sent += 1
        peer.close()
        assert 64 <= sent < 4096
        assert session.step([0.3]) == first
        assert session.last_sequence == 2
    assert "do not end" in (attacked.data.parent / "qubusd.log").read_text()
    assert "all connections are closed" not in (attacked.data.parent / "qubusd.log").read_text()


def test_a_project_that_is_disabled_with_jobs_in_it_ends_them_and_takes_no_more(attacked):
    attacked.operator.call("CreateProject", {"tenant": "lab", "name": "closing"})
    with attacked.connect(attacked.member("lab/closing/cleo", "submitter")) as client:
        jobs = [client.submit(BELL, shots=1_000_000, seed=n) for n in range(20)]
        change = {"tenant": "lab", "name": "closing", "is_disabled": True}
        attacked.operator.call("UpdateProject", change)
        with pytest.raises(qubus.QubusError) as caught:
            client.submit(BELL, shots=1)
        assert caught.value.name == "project_disabled"
        for job in jobs:
            assert sum(job.result(timeout=60).counts.values()) == 1_000_000
        assert len(list(client.jobs())) == 20, "what it has stays to be read"
