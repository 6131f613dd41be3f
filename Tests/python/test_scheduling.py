"""Why a job waits, pauses and weights, over a restart of a daemon of our own."""
from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

import qubus
from conftest import BELL, ROOT, serving
from test_service import LONG


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


def test_waiting_jobs_are_told_their_start_and_the_quotes_are_scored_over_a_restart(own):
    with qubus.Client(own.endpoint) as client:
        assert client.eta_report().get("since") is None
        blocker = client.submit(LONG, shots=1_000_000, priority="batch")
        waiting = [client.submit(LONG, shots=20, seed=seed, priority="batch") for seed in (1, 2)]
        info = waiting[-1].info()
        assert info.estimated_start_p10_at <= info.estimated_start_at <= info.estimated_start_p90_at
        assert info.estimated_end_p10_at <= info.estimated_end_at <= info.estimated_end_p90_at
        assert info.estimated_start_p90_at < info.estimated_end_p90_at
        assert info.estimate_confidence == 0.8
        # Forecasts take a tenth of a core at most: the next one may have to wait.
        until = time.monotonic() + 30
        plan = client.plan(LONG, shots=20, priority="batch")
        while plan.get("estimated_start_p10_at") is None and time.monotonic() < until:
            time.sleep(0.02)
            plan = client.plan(LONG, shots=20, priority="batch")
        assert plan.estimated_start_p10_at <= plan.estimated_start_at <= plan.estimated_end_p90_at
        assert "should start" in cli(own, "get", waiting[-1].id, "-o", "table")
        assert "in eight of ten cases between" in cli(own, "explain", waiting[-1].id, "-o", "table")
        late = client.submit(LONG, shots=20, priority="batch", deadline_seconds=0.001)
        assert blocker.info().estimated_start_p10_at is None
        blocker.cancel()
        for job in waiting:
            assert job.wait(timeout=60) == "succeeded"
        assert late.wait(timeout=60) == "expired" and late.info().reason == "DEADLINE"
        (notice,) = [each for each in late.info().notices if "hardly be kept" in each]
        assert notice in [event.details.get("message") for event in late.events(timeout=30)]
        assert waiting[-1].info().estimated_start_p10_at is None
        with pytest.raises(qubus.ValidationError) as caught:
            client.submit(BELL, shots=1, deadline_seconds=-1)
        assert caught.value.name == "invalid_request" and "deadline_seconds" in str(caught.value)
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        report = client.eta_report()
        assert report.confidence == 0.8 and report.since > 0
        assert [each.lane for each in report.scores] == ["all", "batch"]
        assert report.scores[0].scored >= 1 and report.scores[0].quotes >= report.scores[0].scored
        assert "covered percent" in cli(own, "eta-report", "-o", "table")
        header, *rows = cli(own, "eta-report", "-o", "csv").splitlines()
        assert header == "lane,quotes,scored,covered_percent,mean_width,mean_error"
        assert [row.split(",")[0] for row in rows] == ["all", "batch"]


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


