"""Administration from the command line, against daemons of their own."""

import json
import os
import pwd
import sqlite3
import stat

import pytest
from conftest import PROGRAMS, Daemon, clean_environment, run

BELL = PROGRAMS / "bell.qasm"
ME = pwd.getpwuid(os.getuid()).pw_name


class Service:
    """A daemon on a local socket and on a curve endpoint, and the people who use it."""

    def __init__(self, path, *arguments):
        self.path = path
        self.data = path / "data"
        self.start(*arguments)

    def start(self, *arguments):
        self.daemon = Daemon(
            self.data, "--threads", "1", "--listen", f"ipc://{self.path}/q.sock", "--listen",
            "curve://127.0.0.1:0", *arguments)
        self.curve = next(e for e in self.daemon.ready["endpoints"] if e.startswith("curve://"))
        self.server_key = self.daemon.ready["server_keys"][self.curve]

    def call(self, *arguments, **environment):
        """As the user of the machine."""
        done = run(
            *arguments, env=clean_environment(QUBUS_ENDPOINT=self.daemon.endpoint, **environment))
        return done

    def ask(self, *arguments):
        done = self.call(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def key_file(self, name):
        """A new key pair: its file and its public half."""
        file = self.path / f"{name}.key"
        done = run("keygen", file)
        assert done.returncode == 0, done.stderr
        return file, done.stdout.strip().splitlines()[-1].split()[-1]

    def by(self, file, *arguments, **environment):
        """As the holder of a key."""
        return run(
            *arguments,
            env=clean_environment(
                QUBUS_ENDPOINT=self.curve, QUBUS_SERVER_KEY=self.server_key,
                QUBUS_KEY_FILE=str(file), **environment))

    def member(self, principal, *roles):
        """A new principal with a key: the file."""
        grants = [word for role in roles for word in ("--role", role)]
        self.ask("admin", "principals", "create", principal, *grants)
        file, key = self.key_file(principal.replace("/", "-"))
        self.ask("admin", "keys", "add", "key:" + key, "--principal", principal)
        return file


@pytest.fixture
def service(short_dir):
    started = Service(short_dir)
    yield started
    status, _, _, err = started.daemon.stop()
    assert status == 0, err


@pytest.fixture
def lab(service):
    service.ask("admin", "tenants", "create", "lab")
    service.ask("admin", "projects", "create", "lab/qc")
    return service


def error(done):
    return json.loads(done.stdout)["error"]["name"]


def test_whoever_starts_the_daemon_first_is_its_operator(service):
    me = service.ask("whoami")
    assert me["principal"] == f"default/default/{ME}" and me["credential"] == f"uid:{os.getuid()}"
    roles = {(g["role"], g["tenant"], g["project"]) for g in me["grants"]}
    assert roles == {("operator", "", ""), ("tenant_admin", "default", "")}
    assert "tenants.manage" in me["actions"] and "jobs.submit" in me["actions"]
    assert "results.read" in me["actions"], "of one's own tenant"
    done = service.call("run", BELL, "--shots", "10", "--seed", "1", "-o", "json")
    assert done.returncode == 0, done.stderr


def test_an_invitation_is_taken_up_and_the_member_works_over_the_network(lab):
    lab.ask("admin", "principals", "create", "lab/qc/ada", "--role", "submitter")
    invitation = lab.path / "invitation.key"
    told = lab.ask("admin", "invite", "lab/qc/ada", "--file", invitation, "--reason", "new")
    assert "secret_key" not in told and told["server_key"] == lab.server_key
    assert stat.S_IMODE(invitation.stat().st_mode) == 0o600
    invited = json.loads(lab.by(invitation, "whoami", "-o", "json").stdout)
    assert invited["is_invitation"] is True and invited["principal"] == "lab/qc/ada"
    refused = lab.by(invitation, "run", BELL, "--shots", "1", "-o", "json")
    assert refused.returncode == 77 and error(refused) == "permission_denied"
    file, key = lab.key_file("ada")
    added = lab.by(invitation, "admin", "keys", "add", "key:" + key, "-o", "json")
    assert added.returncode == 0, added.stderr
    again = lab.by(invitation, "whoami", "-o", "json")
    assert again.returncode == 77 and error(again) == "unauthenticated"
    done = lab.by(file, "run", BELL, "--shots", "100", "--seed", "3", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["counts"].values()) == 100
    listed = lab.ask("admin", "keys", "list", "--principal", "lab/qc/ada")["keys"]
    assert [(k["is_invitation"], k["is_valid"]) for k in listed] == [(True, False), (False, True)]


def test_a_key_is_rotated_by_its_principal_and_the_old_one_is_refused(lab):
    old = lab.member("lab/qc/ada", "submitter")
    new, key = lab.key_file("new")
    assert lab.by(old, "admin", "keys", "add", "key:" + key).returncode == 0
    own = json.loads(lab.by(new, "admin", "keys", "list", "-o", "json").stdout)["keys"]
    first = next(k["key"] for k in own if k["key"] != key)
    assert lab.by(new, "admin", "keys", "revoke", "key:" + first).returncode == 0
    gone = lab.by(old, "whoami", "-o", "json")
    assert gone.returncode == 77 and error(gone) == "unauthenticated"
    assert lab.by(new, "whoami").returncode == 0


def test_a_token_carries_some_rights_to_one_key_and_no_other(lab):
    owner = lab.member("lab/qc/ada", "submitter")
    notebook = lab.member("lab/qc/notebook")
    other = lab.member("lab/qc/other")
    bound = json.loads(lab.by(notebook, "whoami", "-o", "json").stdout)["credential"]
    issued = lab.by(
        owner, "admin", "token", "issue", "jobs.submit", "jobs.read", "results.read",
        "--bound-to", bound, "--shots", "150", "-o", "json")
    assert issued.returncode == 0, issued.stderr
    told = json.loads(issued.stdout)
    token = told["token"]
    bare = lab.by(notebook, "run", BELL, "--shots", "100", "-o", "json")
    assert bare.returncode == 77
    done = lab.by(notebook, "run", BELL, "--shots", "100", "-o", "json", QUBUS_TOKEN=token)
    assert done.returncode == 0, done.stderr
    spent = lab.by(notebook, "run", BELL, "--shots", "100", "-o", "json", QUBUS_TOKEN=token)
    assert spent.returncode == 77 and error(spent) == "token_expired"
    stolen = lab.by(other, "run", BELL, "--shots", "1", "-o", "json", QUBUS_TOKEN=token)
    assert stolen.returncode == 77 and error(stolen) == "token_invalid"
    assert lab.by(owner, "admin", "token", "revoke", told["token_id"]).returncode == 0
    revoked = lab.by(notebook, "list", "-o", "json", QUBUS_TOKEN=token)
    assert revoked.returncode == 77 and error(revoked) == "token_expired"
    nested = lab.by(owner, "admin", "token", "issue", "tokens.issue", "-o", "json")
    assert nested.returncode == 65 and error(nested) == "invalid_request"


def test_a_disabled_project_takes_nothing_new_and_shows_what_it_has(lab):
    member = lab.member("lab/qc/ada", "submitter")
    done = lab.by(member, "run", BELL, "--shots", "10", "-o", "json")
    job = json.loads(done.stdout)["job_id"]
    lab.ask("admin", "projects", "disable", "lab/qc", "--reason", "no money")
    refused = lab.by(member, "submit", BELL, "--shots", "10", "-o", "json")
    assert refused.returncode == 73, refused.stderr
    assert json.loads(refused.stdout)["error"]["name"] == "project_disabled"
    assert lab.by(member, "result", job).returncode == 0
    lab.ask("admin", "projects", "enable", "lab/qc")
    assert lab.by(member, "run", BELL, "--shots", "10").returncode == 0


def test_a_disabled_principal_and_tenant_are_nobody_at_once(lab):
    member = lab.member("lab/qc/ada", "submitter")
    for what, name in (("principals", "lab/qc/ada"), ("tenants", "lab")):
        assert lab.by(member, "whoami").returncode == 0
        lab.ask("admin", what, "disable", name)
        refused = lab.by(member, "whoami", "-o", "json")
        assert refused.returncode == 77 and error(refused) == "unauthenticated"
        lab.ask("admin", what, "enable", name)
    assert lab.by(member, "whoami").returncode == 0


@pytest.mark.parametrize(
    "arguments, status, name",
    [
        (("tenants", "create", "Lab"), 65, "invalid_name"),
        (("tenants", "create", "lab"), 73, "name_taken"),
        (("tenants", "disable", "nowhere"), 77, "tenant_not_found"),
        (("projects", "create", "nowhere/p"), 77, "tenant_not_found"),
        (("projects", "owner", "lab/qc", "nobody"), 77, "principal_not_found"),
        (("principals", "create", "lab/none/ada"), 77, "project_not_found"),
        (("principals", "list", "--tenant", "nowhere"), 77, "tenant_not_found"),
        (("grant", "lab/qc/nobody", "viewer"), 77, "principal_not_found"),
        (("grant", "lab/qc/nobody", "boss"), 65, "invalid_enum_value"),
        (("keys", "add", "tooshort"), 65, "invalid_key"),
        (("keys", "revoke", "0" * 40), 77, "key_not_found"),
        (("token", "issue", "jobs.eat"), 65, "invalid_enum_value"),
        (("token", "revoke", "none"), 77, "key_not_found"),
        (("revoke", f"default/default/{ME}", "operator", "--scope", "everything"), 77,
         "permission_denied"),
        (("principals", "disable", f"default/default/{ME}"), 77, "permission_denied"),
        (("tenants", "disable", "default"), 77, "permission_denied"),
    ])
def test_the_exit_status_is_that_of_the_errors_class(lab_once, arguments, status, name):
    done = lab_once.call("admin", *arguments, "-o", "json")
    assert (done.returncode, error(done)) == (status, name), done.stderr


@pytest.fixture(scope="module")
def lab_once(tmp_path_factory):
    import pathlib
    import shutil
    import tempfile

    path = pathlib.Path(tempfile.mkdtemp(prefix="qubus-", dir="/tmp"))
    started = Service(path)
    started.ask("admin", "tenants", "create", "lab")
    started.ask("admin", "projects", "create", "lab/qc")
    yield started
    started.daemon.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("projects", "create", "lab"), ("projects", "create", "a/b/c"),
        ("principals", "create", "lab/qc"), ("principals", "list", "--project", "qc"),
        ("principals", "user", "lab/qc/ada", "many"), ("grant", "lab/qc/ada", "operator"),
        ("grant", "lab/qc/ada", "viewer", "--scope", "a/b/c"), ("keys", "add"), ("invite",),
        ("token", "issue"), ("frobnicate",),
    ])
