"""Drains, changes of waiting jobs, batches and resubmits on a daemon of our own that restarts."""
from __future__ import annotations

import asyncio
import json
import os
import subprocess

import pytest

import qubus
from conftest import BELL, ROOT, serving

DEVICE = "sim.statevector"
BELL_FILE = str(ROOT / "Tests/cli/programs/bell.qasm")
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def own(daemon, tmp_path):
    yield from serving(type(daemon), daemon.binary, tmp_path)


def cli(own, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [own.binary.parent / "qubus", *arguments], capture_output=True, text=True, timeout=30,
        env={**os.environ, "QUBUS_ENDPOINT": own.endpoint})
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def running_limit(client, limit: int | None) -> None:
    bound = {} if limit is None else {"limit": limit}
    client.call("SetQuota", {"scope": "default", "quota": "jobs_running", "reason": "test", **bound})


def test_a_drained_device_starts_nothing_over_a_restart_and_tells_who_and_why(own):
    told = json.loads(cli(own, "admin", "drain", DEVICE, "--reason", "a leak"))
    assert told["is_drained"] and told["drain_reason"] == "a leak"
    with qubus.Client(own.endpoint) as client:
        job = client.submit(BELL, shots=10)
        info = job.info()
        assert (info.status, info.reason) == ("queued", "DEVICE_OFFLINE")
        (constraint,) = job.explain()
        assert constraint.kind == "DEVICE_OFFLINE"
        assert told["drained_by"] in constraint.detail and "a leak" in constraint.detail
        assert constraint.since == told["drained_since"]
        with pytest.raises(qubus.BackendError) as caught:
            client.session('OPENQASM 3.0; include "stdgates.inc"; qubit q; x q;', observables=[("Z", 1.0)])
        assert caught.value.name == "device_offline" and "a leak" in str(caught.value)
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        device = client.device(DEVICE)
        assert device.state == "offline" and device.drain_reason == "a leak"
        assert device.drained_since == told["drained_since"]
        job = client.job(job.id)
        assert [each.kind for each in job.explain()] == ["DEVICE_OFFLINE"]
        assert "drained by" in cli(own, "devices", "-o", "table")
        assert "(DEVICE_OFFLINE)" in cli(own, "explain", job.id, "-o", "table")
        cli(own, "admin", "undrain", DEVICE)
        assert job.wait(timeout=30) == "succeeded"
        assert client.device(DEVICE).state == "online"
        assert "illegal_transition" in cli(own, "admin", "undrain", DEVICE, code=73)
        assert "unknown_device" in cli(
            own, "admin", "drain", "qpu.mars", "--reason", "x", code=65)
        assert "missing_field" in cli(own, "admin", "drain", DEVICE, "--reason", "", code=65)
        cli(own, "admin", "drain", DEVICE, code=64)
        principal = json.loads(cli(own, "whoami"))["principal"]
        cli(own, "admin", "grant", principal, "auditor", "--scope", "everything")
        entries = json.loads(cli(own, "audit", "list"))["records"]
        subjects = [each["subject"] for each in entries if each["method"] == "DrainDevice"]
        assert subjects == [f"device {DEVICE}: drained", f"device {DEVICE}: not drained any more"]


