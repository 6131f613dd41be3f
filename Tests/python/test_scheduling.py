"""Why a job waits, pauses and weights, over a restart of a daemon of our own."""
from __future__ import annotations

import json
import os
import subprocess

import pytest

import qubus
from conftest import BELL, ROOT, serving


@pytest.fixture
def own(daemon, tmp_path):
    yield from serving(type(daemon), daemon.binary, tmp_path)


def cli(own, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [own.binary.parent / "qubus", *arguments], capture_output=True, text=True, timeout=30,
        env={**os.environ, "QUBUS_ENDPOINT": own.endpoint})
    assert done.returncode == code, done.stderr
    return done.stdout


def running_limit(client, limit: int | None) -> None:
    bound = {} if limit is None else {"limit": limit}
    client.call("SetQuota", {"scope": "default", "quota": "jobs_running", "reason": "test", **bound})


def test_a_paused_job_stays_paused_over_a_restart_and_says_so(own):
    with qubus.Client(own.endpoint) as client:
        # Nothing of the tenant may run, so that what is submitted waits for certain.
        running_limit(client, 0)
        job = client.submit(BELL, shots=10)
        (quota,) = job.explain()
        assert quota.kind == "QUOTA" and "0 of 0 jobs" in quota.detail
        info = job.pause("after lunch")
        assert (info.status, info.reason) == ("queued", "PAUSED")
        before = {each.kind: each.since for each in job.explain()}
        assert set(before) == {"PAUSED", "QUOTA"}
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        job = client.job(job.id)
        after = {each.kind: each.since for each in job.explain()}
        assert after["PAUSED"] == before["PAUSED"]
        told = cli(own, "explain", job.id, "-o", "table")
        assert "because somebody paused it (PAUSED)" in told and "(QUOTA)" in told
        running_limit(client, None)
        assert client.submit(BELL, shots=10).wait(timeout=30) == "succeeded"
        assert [each.kind for each in job.explain()] == ["PAUSED"]
        assert job.status() == "queued"
        assert json.loads(cli(own, "resume", job.id, "--reason", "now"))["status"] != "canceled"
        assert job.wait(timeout=30) == "succeeded"
        assert job.explain() == []


def test_weights_are_set_while_the_daemon_runs_and_wrong_ones_are_refused(own):
    with qubus.Client(own.endpoint) as client:
        answer = client.call("SetWeight", {"scope": "default", "weight": 2.5, "reason": "test"})
        assert answer.scope == "default" and answer.weight == 2.5
        for wrong in (0, -1, 1e7):
            with pytest.raises(qubus.ValidationError) as caught:
                client.call("SetWeight", {"scope": "default", "weight": wrong})
            assert caught.value.name == "invalid_request" and "0.001 to 1000000" in str(caught.value)
        told = cli(own, "admin", "weight", "default", "3")
        assert json.loads(told)["weight"] == 3
        for wrong, code in (("0", 65), ("nan", 64), ("inf", 64), ("much", 64)):
            cli(own, "admin", "weight", "default", wrong, code=code)
        assert "weight" not in json.loads(cli(own, "admin", "weight", "default"))
        principal = json.loads(cli(own, "whoami"))["principal"]
        cli(own, "admin", "grant", principal, "auditor", "--scope", "everything")
        entries = json.loads(cli(own, "audit", "list"))["records"]
        subjects = [each["subject"] for each in entries if each["method"] == "SetWeight"]
        assert [text.split(": ")[1] for text in subjects] == ["2.5", "3.0", "as configured"]
