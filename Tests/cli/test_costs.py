"""Prices, credit, budgets and usage from the command line."""

import csv
import io
import json

import pytest
from conftest import PROGRAMS, Daemon, clean_environment, run

BELL = PROGRAMS / "bell.qasm"
DEVICE = "sim.statevector"
PLACE = "default/default"


@pytest.fixture
def ask(short_dir):
    """Asks a daemon of its own; `ask.restart()` kills it and starts it again."""
    arguments = (short_dir / "data", "--threads", "1", "--listen", f"ipc://{short_dir}/q.sock")
    daemons = [Daemon(*arguments)]

    def call(*command, status=0, form="json"):
        done = run(
            *command, "-o", form,
            env=clean_environment(QUBUS_ENDPOINT=daemons[-1].endpoint))
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if form == "json" else done.stdout

    def restart():
        daemons[-1].process.kill()
        daemons[-1].process.communicate()
        daemons.append(Daemon(*arguments))

    call.restart = restart
    yield call
    status, _, _, err = daemons[-1].stop()
    assert status == 0, err


def job(ask, *options):
    return ask("get", ask("run", BELL, *options)["job_id"])


def test_without_a_price_a_job_has_no_cost(ask):
    assert "cost" not in job(ask) and "cost" not in ask("plan", BELL)
    assert ask("usage")["total"].get("jobs", 0) in (0, "0")


def test_prices_holds_settlements_and_usage_agree(ask):
    ask("admin", "price", DEVICE, "--per-job", 1000, "--per-shot", 5)
    plan = ask("plan", BELL, "--shots", 100)
    assert (int(plan["cost"]), int(plan["cost_held"])) == (1500, 1500)
    one = job(ask, "--shots", 100, "--tag", "a", "--tag", "b")
    two = job(ask, "--shots", 10, "--tag", "a")
    assert [int(done["cost"]) for done in (one, two)] == [1500, 1050]
    ask.restart()
    usage = ask("usage", "--by", "tag")
    assert {row["key"]: int(row["cost"]) for row in usage["rows"]} == {"a": 2550, "b": 1500}
    assert int(usage["total"]["cost"]) == 2550
    table = ask("usage", "--by", "job", form="csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["job"]: int(row["cost"]) for row in rows} == {
        one["job_id"]: 1500, two["job_id"]: 1050}
    metrics = {row["name"]: row for row in ask("usage", "--metrics")["metrics"]}
    assert metrics["cost_per_successful_job"] == {
        "name": "cost_per_successful_job", "value": 1275.0, "denominator": 2.0,
        "unit": "successful_jobs"}
    assert metrics["cost_per_validated_benchmark"]["value"] is None
    ask("admin", "price", DEVICE)
    assert "cost" not in job(ask)


def test_credit_and_caps_refuse_with_figures(ask):
    ask("admin", "price", DEVICE, "--per-shot", 1)
    ask("admin", "credit", PLACE, 150, "--reason", "contract 17")
    job(ask, "--shots", 100)
    error = ask("run", BELL, "--shots", 51, status=75)["error"]
    assert error["name"] == "insufficient_credit"
    ask("admin", "credit", PLACE, 1000, "--every", 30)
    ask("admin", "budget", "set", PLACE, "--period", "month", "--soft", 100, "--hard", 300)
    ask.restart()
    assert any("soft cap" in notice for notice in job(ask, "--shots", 51)["notices"])
    error = ask("run", BELL, "--shots", 150, status=75)["error"]
    assert error["name"] == "budget_exceeded"
    (budget,) = ask("admin", "budget", "list")["budgets"]
    assert (int(budget["used"]), budget["is_past_soft_cap"]) == (151, True)


def test_a_device_of_another_tenant_is_not_there(ask):
    ask("admin", "tenants", "create", "lab")
    assert ask("admin", "dedicate", DEVICE, "lab")["tenant"] == "lab"
    ask.restart()
    error = ask("run", BELL, status=65)["error"]
    assert error["name"] == "unknown_device"
    # Who manages devices sees all of them, and whose they are.
    (device,) = ask("devices")["devices"]
    assert device["tenant"] == "lab"
    assert ask("admin", "dedicate", DEVICE).get("tenant", "") == ""
    job(ask)


def test_a_quota_of_a_family_of_devices(ask):
    limit = ("admin", "quota", "set", "default", "shots_per_day")
    assert ask(*limit, 150, "--device-family", "sim")["device_family"] == "sim"
    ask(*limit, 10, "--device-family", "qpu")
    job(ask, "--shots", 100)
    ask.restart()
    error = ask("run", BELL, "--shots", 51, status=75)["error"]
    details = error["details"]
    assert (details["scope"], details["used"], details["limit"]) == ("default on sim", "100", "150")
    ask("admin", "quota", "lift", "default", "shots_per_day", "--device-family", "sim")
    job(ask, "--shots", 51)


@pytest.mark.parametrize(
    "name, status, arguments",
    [
        ("invalid_request", 65, ("price", DEVICE, "--per-shot=-1")),
        ("invalid_request", 65, ("price", DEVICE, "--per-job", 10**12 + 1)),
        ("unknown_device", 65, ("price", "sim.none", "--per-shot", 1)),
        ("unknown_device", 65, ("dedicate", "sim.none", "default")),
        ("tenant_not_found", 77, ("dedicate", DEVICE, "nowhere")),
        ("invalid_request", 65, ("quota", "set", PLACE, "sessions", 1, "--device-family", "sim")),
        ("invalid_request", 65, ("credit", PLACE, 0)),
        ("project_not_found", 77, ("credit", "default/nowhere", 1)),
        ("invalid_request", 65, ("budget", "set", PLACE, "--hard=-1")),
    ])
def test_nonsense_is_refused(ask, name, status, arguments):
    assert ask("admin", *arguments, status=status)["error"]["name"] == name
