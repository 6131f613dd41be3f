"""Archives of jobs, results that come back from them, and who may take them out of the service."""

import hashlib
import json
import stat
import struct
import zipfile

import pytest
import qubus
from conftest import PROGRAMS
from test_admin import error, lab, service  # noqa: F401
from test_retention import shown, start, submitted, until  # noqa: F401

BELL = PROGRAMS / "bell.qasm"


def archived(service, job_id, *arguments):  # noqa: F811
    folder = service.path / "archives"
    answer = service.ask("archive", job_id, "--to", folder, *arguments)
    assert [entry["job_id"] for entry in answer["archives"]] == [job_id]
    return folder / f"{job_id}.qubus.zip"


def restored(service, file):  # noqa: F811
    return [entry["outcome"] for entry in service.ask("restore", file)["restored"]]


def counts(service, job_id):  # noqa: F811
    return service.ask("result", job_id)["counts"]


def test_an_archive_is_a_bundle_with_the_hash_of_every_file(service):  # noqa: F811
    job_id = submitted(service)
    file = archived(service, job_id, "--destination", "vault")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as bundle:
        assert bundle.testzip() is None
        contents = {name: bundle.read(name) for name in bundle.namelist()}
    index = json.loads(contents.pop("bundle.json"))
    assert (index["format"], index["version"], index["job_id"]) == ("qubus.bundle", 1, job_id)
    assert index["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    # As the Python package computes it.
    assert index["digest"] == hashlib.sha256(
        json.dumps(index["files"], sort_keys=True).encode()).hexdigest()
    assert contents["program/0.qasm"] == BELL.read_bytes()
    manifest = json.loads(contents["manifest.json"])
    for item in manifest["items"]:
        array = contents[f"arrays/{item['pub']}/{item['name']}.npy"]
        assert array.startswith(b"\x93NUMPY\x01\x00") and len(array) % 8 == 0
        offset = 10 + int.from_bytes(array[8:10], "little")
        assert offset % 64 == 0
        assert hashlib.sha256(array[offset:]).hexdigest() == item["sha256"]
    provenance = json.loads(contents["provenance.json"])
    assert json.loads(contents["request.json"])["seed"] == provenance["seed"]
    kinds = [json.loads(line)["type"] for line in contents["events.jsonl"].splitlines()]
    assert kinds[-1] == "status.changed"
    told = json.loads(contents["archive.json"])
    assert told["destination"] == "vault" and told["archived_at"] > 0 and told["has_events"]
    service.ask("admin", "grant", told["archived_by"], "auditor", "--scope", "everything")
    subjects = [record["subject"] for record in service.ask("audit", "list")["records"]]
    assert f"job {job_id} to vault" in subjects


def test_an_expired_result_comes_back_as_an_archived_copy(start):  # noqa: F811
    service = start("--result-retention", "4s")  # noqa: F811
    job_id = submitted(service)
    before = counts(service, job_id)
    file = archived(service, job_id)
    until(lambda: shown(service, job_id).get("results_removed"))
    late = service.call("archive", job_id, "--to", service.path / "late", "-o", "json")
    assert error(late) == "result_expired"
    assert restored(service, file) == ["restored"]
    assert counts(service, job_id) == before
    job = shown(service, job_id)
    assert job["is_archived_copy"] and not job["results_removed"] and job["results_expire_at"]
    assert "archived copy" in service.call("get", job_id, "-o", "table").stdout
    # It is kept as long as a new one.
    until(lambda: shown(service, job_id).get("results_removed"))
    assert not shown(service, job_id)["is_archived_copy"]


def test_restoring_what_is_there_changes_nothing(service):  # noqa: F811
    job_id = submitted(service)
    file = archived(service, job_id)
    before = shown(service, job_id)
    assert restored(service, file) == restored(service, file) == ["was_there"]
    assert shown(service, job_id) == before
    # Archived again, the file is replaced.
    assert archived(service, job_id) == file and restored(service, file) == ["was_there"]


def rewritten(file, name, edit):
    """The archive with one file of it changed and every hash in its index made anew."""
    with zipfile.ZipFile(file) as bundle:
        contents = {entry: bundle.read(entry) for entry in bundle.namelist()}
    contents[name] = edit(contents[name])
    index = json.loads(contents["bundle.json"])
    index["files"][name] = hashlib.sha256(contents[name]).hexdigest()
    index["digest"] = hashlib.sha256(
        json.dumps(index["files"], sort_keys=True).encode()).hexdigest()
    contents["bundle.json"] = json.dumps(index).encode()
    forged = file.with_suffix(".forged")
    with zipfile.ZipFile(forged, "w") as bundle:
        for entry, data in contents.items():
            bundle.writestr(entry, data)
    return forged


@pytest.mark.parametrize(
    "damage", [
        lambda data: data[:-1], lambda data: data[:100], lambda data: b"",
        lambda data: data.replace(b"OPENQASM", b"OPENQASN", 1),
        lambda data: data.replace(b"manifest.json", b"manifest.jsom"),
        lambda data: b"no archive at all, but long enough to have an end of some kind"])
def test_a_damaged_archive_is_refused_before_anything_is_sent(service, damage):  # noqa: F811
    file = archived(service, submitted(service))
    file.write_bytes(damage(file.read_bytes()))
    done = service.call("restore", file, "-o", "json")
    assert (done.returncode, error(done)) == (74, "archive_damaged"), done.stderr
    assert str(file) in json.loads(done.stdout)["error"]["message"]


def test_files_that_lie_over_one_another_are_not_unpacked(service):  # noqa: F811
    file = archived(service, submitted(service))
    data = file.read_bytes()
    end = data.rindex(b"PK\5\6")
    count, size, start = struct.unpack("<HII", data[end + 10:end + 20])
    # The table a thousand times, each entry of the largest file in it.
    entries, place = [], start
    for _ in range(count):
        name = int.from_bytes(data[place + 28:place + 30], "little")
        entries.append(data[place:place + 46 + name])
        place += 46 + name
    largest = max(entries, key=lambda entry: int.from_bytes(entry[24:28], "little"))
    table = largest * 1000
    tail = data[end:end + 8] + struct.pack("<HHII", 1000, 1000, len(table), start) + data[end + 20:]
    file.write_bytes(data[:start] + table + tail)
    done = service.call("restore", file, "-o", "json")
    assert (done.returncode, error(done)) == (74, "archive_damaged"), done.stderr
    assert "its table of files is damaged" in json.loads(done.stdout)["error"]["message"]


def test_what_lies_under_the_partial_name_is_not_written_into(service):  # noqa: F811
    job_id = submitted(service)
    folder = service.path / "archives"
    folder.mkdir()
    other = service.path / "other"
    other.write_text("mine")
    partial = folder / f"{job_id}.qubus.zip.partial"
    partial.symlink_to(other)
    file = archived(service, job_id)
    assert other.read_text() == "mine" and not partial.is_symlink() and not partial.exists()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and not file.is_symlink()


def test_an_archive_that_cannot_be_written_leaves_nothing(service):  # noqa: F811
    job_id = submitted(service)
    folder = service.path / "archives"
    # Where the file is to be lies a folder.
    (folder / f"{job_id}.qubus.zip").mkdir(parents=True)
    done = service.call("archive", job_id, "--to", folder)
    assert done.returncode == 74 and "cannot write" in done.stderr
    assert [path.name for path in folder.iterdir()] == [f"{job_id}.qubus.zip"]
    done = service.call("archive", job_id, "--to", service.path / "no" / "such")
    assert done.returncode == 74 and "cannot make" in done.stderr


def test_python_reads_an_archive_as_a_bundle(service):  # noqa: F811
    job_id = submitted(service)
    file = archived(service, job_id)
    result = qubus.load_bundle(file)
    assert result.job_id == job_id and result.counts == counts(service, job_id)
    assert result.programs == [BELL.read_bytes()]
    file.write_bytes(file.read_bytes().replace(b"OPENQASM", b"OPENQASN", 1))
    with pytest.raises(qubus.PostProcessingError):
        qubus.load_bundle(file)


def test_a_forged_archive_is_refused_by_the_service(service):  # noqa: F811
    job_id = submitted(service)
    file = archived(service, job_id)
    with zipfile.ZipFile(file) as bundle:
        first = json.loads(bundle.read("manifest.json"))["items"][0]
    data = rewritten(
        file, f"arrays/{first['pub']}/{first['name']}.npy",
        lambda array: array[:-1] + bytes([array[-1] ^ 1]))
    done = service.call("restore", data, "-o", "json")
    assert (done.returncode, error(done)) == (74, "archive_damaged")
    # Of another number of shots the result is another one for certain.
    other = service.ask("submit", BELL, "--shots", "101")["jobs"][0]["job_id"]
    assert service.call("result", other, "--timeout", "30").returncode == 0
    manifest = rewritten(
        file, "manifest.json", lambda text: text.replace(job_id.encode(), other.encode()))
    done = service.call("restore", manifest, "-o", "json")
    assert (done.returncode, error(done)) == (73, "archive_conflict")
    nobody = rewritten(
        file, "manifest.json",
        lambda text: text.replace(job_id.encode(), b"018f3f5e-7c1a-7000-8000-0123456789ab"))
    done = service.call("restore", nobody, "-o", "json")
    assert (done.returncode, error(done)) == (77, "job_not_found")
    assert service.call("restore", service.path / "nowhere.zip").returncode == 66
    # What was refused is evidence.
    who = service.ask("whoami")["principal"]
    service.ask("admin", "grant", who, "auditor", "--scope", "everything")
    refused = {
        record["policy"] for record in service.ask("audit", "list")["records"]
        if record["method"] == "RestoreJob"}
    assert {"archive_damaged", "archive_conflict"} <= refused


def test_all_jobs_before_a_day_are_archived(service):  # noqa: F811
    jobs = {submitted(service) for _ in range(3)}
    folder = service.path / "all"
    none = service.ask("archive", "--before", "2020-01-01", "--to", folder)
    assert none["archives"] == []
    found = service.ask("archive", "--before", "2100-01-01", "--to", folder)["archives"]
    assert {entry["job_id"] for entry in found} == jobs
    assert {path.name for path in folder.iterdir()} == {f"{job}.qubus.zip" for job in jobs}
    for wrong in ((), (next(iter(jobs)), "--before", "2100-01-01")):
        assert service.call("archive", "--to", folder, *wrong).returncode == 64


def test_under_a_policy_reviewers_archive_to_named_destinations(lab):  # noqa: F811
    sam, rita = lab.member("lab/qc/sam", "submitter"), lab.member("lab/qc/rita", "reviewer")
    lab.ask("admin", "tenants", "create", "acme")
    lab.ask("admin", "projects", "create", "acme/main")
    eve = lab.member("acme/main/eve", "submitter", "reviewer")
    run = lab.by(sam, "run", BELL, "--shots", "100", "-o", "json")
    job_id = json.loads(run.stdout)["job_id"]

    def archive(member, *arguments):
        return lab.by(
            member, "archive", job_id, "--to", lab.path / "out", "-o", "json", *arguments)

    assert archive(sam).returncode == 0 and archive(rita).returncode == 0
    policy = lab.ask(
        "admin", "export-policy", "set", "lab/qc", "--destination", "vault", "--destination",
        "desk", "--reason", "contract 17")
    assert policy["destinations"] == ["vault", "desk"]
    assert lab.ask("admin", "export-policy", "list")["policies"] == [
        {"tenant": "lab", "project": "qc", "destinations": ["vault", "desk"]}]
    refused = archive(sam, "--destination", "vault")
    told = json.loads(refused.stdout)["error"]
    assert (refused.returncode, told["name"]) == (77, "permission_denied")
    assert told["details"]["policy"] == "export policy of lab/qc"
    assert "reviewer" in told["details"]["remedy"] and told["details"]["action"] == "results.export"
    assert lab.by(sam, "result", job_id).returncode == 0, "reading is another permission"
    for destination in ((), ("--destination", "home")):
        refused = archive(rita, *destination)
        assert refused.returncode == 77
        assert json.loads(refused.stdout)["error"]["details"]["destinations"] == "vault, desk"
    assert archive(rita, "--destination", "desk").returncode == 0
    foreign = archive(eve, "--destination", "desk")
    assert (foreign.returncode, error(foreign)) == (77, "job_not_found")
    file = lab.path / "out" / f"{job_id}.qubus.zip"
    foreign = lab.by(eve, "restore", file, "-o", "json")
    assert (foreign.returncode, error(foreign)) == (77, "job_not_found")
    denied = lab.by(rita, "admin", "export-policy", "remove", "lab/qc", "-o", "json")
    assert (denied.returncode, error(denied)) == (77, "permission_denied")
    # It is durable.
    assert lab.daemon.stop()[0] == 0
    lab.start()
    assert archive(sam, "--destination", "vault").returncode == 77
    lab.ask("admin", "export-policy", "remove", "lab/qc")
    assert archive(sam).returncode == 0


def test_what_is_no_policy_is_refused(lab):  # noqa: F811
    for arguments, status, name in (
            (("lab/none", "--destination", "vault"), 77, "project_not_found"),
            (("nowhere/qc", "--destination", "vault"), 77, "tenant_not_found"),
            (("lab/qc", "--destination", "a b"), 65, "invalid_name")):
        done = lab.call("admin", "export-policy", "set", "-o", "json", *arguments)
        assert (done.returncode, error(done)) == (status, name), done.stderr
    assert lab.call("admin", "export-policy", "set", "lab", "--destination", "x").returncode == 64
    assert lab.call("admin", "export-policy", "set", "lab/qc").returncode == 64
    done = lab.call("admin", "export-policy", "remove", "lab/qc", "-o", "json")
    assert (done.returncode, error(done)) == (65, "invalid_request")
