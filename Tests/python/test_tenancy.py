"""Two tenants of one daemon over encrypted endpoints: what one does is not there for the other."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import qubus
from conftest import BELL, ROOT, ROTATION

UNKNOWN = "01900000-0000-7000-8000-000000000000"


class Service:
    """A daemon with the tenants `lab` and `rival`, on ipc for its operator and on curve for them."""

    def __init__(self, binary: pathlib.Path, path: pathlib.Path):
        self.path = path
        self.log = open(path / "qubusd.log", "ab")
        self.process = subprocess.Popen(
            [binary, "--data-dir", path / "data", "--listen", f"ipc://{path}/q.sock", "--listen",
             "curve://127.0.0.1:0"], stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        assert line, (path / "qubusd.log").read_text()[-2000:]
        ready = json.loads(line)
        self.ipc, self.curve = ready["endpoints"]
        self.server_key = ready["server_keys"][self.curve]
        self.operator = qubus.Client(self.ipc)
        for tenant in ("lab", "rival"):
            self.operator.call("CreateTenant", {"name": tenant, "reason": "test"})
            self.operator.call("CreateProject", {"tenant": tenant, "name": "qc"})

    def member(self, principal: str, *roles: str) -> pathlib.Path:
        """A new principal with these roles in its project: the file of its key."""
        tenant, project, _ = principal.split("/")
        self.operator.call("CreatePrincipal", {
            "principal": principal,
            "grants": [{"role": r, "tenant": tenant, "project": project} for r in roles]})
        return self.key(principal)

    def key(self, principal: str) -> pathlib.Path:
        path = self.path / f"{principal.replace('/', '-')}-{len(list(self.path.glob('*.key')))}.key"
        self.operator.call(
            "AddKey", {"principal": principal, "key": qubus.generate_key(path)})
        return path

    def connect(self, key: pathlib.Path, **options) -> qubus.Client:
        return qubus.Client(self.curve, server_key=self.server_key, key_file=key, **options)

    def stop(self) -> None:
        self.operator.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        self.log.close()
        assert code == 0


@pytest.fixture(scope="module")
def service():
    binary = pathlib.Path(os.environ.get("QUBUSD", ROOT / ".build/release/qubusd"))
    if not binary.exists():
        if os.environ.get("QUBUS_REQUIRE_DAEMON"):
            pytest.fail(f"no daemon at {binary}")
        pytest.skip(f"no daemon at {binary}")
    path = pathlib.Path(tempfile.mkdtemp(prefix="qubus-", dir="/tmp"))
    running = Service(binary, path)
    yield running
    running.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ada(service):
    with service.connect(service.member("lab/qc/ada", "submitter")) as client:
        yield client


@pytest.fixture(scope="module")
def eve(service):
    """Of the other tenant, and its administrator."""
    key = service.member("rival/qc/eve", "submitter", "project_admin")
    service.operator.call("GrantRole", {
        "principal": "rival/qc/eve", "grant": {"role": "tenant_admin", "tenant": "rival"}})
    with service.connect(key) as client:
        yield client


def refusal(call, *arguments, **options) -> qubus.QubusError:
    with pytest.raises(qubus.QubusError) as caught:
        call(*arguments, **options)
    return caught.value


def listed(client: qubus.Client) -> list:
    return list(client.jobs())


def same_as_unknown(caller: qubus.Client, method: str, field: str, known: str, **others) -> str:
    """Asks for something of somebody else, and for what does not exist: the answers are the same."""
    hidden = refusal(caller.call, method, {field: known, **others})
    absent = refusal(caller.call, method, {field: UNKNOWN, **others})
    assert hidden.name == absent.name
    assert hidden.message.replace(known, UNKNOWN) == absent.message
    assert dict(hidden.details) == dict(absent.details)
    return hidden.name


def test_a_member_works_and_the_other_tenant_sees_none_of_it(service, ada, eve):
    job = ada.submit(BELL, shots=100, seed=1)
    assert sum(job.result(timeout=30).counts.values()) == 100
    for method in ("GetJob", "CancelJob", "ReplayJob", "ArchiveJob"):
        assert same_as_unknown(eve, method, "job_id", job.id) == "job_not_found"
    assert same_as_unknown(
        eve, "RestoreJob", "job_id", job.id, execution_hash="00" * 32) == "job_not_found"
    annotations = [{"key": "a", "value": "b"}]
    assert same_as_unknown(
        eve, "AnnotateJob", "job_id", job.id, annotations=annotations) == "job_not_found"
    stranger = eve.job(job.id)
    assert refusal(stranger.result, timeout=5).name == "job_not_found"
    assert refusal(lambda: list(stranger.events())).name == "job_not_found"
    assert refusal(lambda: list(stranger.events(after=1))).name == "job_not_found"
    assert job.id not in [each.id for each in listed(eve)]
    assert job.id in [each.id for each in listed(ada)]
    assert listed(eve) == []
    again = ada.job(job.id)
    assert sum(again.result(timeout=30).counts.values()) == 100, "nothing was changed"


def test_a_project_shares_its_jobs_and_each_keeps_its_own_right_to_change_them(service, ada):
    bob = service.connect(service.member("lab/qc/bob", "submitter"))
    vic = service.connect(service.member("lab/qc/vic", "viewer"))
    with bob, vic:
        job = ada.submit(BELL, shots=50, seed=2)
        job.result(timeout=30)
        assert sum(bob.job(job.id).result(timeout=30).counts.values()) == 50
        assert vic.call("GetJob", {"job_id": job.id})["job"]["job_id"] == job.id
        assert refusal(vic.job(job.id).result, timeout=5).name == "permission_denied"
        assert refusal(vic.submit, BELL, shots=1).name == "permission_denied"
        assert refusal(
            bob.call, "CancelJob", {"job_id": job.id}).name == "permission_denied"


def test_sessions_of_another_tenant_cannot_be_seen_stepped_resumed_or_closed(service, ada, eve):
    with ada.session(ROTATION, observables=["ZI"]) as session:
        first = session.step([0.3])
        assert same_as_unknown(eve, "GetSession", "session_id", session.id) == "session_not_found"
        assert same_as_unknown(eve, "CloseSession", "session_id", session.id) == "session_not_found"
        assert same_as_unknown(
            eve, "CancelOptimize", "session_id", session.id, optimization_id=UNKNOWN
        ) == "session_not_found"
        stolen = refusal(eve.resume_session, session.id, session.secret)
        assert stolen.name == "session_not_found", "even with its secret"
        assert eve.sessions() == []
        assert session.step([0.3]) == first


def test_tenants_people_keys_and_audit_of_others_are_not_there(service, ada, eve):
    everybody = eve.call("ListPrincipals")["principals"]
    assert [p["principal"] for p in everybody] == ["rival/qc/eve"]
    assert [t["name"] for t in eve.call("ListTenants")["tenants"]] == ["rival"]
    for method, request, name in [
        ("ListProjects", {"tenant": "lab"}, "tenant_not_found"),
        ("ListPrincipals", {"tenant": "lab"}, "tenant_not_found"),
        ("CreateProject", {"tenant": "lab", "name": "mine"}, "tenant_not_found"),
        ("UpdateProject", {"tenant": "lab", "name": "qc", "is_disabled": True},
         "project_not_found"),
        ("CreatePrincipal", {"principal": "lab/qc/spy"}, "project_not_found"),
        ("UpdatePrincipal", {"principal": "lab/qc/ada", "is_disabled": True},
         "principal_not_found"),
        ("GrantRole", {"principal": "rival/qc/eve", "grant": {
            "role": "viewer", "tenant": "lab", "project": "qc"}}, "project_not_found"),
        ("GrantRole", {"principal": "lab/qc/ada", "grant": {
            "role": "viewer", "tenant": "rival"}}, "principal_not_found"),
        ("ListKeys", {"principal": "lab/qc/ada"}, "principal_not_found"),
        ("CreateInvitation", {"principal": "lab/qc/ada"}, "principal_not_found"),
        ("ListAudit", {"tenant": "lab"}, "permission_denied"),
        ("VerifyAudit", {}, "permission_denied"),
        ("CreateTenant", {"name": "third"}, "permission_denied"),
        ("GrantRole", {"principal": "rival/qc/eve", "grant": {"role": "operator"}},
         "permission_denied"),
    ]:
        assert refusal(eve.call, method, request).name == name, (method, request)
    service.operator.call("GrantRole", {
        "principal": "rival/qc/eve", "grant": {"role": "auditor", "tenant": "rival"}})
    records = eve.call("ListAudit")["records"]
    assert records and {r["tenant"] for r in records} == {"rival"}
    assert refusal(eve.call, "ListAudit", {"tenant": "lab"}).name == "tenant_not_found"
    assert refusal(ada.call, "ListAudit").name == "permission_denied"


def test_an_unknown_key_is_refused_at_the_handshake(service):
    stranger = service.path / "stranger.key"
    qubus.generate_key(stranger)
    assert refusal(service.connect, stranger).name == "unauthenticated"


def test_a_revoked_key_is_refused_with_the_next_request_and_its_sessions_end(service):
    old = service.member("lab/qc/rev", "submitter")
    new = service.key("lab/qc/rev")
    with service.connect(old) as client, service.connect(new) as heir:
        session = client.session(ROTATION, observables=["ZI"])
        session.step([0.1])
        identity = session.id
        own = client.call("WhoAmI")["credential"].removeprefix("key:")
        heir.call("RevokeKey", {"key": own, "reason": "lost"})
        assert refusal(session.step, [0.1]).name in ("unauthenticated", "connection_lost")
        assert refusal(listed, client).name in ("unauthenticated", "connection_lost")
        assert refusal(service.connect, old).name == "unauthenticated"
        # Closed on the server's own account: nobody is told when that is written.
        deadline = time.monotonic() + 10
        while heir.call("GetSession", {"session_id": identity})["session"]["state"] == "open":
            assert time.monotonic() < deadline
        assert sum(heir.submit(BELL, shots=5, seed=1).result(timeout=30).counts.values()) == 5


def test_a_token_is_good_for_its_key_its_actions_and_its_shots_alone(service, ada, eve):
    notebook = service.member("lab/qc/notebook")
    with service.connect(notebook) as client:
        bound = client.call("WhoAmI")["credential"]
        assert refusal(client.submit, BELL, shots=1).name == "permission_denied"
        issued = ada.call("IssueToken", {
            "bound_to": bound, "actions": ["jobs.submit", "jobs.read"], "project": "qc",
            "valid_seconds": 600, "shots": 100})
        client.set_token(issued["token"])
        assert client.call("WhoAmI")["principal"] == "lab/qc/ada"
        job = client.submit(BELL, shots=60, seed=1)
        assert refusal(job.result, timeout=30).name == "permission_denied", "was not handed on"
        assert refusal(client.submit, BELL, shots=60).name == "token_expired"
        assert refusal(
            client.call, "AddKey", {"key": "0" * 40}).name == "permission_denied"
        assert refusal(client.session, ROTATION, observables=["ZI"]).name == "permission_denied"
        eve.set_token(issued["token"])
        try:
            assert refusal(listed, eve).name == "token_invalid"
        finally:
            eve.set_token(None)
        ada.call("RevokeToken", {"token_id": issued["token_id"]})
        assert refusal(listed, client).name == "token_expired"
        head, claims, signature = issued["token"].split(".")
        for forged in (f"{head}.{claims}.", f"{head}.{claims}.{signature[:-4]}AAAA", "x.y.z"):
            client.set_token(forged)
            assert refusal(listed, client).name == "token_invalid"


def test_a_disabled_project_keeps_what_it_has_and_takes_nothing_new(service):
    key = service.member("lab/qc/dora", "submitter")
    service.operator.call("CreateProject", {"tenant": "lab", "name": "short"})
    key = service.member("lab/short/dora", "submitter")
    with service.connect(key) as client:
        job = client.submit(BELL, shots=10, seed=1)
        job.result(timeout=30)
        session = client.session(ROTATION, observables=["ZI"])
        session.step([0.1])
        change = {"tenant": "lab", "name": "short"}
        service.operator.call("UpdateProject", {**change, "is_disabled": True})
        assert refusal(client.submit, BELL, shots=1).name == "project_disabled"
        assert refusal(session.step, [0.2]).name in ("project_disabled", "session_limit_exceeded")
        assert sum(client.job(job.id).result(timeout=30).counts.values()) == 10
        ended = client.call("GetSession", {"session_id": session.id})["session"]
        assert ended["state"] == "ended" and ended["reason"] == "DISABLED"
        service.operator.call("UpdateProject", {**change, "is_disabled": False})
        client.submit(BELL, shots=1, seed=1).result(timeout=30)