def test_wrong_use_ends_with_64(arguments):
    done = run("admin", *arguments)
    assert done.returncode == 64 and done.stderr


def test_lists_come_as_tables_csv_and_lines(lab_once):
    table = lab_once.call("admin", "tenants", "-o", "table").stdout.splitlines()
    assert table[0].split() == ["name", "state", "created", "at"]
    assert [line.split()[:2] for line in table[1:]] == [["default", "enabled"], ["lab", "enabled"]]
    csv = lab_once.call("admin", "projects", "--tenant", "lab", "-o", "csv").stdout.splitlines()
    assert csv[0] == "project,owner,state,created_at" and csv[1].startswith("lab/qc,,enabled,")
    lines = lab_once.call("admin", "principals", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["principal"] for line in lines] == [f"default/default/{ME}"]
    me = lab_once.call("whoami", "-o", "table").stdout
    assert f"default/default/{ME}" in me and "operator of everything" in me


def test_the_audit_is_the_auditors_and_tells_who_did_what_and_why(lab):
    refused = lab.call("audit", "list", "-o", "json")
    assert refused.returncode == 77 and error(refused) == "permission_denied"
    lab.ask("admin", "grant", f"default/default/{ME}", "auditor", "--scope", "everything",
            "--reason", "I keep the books")
    records = lab.ask("audit", "list")["records"]
    assert [r["number"] for r in records] == list(range(1, len(records) + 1))
    by_method = {r["method"]: r for r in records}
    assert by_method["start"]["subject"] == f"principal default/default/{ME}"
    assert by_method["CreateTenant"]["subject"] == "tenant lab"
    assert by_method["CreateTenant"]["policy"] == "operator of everything"
    assert by_method["CreateTenant"]["credential"] == f"uid:{os.getuid()}"
    assert by_method["GrantRole"]["reason"] == "I keep the books"
    assert any(r["method"] == "ListAudit" and r["outcome"] == "refused" for r in records)
    ours = lab.ask("audit", "list", "--tenant", "lab")["records"]
    assert ours and all(r["tenant"] == "lab" for r in ours)
    assert len(lab.ask("audit", "list", "--limit", "2", "--after", "1")["records"]) == 2


