"""Calendars of devices: windows that keep jobs waiting, over a restart of a daemon of our own."""
from __future__ import annotations

import asyncio
import datetime
import json
import os
import subprocess
import time

import pytest

import qubus
from conftest import BELL, serving

DEVICE = "sim.statevector"
HOUR = 3_600_000_000


@pytest.fixture
def own(daemon, tmp_path):
    yield from serving(type(daemon), daemon.binary, tmp_path)


def cli(own, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [own.binary.parent / "qubus", *arguments], capture_output=True, text=True, timeout=30,
        env={**os.environ, "QUBUS_ENDPOINT": own.endpoint})
    assert done.returncode == code, done.stderr
    return done.stdout


def make_lab(client) -> None:
    client.call("CreateTenant", {"name": "lab"})
    client.call("CreateProject", {"tenant": "lab", "name": "qc"})


def waits(job, kind: str):
    """The constraint of that kind, as soon as the job has it as its reason."""
    for event in job.events(timeout=30):
        if event.reason == kind:
            break
    (constraint,) = job.explain()
    assert constraint.kind == kind
    return constraint


def test_maintenance_keeps_jobs_waiting_over_a_restart_until_it_is_canceled(own):
    with qubus.Client(own.endpoint) as client:
        window = json.loads(cli(own, "admin", "maintenance", DEVICE, "--for", "1h"))
        assert window["kind"] == "maintenance" and window["holder"] == ""
        assert window["ends_at"] - window["starts_at"] == HOUR
        job = client.submit(BELL, shots=10)
        constraint = waits(job, "MAINTENANCE")
        assert 0 < constraint.delay_microseconds <= HOUR
        assert "is in maintenance" in constraint.detail
        assert (job.info().status, job.info().reason) == ("queued", "MAINTENANCE")
    assert own.stop() == 0
    own.start()
    with qubus.Client(own.endpoint) as client:
        (found,) = client.reservations()
        assert found.reservation_id == window["reservation_id"] and found.device == DEVICE
        job = client.job(job.id)
        assert waits(job, "MAINTENANCE").delay_microseconds <= HOUR
        assert "(MAINTENANCE)" in cli(own, "explain", job.id, "-o", "table")
        cli(own, "reservation", "cancel", found.reservation_id, "--reason", "done early")
        assert job.wait(timeout=30) == "succeeded"
        assert client.reservations() == []


def test_a_reservation_of_others_is_theirs_and_one_of_ones_own_runs_jobs(own):
    with qubus.Client(own.endpoint) as client:
        make_lab(client)
        theirs = client.reserve(DEVICE, 600, holder="lab/qc", reason="demo")
        assert theirs.holder == "lab/qc" and not theirs.get("is_shared")
        job = client.submit(BELL, shots=10)
        constraint = waits(job, "RESERVED")
        assert "lab" not in f"{constraint.detail} {constraint.remedy}"
        longer = client.extend_reservation(theirs.reservation_id, 60)
        assert longer.ends_at == theirs.ends_at + 60_000_000
        with pytest.raises(qubus.ConflictError) as caught:
            client.reserve(DEVICE, 60)
        assert caught.value.name == "reservation_conflict" and "lab" not in str(caught.value)
        assert client.cancel_reservation(theirs.reservation_id).ends_at == longer.ends_at
        assert job.wait(timeout=30) == "succeeded"
        mine = client.reserve(DEVICE, 600, shared=True)
        assert mine.holder == "default/default" and mine.is_shared
        assert client.submit(BELL, shots=10).wait(timeout=30) == "succeeded"
        listed = cli(own, "reservation", "list", DEVICE, "-o", "table")
        assert mine.reservation_id in listed and "shared reservation" in listed
        client.cancel_reservation(mine.reservation_id)
        # Far enough ahead: what runs now has ended by then.
        start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
        later = client.reserve(DEVICE, 60, start=start, holder="lab/qc")
        assert later.starts_at == int(start.timestamp() * 1e6 + 0.5)
        assert client.submit(BELL, shots=10).wait(timeout=30) == "succeeded"
        methods = [each["method"] for each in audit(own)]
        assert methods.count("CreateReservation") == 3
        assert methods.count("ExtendReservation") == 1 and methods.count("CancelReservation") == 2


def audit(own) -> list[dict]:
    principal = json.loads(cli(own, "whoami"))["principal"]
    cli(own, "admin", "grant", principal, "auditor", "--scope", "everything")
    return json.loads(cli(own, "audit", "list"))["records"]


def test_windows_that_cannot_be_are_refused_and_nothing_is_changed(own):
    with qubus.Client(own.endpoint) as client:
        epoch = datetime.datetime(2001, 1, 1)
        far = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=400)
        cases = [
            (dict(seconds=0), "invalid_reservation"), (dict(seconds=-5), "invalid_reservation"),
            (dict(seconds=8 * 86_400), "invalid_reservation"),
            (dict(seconds=60, start=epoch), "invalid_reservation"),
            (dict(seconds=60, start=far), "invalid_reservation"),
            (dict(seconds=60, device="qpu.none"), "unknown_device"),
            (dict(seconds=60, holder="default"), "invalid_reservation"),
            (dict(seconds=60, holder="default/none"), "project_not_found"),
            (dict(seconds=60, holder="lab/qc"), "tenant_not_found"),
        ]
        for options, name in cases:
            with pytest.raises(qubus.QubusError) as caught:
                client.reserve(options.pop("device", DEVICE), **options)
            assert caught.value.name == name, options
        for wrong in (float("nan"), float("inf")):
            for attempt in (
                lambda: client.reserve(DEVICE, wrong),
                lambda: client.extend_reservation("018f3f5e-7c1a-7000-8000-0123456789ab", wrong),
            ):
                with pytest.raises(qubus.ValidationError) as caught:
                    attempt()
                assert caught.value.name == "invalid_reservation"
        for method in ("ExtendReservation", "CancelReservation"):
            with pytest.raises(qubus.AuthError) as caught:
                client.call(method, {
                    "reservation_id": "018f3f5e-7c1a-7000-8000-0123456789ab",
                    **({"seconds": 60} if method == "ExtendReservation" else {})})
            assert caught.value.name == "reservation_not_found"
        for length in ("0", "nan", "-5", "5x", "", "1e9"):
            cli(own, "reservation", "create", DEVICE, f"--for={length}",
                code=65 if length == "0" else 64)
        assert client.reservations() == []


def test_a_window_that_begins_soon_lets_short_jobs_by_and_then_binds(own):
    async def work() -> None:
        async with await qubus.connect(own.endpoint) as client:
            # A Bell job is expected to take microseconds: it ends before the window begins.
            window = await client.reserve(
                DEVICE, 600, start=datetime.datetime.fromtimestamp(
                    time.time() + 3600, datetime.timezone.utc), holder="lab/qc")
            job = await client.submit(BELL, shots=10)
            assert await job.wait(timeout=30) == "succeeded"
            assert [each.reservation_id for each in await client.reservations(DEVICE)] == [
                window.reservation_id]
            longer = await client.extend_reservation(window.reservation_id, 30)
            assert (await client.cancel_reservation(window.reservation_id)).ends_at == longer.ends_at

    with qubus.Client(own.endpoint) as client:
        make_lab(client)
    asyncio.run(work())
