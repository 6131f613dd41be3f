"""A daemon on a data directory whose audit, or its key, is not as it was left."""

import os
import sqlite3

from conftest import QUBUSD, Daemon, run


def test_a_damaged_audit_is_told_and_recorded_and_the_service_starts(short_dir):
    data = short_dir / "data"
    status, _, _, err = Daemon(data, "--log-format", "text").stop()
    assert status == 0 and "audit is damaged" not in err, err
    database = sqlite3.connect(data / "qubus.sqlite")
    with database:
        database.execute("DROP TRIGGER audit_unchanged")
        database.execute("UPDATE audit SET reason = 'another' WHERE number = 1")
    database.close()
    daemon = Daemon(data, "--log-format", "text")
    assert run("health", "--endpoint", daemon.endpoint).returncode == 0
    status, _, _, err = daemon.stop()
    assert status == 0
    critical = [line for line in err.splitlines() if " critical " in line]
    assert len(critical) == 1 and "the audit is damaged" in critical[0], err
    assert "record=1" in critical[0]
    database = sqlite3.connect(data / "qubus.sqlite")
    told = database.execute(
        "SELECT subject, outcome FROM audit WHERE policy = 'audit_corrupt'").fetchall()
    database.close()
    assert told == [("audit record 1", 3)]


def test_an_audit_key_that_others_may_read_is_refused(short_dir):
    data = short_dir / "data"
    assert Daemon(data).stop()[0] == 0
    os.chmod(data / "audit.key", 0o644)
    refused = run("--data-dir", data, "--log-format", "text", binary=QUBUSD)
    assert refused.returncode != 0
    assert "invalid_key" in refused.stderr and "audit.key" in refused.stderr