def test_a_changed_record_and_one_cut_off_are_found(lab):
    lab.ask("admin", "grant", f"default/default/{ME}", "auditor", "--scope", "everything")
    exported = lab.call("audit", "export")
    assert exported.returncode == 0, exported.stderr
    checkpoint = lab.path / "checkpoint.json"
    checkpoint.write_text(exported.stdout)
    whole = lab.ask("audit", "verify", "--checkpoint", checkpoint)
    assert "broken_at" not in whole and whole["records"] >= json.loads(exported.stdout)["number"]
    (lab.path / "forged.json").write_text(
        exported.stdout.replace('"number" : ', '"number" : 1'))
    forged = lab.call("audit", "verify", "--checkpoint", lab.path / "forged.json", "-o", "json")
    assert forged.returncode == 65 and error(forged) == "invalid_request"
    edited(lab, "UPDATE audit SET subject = 'tenant innocent' WHERE subject = 'tenant lab'")
    found = lab.call("audit", "verify", "-o", "json")
    assert found.returncode == 74
    answer = json.loads(found.stdout)
    assert answer["broken_at"] == answer["records"] + 1
    assert lab.call("audit", "verify", "-o", "table").returncode == 74


def test_records_cut_off_at_the_end_show_against_a_checkpoint(lab):
    lab.ask("admin", "grant", f"default/default/{ME}", "auditor", "--scope", "everything")
    checkpoint = lab.path / "checkpoint.json"
    checkpoint.write_text(lab.call("audit", "export").stdout)
    number = json.loads(checkpoint.read_text())["number"]
    edited(lab, f"DELETE FROM audit WHERE number >= {number}")
    assert lab.call("audit", "verify").returncode == 0, "the chain alone cannot know"
    found = lab.call("audit", "verify", "--checkpoint", checkpoint, "-o", "json")
    assert found.returncode == 74, found.stdout


