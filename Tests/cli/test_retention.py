"""What expires, against daemons that keep things for seconds."""

import json
import sqlite3
import time

import pytest
from conftest import LIMIT_SECONDS, PROGRAMS, QUBUSD, run
from test_admin import ME, Service, error

BELL = PROGRAMS / "bell.qasm"


def until(look):
    """What `look` answers once that is something."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail("it did not come about")


@pytest.fixture
def start(short_dir):
    services = []

    def start(*arguments):
        services.append(Service(short_dir, *arguments))
        return services[-1]

    yield start
    for service in services:
        status, _, _, err = service.daemon.stop()
        assert status == 0, err


def submitted(service):
    job_id = service.ask("submit", BELL, "--shots", "100")["jobs"][0]["job_id"]
    assert service.call("result", job_id, "--timeout", "30").returncode == 0
    return job_id


def shown(service, job_id):
    answer = service.ask("get", job_id)
    return answer.get("job", answer)


def test_a_result_expires_as_announced_and_goes(start):
    service = start("--result-retention", "3s")
    job_id = submitted(service)
    expiry = shown(service, job_id)["results_expire_at"]
    events = service.call("watch", job_id, "-o", "jsonl").stdout
    assert "results_expire_at" in events and str(expiry) in events
    assert "results expire" in service.call("get", job_id, "-o", "table").stdout
    refused = until(lambda: (lambda done: done if done.returncode else None)(
        service.call("result", job_id, "-o", "json")))
    told = json.loads(refused.stdout)["error"]
    assert told["name"] == "result_expired" and told["details"]["results_expired_at"] == str(expiry)
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiry // 1_000_000)) in told["message"]
    until(lambda: shown(service, job_id).get("results_removed"))
    assert "results expired" in service.call("get", job_id, "-o", "table").stdout
    with sqlite3.connect(f"file:{service.data}/qubus.sqlite?mode=ro", uri=True) as database:
        assert database.execute("SELECT chunks FROM results").fetchall() == [(None,)]
        assert database.execute(
            "SELECT subject FROM audit WHERE method = 'Retention'").fetchall() == [
                (f"results of job {job_id}",)]
    # The job and its provenance are enough to have the same result again.
    assert service.ask("replay", job_id, "--timeout", "30")["outcome"].lower().endswith("identical")


def test_events_expire_and_the_job_stays(start):
    service = start("--event-retention", "2s")
    job_id = submitted(service)
    until(lambda: shown(service, job_id).get("events_removed"))
    refused = service.call("watch", job_id, "-o", "json")
    assert error(refused) == "events_expired"
    assert shown(service, job_id)["status"].lower().endswith("succeeded")
    assert service.call("result", job_id).returncode == 0


def test_the_audit_is_cut_and_says_from_where_it_is_verified(start):
    service = start("--audit-retention", "2s")
    service.ask("admin", "grant", f"default/default/{ME}", "auditor", "--scope", "everything")
    exported = service.call("audit", "export")
    assert exported.returncode == 0, exported.stderr
    cut = until(lambda: (lambda told: told if "cut_at" in told else None)(
        service.ask("audit", "verify")))
    assert cut["first_record"] > 1 and "broken_at" not in cut
    assert "removed by retention" in cut["explanation"]
    table = service.call("audit", "verify", "-o", "table").stdout
    assert "verified from record" in table and "cut by retention" in table
    subjects = [record["subject"] for record in service.ask("audit", "list")["records"]]
    assert any(subject.startswith("audit records 1 to ") for subject in subjects) or cut["first_record"] > 2
    checkpoint = service.path / "checkpoint.json"
    checkpoint.write_text(exported.stdout)
    assert service.call("audit", "verify", "--checkpoint", checkpoint).returncode == 0


@pytest.mark.parametrize("text", ["0s", "-1d", "1.5h", "90", "d", "90x", "36501d", "1 d", "never"])
def test_a_time_that_is_none_is_refused_with_its_flag(short_dir, text):
    done = run("--data-dir", short_dir, "--check-config", "--result-retention=" + text, binary=QUBUSD)
    assert done.returncode == 78
    assert "--result-retention" in done.stderr and "90d" in done.stderr


@pytest.mark.parametrize("text", ["forever", "90d", "12h", "30m", "10s", "36500d"])
def test_times_are_taken_from_the_file_too(short_dir, text):
    file = short_dir / "qubus.toml"
    file.write_text(f'result_retention = "{text}"\nevent_retention = "{text}"\naudit_retention = "{text}"\n')
    done = run("--data-dir", short_dir, "--check-config", "--config", file, binary=QUBUSD)
    assert (done.returncode, done.stdout) == (0, "ok\n")
