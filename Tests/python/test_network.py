"""A daemon on a curve:// endpoint: keys, delegation by tokens, revocation, invitations."""
import json
import pathlib
import subprocess

import pytest
from conftest import BELL, Daemon

import qubus

PRINCIPAL = "default/default/ada"


class NetworkDaemon(Daemon):
    """A daemon on its socket, whose user is the operator, and on a port for known keys."""

    def start(self):
        self.log = open(self.data.parent / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "--data-dir", self.data, "--listen", f"ipc://{self.data}/q.sock",
             "--listen", "curve://127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"qubusd did not start: {pathlib.Path(self.log.name).read_text()[-2000:]}")
        self.endpoints = json.loads(line)["endpoints"]

    @property
    def network(self):
        return next(e for e in self.endpoints if e.startswith("curve://"))

    @property
    def public_key(self):
        return self.data / "server.pub"


@pytest.fixture
def network(daemon, tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = NetworkDaemon(daemon.binary, data)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def operator(network):
    with qubus.Client(network.endpoint) as client:
        yield client


@pytest.fixture
def key_file(operator, tmp_path):
    """Of a submitter whom the daemon knows."""
    path = tmp_path / "ada.key"
    operator.call("CreatePrincipal", {
        "principal": PRINCIPAL, "grants": [
            {"role": "submitter", "tenant": "default", "project": "default"}]})
    operator.call("AddKey", {"principal": PRINCIPAL, "key": qubus.generate_key(path)})
    return path


def public_half(path):
    return path.read_text().split('public = "')[1][:40]


def connect(network, key_file, **options):
    return qubus.Client(
        network.network, server_key=network.public_key, key_file=key_file, connect_timeout=30,
        **options)


def test_a_known_key_submits_and_steps_over_the_network(network, key_file):
    with connect(network, key_file) as client:
        told = client.call("WhoAmI")
        assert told["principal"] == PRINCIPAL
        assert told["credential"] == f"key:{public_half(key_file)}"
        assert sum(client.submit(BELL, shots=100).result(timeout=30).counts.values()) == 100
        with client.session("OPENQASM 3; input float a; qubit q; rx(a) q;", observables="Z") as session:
            assert session.step([0.0]) == pytest.approx(1)


def test_an_unknown_key_and_a_wrong_server_key_are_told_at_once(network, tmp_path):
    stranger = tmp_path / "stranger.key"
    public = qubus.generate_key(stranger)
    with pytest.raises(qubus.AuthError) as caught:
        connect(network, stranger)
    assert caught.value.name == "unauthenticated" and public in caught.value.message
    with pytest.raises(qubus.ConnectionFailedError, match="server_key"):
        qubus.Client(network.network, server_key="0" * 40, key_file=stranger, connect_timeout=30)


def test_a_revoked_key_ends_on_its_next_call(network, operator, key_file):
    with connect(network, key_file) as client:
        client.health()
        operator.call("RevokeKey", {"key": public_half(key_file), "reason": "lost"})
        with pytest.raises(qubus.AuthError) as caught:
            client.health()
        assert caught.value.name == "unauthenticated"
    with pytest.raises(qubus.AuthError):
        connect(network, key_file)


def add_principal(operator, name, key):
    """Known, with no right of its own but to connect."""
    operator.call("CreatePrincipal", {"principal": f"default/default/{name}"})
    operator.call("AddKey", {"principal": f"default/default/{name}", "key": key})


def issue(operator, key_file):
    return operator.call("IssueToken", {
        "bound_to": f"key:{public_half(key_file)}", "actions": ["connect", "jobs.read"]})


def test_a_token_gives_its_bearer_a_part_of_another_ones_rights(network, operator, tmp_path):
    bare = tmp_path / "bare.key"
    add_principal(operator, "bare", qubus.generate_key(bare))
    job = operator.submit(BELL, shots=10)
    token = issue(operator, bare)
    with connect(network, bare) as client:
        with pytest.raises(qubus.AuthError) as caught:
            client.call("ListJobs")
        assert caught.value.name == "permission_denied"
        client.set_token(token["token"])
        assert client.call("WhoAmI")["token_id"] == token["token_id"]
        assert [entry["job_id"] for entry in client.call("ListJobs")["jobs"]] == [job.id]
        operator.call("RevokeToken", {"token_id": token["token_id"]})
        with pytest.raises(qubus.AuthError) as caught:
            client.call("ListJobs")
        assert caught.value.name.startswith("token_") and token["token"] not in str(caught.value)
        client.set_token(None)
        assert client.call("WhoAmI")["token_id"] == ""


def test_a_stolen_token_is_worth_nothing_under_another_key(network, operator, key_file, tmp_path):
    token = issue(operator, key_file)["token"]
    thief = tmp_path / "thief.key"
    add_principal(operator, "thief", qubus.generate_key(thief))
    with connect(network, thief, token=token) as client:
        with pytest.raises(qubus.AuthError) as caught:
            client.call("WhoAmI")
        assert caught.value.name == "token_invalid"


def test_an_invitation_is_exchanged_for_a_key_of_ones_own(network, operator, key_file, tmp_path):
    invitation = operator.call("CreateInvitation", {"principal": PRINCIPAL})
    assert invitation["server_key"] == network.public_key.read_text().strip()
    own = tmp_path / "own.key"
    public = qubus.generate_key(own)
    with qubus.Client(network.network, server_key=invitation["server_key"],
                      secret_key=invitation["secret_key"], connect_timeout=30) as guest:
        assert guest.call("WhoAmI")["is_invitation"]
        guest.call("AddKey", {"key": public})
    with connect(network, own) as client:
        assert client.call("WhoAmI")["principal"] == PRINCIPAL
    with pytest.raises(qubus.AuthError):
        qubus.Client(network.network, server_key=invitation["server_key"],
                     secret_key=invitation["secret_key"], connect_timeout=30)


def test_administration_errors_name_the_field(operator):
    with pytest.raises(qubus.ClientError, match="grants\\[0\\]") as caught:
        operator.call("CreatePrincipal", {"principal": PRINCIPAL, "grants": [{"roles": "viewer"}]})
    assert caught.value.name == "invalid_argument"
    with pytest.raises(qubus.ClientError, match="it excludes uid"):
        operator.call("UpdatePrincipal", {"principal": PRINCIPAL, "uid": 5, "no_uid": True})