def edited(service, sql):
    """The daemon is stopped, somebody edits its database, and it starts again."""
    assert service.daemon.stop()[0] == 0
    database = next(service.data.glob("*.sqlite*"), None) or next(service.data.glob("*.db"))
    with sqlite3.connect(database) as connection:
        for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(sql).rowcount > 0
    connection.close()
    service.start()


def test_users_of_the_machine_can_be_refused(short_dir):
    """Whoever comes over loopback is nobody's principal."""
    daemon = Daemon(
        short_dir / "data", "--listen", f"ipc://{short_dir}/q.sock", "--listen",
        "tcp://127.0.0.1:0", "--local-users", "refuse")
    try:
        local, loopback = daemon.ready["endpoints"]
        assert run("whoami", env=clean_environment(QUBUS_ENDPOINT=local)).returncode == 0
        done = run("whoami", "-o", "json", env=clean_environment(QUBUS_ENDPOINT=loopback))
        assert done.returncode == 77 and error(done) == "unauthenticated"
    finally:
        assert daemon.stop()[0] == 0


def test_what_was_granted_holds_after_a_restart(lab):
    member = lab.member("lab/qc/ada", "viewer")
    assert lab.daemon.stop()[0] == 0
    lab.start()
    me = json.loads(lab.by(member, "whoami", "-o", "json").stdout)
    assert me["principal"] == "lab/qc/ada"
    assert [g["role"] for g in me["grants"]] == ["viewer"]


def test_the_key_of_tokens_is_rotated_and_tokens_of_before_go_on_over_a_restart(lab):
    owner = lab.member("lab/qc/ada", "submitter")
    notebook = lab.member("lab/qc/notebook", "viewer")
    bound = json.loads(lab.by(notebook, "whoami", "-o", "json").stdout)["credential"]

    def issue():
        done = lab.by(
            owner, "admin", "token", "issue", "jobs.read", "--bound-to", bound, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["token"]

    before = issue()
    assert lab.by(owner, "admin", "token", "rotate-key").returncode == 77
    assert issue().split(".")[0] == before.split(".")[0]
    file = lab.data / "token.key"
    content = file.read_text()
    rotated = lab.ask("admin", "token", "rotate-key", "--reason", "yearly")
    assert len(rotated["key_id"]) == 16 and rotated["previous_until"] > 0
    assert file.read_text() != content and stat.S_IMODE(file.stat().st_mode) == 0o600
    after = issue()
    assert after.split(".")[0] != before.split(".")[0]
    for _ in range(2):
        for token in (before, after):
            assert lab.by(notebook, "list", QUBUS_TOKEN=token).returncode == 0
        assert lab.daemon.stop()[0] == 0
        lab.start()
    lab.ask("admin", "grant", f"default/default/{ME}", "auditor", "--scope", "everything")
    told = [r for r in lab.ask("audit", "list")["records"] if r["method"] == "RotateTokenKey"]
    assert [(r["outcome"], r["reason"]) for r in told if r["outcome"] == "allowed"] == [("allowed", "yearly")]