def test_a_waiting_job_gets_another_lane_and_priority_over_a_restart(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        job, other = client.submit(BELL, shots=10), client.submit(BELL, shots=10)
        info = job.change(lane="long", priority=-3, reason="no hurry")
        assert (info.lane, info.priority, info.status) == ("long", -3, "queued")
        told = json.loads(cli(own, "change", other.id, "--lane", "batch", "--priority", "7"))
        assert (told["lane"], told["priority"]) == ("batch", 7)
        for changes, name, field in (
            ({"lane": "express"}, "invalid_enum_value", "lane"),
            ({"lane": "overdue"}, "invalid_enum_value", "lane"),
            ({"priority": 11}, "invalid_request", "priority"),
            ({"priority": -11}, "invalid_request", "priority"),
            ({"device": "qpu.mars"}, "unknown_device", "device"),
            ({}, "missing_field", "lane"),
        ):
            with pytest.raises(qubus.QubusError) as caught:
                job.change(**changes)
            assert caught.value.name == name, changes
            assert caught.value.violations[0]["field"] == field
        with pytest.raises(qubus.JobNotFoundError):
            client.job(UNKNOWN).change(priority=1)
        cli(own, "change", job.id, code=64)
        cli(own, "change", job.id, "--priority", "high", code=64)
        assert "invalid_request" in cli(own, "change", job.id, "--priority=-11", code=65)
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        info = client.job(job.id).info()
        assert (info.lane, info.priority) == ("long", -3)
        lanes = {lane.lane: lane.jobs_queued for lane in client.queue_policy().lanes}
        assert lanes["long"] == 1 and lanes["batch"] == 1
        running_limit(client, None)
        job = client.job(job.id)
        assert job.wait(timeout=30) == "succeeded"
        moved = [event for event in job.events() if event.type == "queue.moved"]
        details = [event.details for event in moved if event.details]
        assert {"lane": "long", "priority": "-3", "message": "no hurry"}.items() <= details[0].items()
        with pytest.raises(qubus.ConflictError) as caught:
            job.change(priority=1)
        assert caught.value.name == "job_already_finished"


def test_a_batch_is_listed_and_canceled_as_one(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        alone = client.submit(BELL, shots=10)
        jobs = client.submit_batch([{"source": BELL, "shots": 10} for _ in range(3)])
        batch = jobs[0].info().batch_id
        assert batch and all(job.info().batch_id == batch for job in jobs)
        assert alone.info().batch_id == ""
        assert {job.id for job in client.jobs(batch=batch)} == {job.id for job in jobs}
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        listed = json.loads(cli(own, "list", "--batch", batch))["jobs"]
        assert {job["job_id"] for job in listed} == {job.id for job in jobs}
        assert client.cancel_batch(batch, "wrong angle") == (3, 0, 0)
        assert {job.status() for job in client.jobs(batch=batch)} == {"canceled"}
        assert client.cancel_batch(batch) == (0, 0, 3)
        assert client.job(alone.id).status() == "queued"
        with pytest.raises(qubus.JobNotFoundError) as caught:
            client.cancel_batch(UNKNOWN)
        assert caught.value.violations[0]["field"] == "batch_id"
        # Several files of the command line are a batch too.
        told = json.loads(cli(own, "submit", BELL_FILE, BELL_FILE))
        batch = client.job(told["jobs"][0]["job_id"]).info().batch_id
        answer = json.loads(cli(own, "cancel", "--batch", batch, "--reason", "enough"))
        assert (answer["before_start"], answer["too_late"]) == (2, 0)
        cli(own, "cancel", code=64)
        cli(own, "cancel", alone.id, "--batch", batch, code=64)
        assert "invalid_identifier" in cli(own, "cancel", "--batch", "nonsense", code=65)
        running_limit(client, None)
        assert client.job(alone.id).wait(timeout=30) == "succeeded"


def test_an_ended_job_is_submitted_again_and_linked(own):
    with qubus.Client(own.endpoint) as client:
        running_limit(client, 0)
        first = client.submit(BELL, shots=77, seed=5, name="bell", idempotency_key="first")
        with pytest.raises(qubus.ConflictError) as caught:
            first.resubmit()
        assert caught.value.name == "illegal_transition"
        first.cancel()
        running_limit(client, None)
        again = first.resubmit(idempotency_key="second")
        assert again.result(timeout=30).counts == client.submit(
            BELL, shots=77, seed=5).result(timeout=30).counts
        info = again.info()
        assert (info.resubmit_of, info.name, info.seed) == (first.id, "bell", 5)
        assert first.resubmit(idempotency_key="second").id == again.id
        told = json.loads(cli(own, "resubmit", again.id))
        assert told["resubmit_of"] == again.id
        table = cli(own, "get", again.id, "-o", "table").splitlines()
        assert any(line.split() == ["resubmit", "of", first.id] for line in table)
        with pytest.raises(qubus.JobNotFoundError):
            client.job(UNKNOWN).resubmit()
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        assert client.job(again.id).info().resubmit_of == first.id


def test_the_same_as_coroutines(own):
    async def main() -> None:
        async with await qubus.connect(own.endpoint) as client:
            assert (await client.queue_policy()).compute_slots >= 1
            await client.call(
                "SetQuota", {"scope": "default", "quota": "jobs_running", "limit": 0})
            job = await client.submit(BELL, shots=10)
            assert (await job.change(lane="batch", priority=1)).priority == 1
            await job.cancel()
            again = await job.resubmit()
            assert (await again.info()).resubmit_of == job.id
            with pytest.raises(qubus.JobNotFoundError):
                await client.cancel_batch(UNKNOWN)

    asyncio.run(main())
