"""Encryption, master keys, erasing a tenant, backups, on the built daemon."""

import json
import os
import threading

import pytest
from at_rest import Service, contents, key_file, maintain
from conftest import PROGRAMS

BELL = PROGRAMS / "bell.qasm"


def finished(service, *arguments):
    done = service.ask("run", BELL, "--shots", "100", *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["job_id"]


def test_a_daemon_says_whether_it_encrypts_and_needs_its_key_from_then_on(short_dir):
    plain = Service(short_dir)
    job = finished(plain, "--tag", "before")
    assert [line["encryption"] for line in plain.log if "encryption" in line] == ["off"]
    assert plain.stop() == 0
    key = key_file(short_dir / "key")
    sealed = Service(short_dir, "--master-key-file", key)
    assert [line["encryption"] for line in sealed.log if "encryption" in line] == ["off", "on"]
    assert sealed.ask("result", job).returncode == 0
    listed = json.loads(sealed.ask("list", "--tag", "before", "-o", "json").stdout)
    assert [found["job_id"] for found in listed["jobs"]] == [job]
    assert sealed.stop() == 0
    data = ["--data-dir", sealed.data]
    without = maintain(*data)
    assert without.returncode == 78 and "master_key_required" in without.stderr
    other = maintain(*data, "--master-key-file", key_file(short_dir / "other"))
    assert other.returncode == 78 and "wrong_master_key" in other.stderr


@pytest.mark.parametrize("damage", ["open", "missing", "short", "folder"])
def test_a_bad_key_file_stops_the_start_and_says_why(short_dir, damage):
    path = short_dir / "key"
    if damage == "open":
        key_file(path).chmod(0o644)
    elif damage == "short":
        key_file(path, "00ff")
    elif damage == "folder":
        path.mkdir()
    done = maintain("--data-dir", short_dir / "data", "--master-key-file", path)
    assert done.returncode == 78 and "invalid_key" in done.stderr
    assert not (short_dir / "data").exists()


def test_a_command_can_supply_the_key(short_dir):
    path = key_file(short_dir / "key")
    service = Service(short_dir, "--master-key-command", f"cat {path}")
    job = finished(service)
    assert service.stop() == 0
    again = Service(short_dir, "--master-key-file", path)
    assert again.ask("result", job).returncode == 0
    assert again.stop() == 0
    for command, words in [("exit 3", "status 3"), ("yes", "4096 bytes"), ("true", "digits")]:
        done = maintain("--data-dir", short_dir / "data", "--master-key-command", command)
        assert done.returncode == 78 and words in done.stderr


def test_another_master_key_takes_over(short_dir):
    old, new = key_file(short_dir / "old"), key_file(short_dir / "new")
    service = Service(short_dir, "--master-key-file", old)
    job = finished(service)
    change = ["rewrap", "--data-dir", service.data, "--master-key-file", old,
              "--new-master-key-file", new]
    busy = maintain(*change)
    assert busy.returncode == 75 and "data_directory_locked" in busy.stderr
    assert service.stop() == 0
    assert json.loads(maintain(*change).stdout)["rewrapped"] == 1
    wrong = maintain("--data-dir", service.data, "--master-key-file", old)
    assert wrong.returncode == 78 and "wrong_master_key" in wrong.stderr
    again = Service(short_dir, "--master-key-file", new)
    assert again.ask("result", job).returncode == 0
    assert again.verify_audit() == 0
    assert again.stop() == 0


def test_an_erased_tenant_has_nothing_left_that_can_be_read(short_dir):
    service = Service(short_dir, "--master-key-file", key_file(short_dir / "key"))
    for words in [("tenants", "create", "lab"), ("projects", "create", "lab/qc"),
                  ("principals", "create", "lab/qc/ada")]:
        assert service.ask("admin", *words).returncode == 0
    early = service.ask("admin", "tenants", "erase", "lab", "-o", "json")
    assert json.loads(early.stdout)["error"]["name"] == "invalid_request"
    assert service.ask("admin", "tenants", "disable", "lab").returncode == 0
    done = service.ask("admin", "tenants", "erase", "lab", "--reason", "they left")
    assert done.returncode == 0, done.stderr
    job = finished(service)
    assert service.ask("result", job).returncode == 0
    assert service.stop() == 0


def test_a_backup_under_load_restores_to_a_daemon_that_has_all_that_was_acknowledged(short_dir):
    key = key_file(short_dir / "key")
    service = Service(short_dir, "--master-key-file", key)
    before = [finished(service) for _ in range(3)]
    stop, later = threading.Event(), []

    def load():
        while not stop.is_set():
            later.append(finished(service))

    workers = [threading.Thread(target=load) for _ in range(2)]
    for worker in workers:
        worker.start()
    reports = []
    for i in range(3):
        done = maintain("backup", "--data-dir", service.data, "--to", short_dir / f"backup{i}")
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(done.stdout))
    known = len(later)
    done = maintain("backup", "--data-dir", service.data, "--to", short_dir / "last")
    stop.set()
    for worker in workers:
        worker.join()
    assert done.returncode == 0 and json.loads(done.stdout)["encrypted"]
    assert json.loads(done.stdout)["jobs"] >= 3 + known
    assert service.stop() == 0
    assert os.stat(short_dir / "last").st_mode & 0o777 == 0o700
    elsewhere = short_dir / "elsewhere"
    elsewhere.mkdir()
    done = maintain("restore", "--data-dir", elsewhere / "data", "--from", short_dir / "last")
    assert done.returncode == 0, done.stderr
    restored = Service(elsewhere, "--master-key-file", key)
    for job in before + later[:known]:
        assert restored.ask("result", job, "--timeout", "30").returncode == 0
    assert restored.verify_audit() == 0
    assert restored.stop() == 0
    again = maintain("restore", "--data-dir", elsewhere / "data", "--from", short_dir / "last")
    assert again.returncode == 73 and "is no empty folder" in again.stderr
    assert contents(short_dir / "last")