def test_jobs_start_after_others_over_a_restart(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        first = client.submit(BELL, shots=10)
        second = client.submit(BELL, shots=10, after=[first])
        third = client.submit(BELL, shots=10, after=[second.id], after_ok=[first])
        info = third.info()
        assert (info.status, info.reason) == ("queued", "DEPENDENCY")
        queued = list(each for each in events_so_far(third) if each.status == "queued")[-1]
        assert queued.reason == "DEPENDENCY"
        before = {each.kind: each.since for each in third.explain()}
        assert set(before) == {"DEPENDENCY", "QUOTA"}
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        third = client.job(third.id)
        after = {each.kind: each for each in third.explain()}
        assert after["DEPENDENCY"].since == before["DEPENDENCY"]
        assert f"job {first.id}, which is queued and has to succeed" in after["DEPENDENCY"].detail
        assert f"job {second.id}, which is queued" in after["DEPENDENCY"].detail
        assert "(DEPENDENCY)" in cli(own, "explain", third.id, "-o", "table")
        running_limit(client, None)
        assert third.wait(timeout=30) == "succeeded"
        ends = [client.job(job.id).info().phases for job in (first, second, third)]
        assert ends[0].finished_at <= ends[1].started_at
        assert ends[1].finished_at <= ends[2].started_at
        assert third.explain() == []


def events_so_far(job):
    """Events of a job that goes on, up to the newest there is now."""
    last = job.info().last_sequence
    for event in job.events(timeout=30):
        yield event
        if event.sequence >= last:
            return


def test_a_job_whose_dependency_does_not_succeed_is_canceled_and_says_why(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        first = client.submit(BELL, shots=10)
        told = json.loads(cli(
            own, "submit", str(ROOT / "Tests/cli/programs/bell.qasm"), "--after-ok", first.id,
            "-o", "json"))
        second = client.job(told["jobs"][0]["job_id"])
        third = client.submit(BELL, shots=10, after=[second])
        first.cancel()
        assert second.wait(timeout=30) == "canceled"
        with pytest.raises(qubus.ConflictError) as caught:
            second.result(timeout=10)
        assert caught.value.name == "dependency_failed"
        assert first.id in str(caught.value) and "canceled" in str(caught.value)
        assert second.info().reason == "DEPENDENCY_FAILED"
        running_limit(client, None)
        assert third.wait(timeout=30) == "succeeded"
        # One that has ended already decides at once.
        late = client.submit(BELL, shots=10, after_ok=[third, first])
        assert late.wait(timeout=30) == "canceled"
        assert client.submit(BELL, shots=10, after_ok=[third]).wait(timeout=30) == "succeeded"


def test_jobs_to_wait_for_that_are_not_there_are_refused_by_field(own):
    unknown = "01890000-0000-7000-8000-000000000000"
    with qubus.Client(own.endpoint) as client:
        job = client.submit(BELL, shots=10)
        for options, field, name in (
            ({"after": [job, unknown]}, "after[1]", "job_not_found"),
            ({"after_ok": [unknown]}, "after_ok[0]", "job_not_found"),
            ({"after": [job], "after_ok": [job]}, "after_ok[0]", "invalid_request"),
            ({"after": ["me"]}, "after[0]", "invalid_identifier"),
            ({"after": [unknown] * 65}, "after", "invalid_request"),
        ):
            for ask in (client.submit, client.plan):
                with pytest.raises(qubus.QubusError) as caught:
                    ask(BELL, shots=10, **options)
                assert caught.value.name == name
                assert caught.value.violations[0]["field"].removeprefix("job.") == field
        assert len(list(client.jobs())) == 1
        told = subprocess.run(
            [own.binary.parent / "qubus", "submit", ROOT / "Tests/cli/programs/bell.qasm",
             "--after", unknown], capture_output=True, text=True, timeout=30,
            env={**os.environ, "QUBUS_ENDPOINT": own.endpoint})
        assert told.returncode != 0 and "after[0]" in told.stderr


def test_an_operator_holds_a_job_until_an_operator_releases_it(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        job = client.submit(BELL, shots=10)
        info = job.hold("look at this")
        assert (info.status, info.reason) == ("queued", "HELD")
        job.pause()
        assert job.info().reason == "HELD"
        assert {each.kind for each in job.explain()} == {"HELD", "PAUSED", "QUOTA"}
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        job = client.job(job.id)
        running_limit(client, None)
        assert client.submit(BELL, shots=10).wait(timeout=30) == "succeeded"
        assert "because an operator holds it (HELD)" in cli(own, "explain", job.id, "-o", "table")
        assert job.resume().reason == "HELD"
        with pytest.raises(qubus.QubusError) as caught:
            job.resume()
        assert caught.value.name == "illegal_transition"
        assert "an operator holds it" in str(caught.value)
        told = json.loads(cli(own, "admin", "release", job.id, "--reason", "seen"))
        assert told["job_id"] == job.id and told.get("reason", "") == ""
        assert job.wait(timeout=30) == "succeeded"
        cli(own, "admin", "hold", job.id, code=73)
        with pytest.raises(qubus.QubusError) as caught:
            job.release()
        assert caught.value.name == "illegal_transition"
        principal = json.loads(cli(own, "whoami"))["principal"]
        cli(own, "admin", "grant", principal, "auditor", "--scope", "everything")
        entries = json.loads(cli(own, "audit", "list"))["records"]
        found = [(each["method"], each["reason"]) for each in entries if each["action"] == "jobs.hold"]
        assert found == [("HoldJob", "look at this"), ("ReleaseJob", "seen")]
