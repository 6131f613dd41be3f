"""The rules of the queue, as every user sees them."""
from __future__ import annotations

import json
import os
import subprocess

import pytest

import qubus
from conftest import BELL, serving


@pytest.fixture
def own(daemon, tmp_path):
    yield from serving(type(daemon), daemon.binary, tmp_path)


def cli(own, *arguments: str) -> str:
    done = subprocess.run(
        [own.binary.parent / "qubus", *arguments], capture_output=True, text=True, timeout=30,
        env={**os.environ, "QUBUS_ENDPOINT": own.endpoint})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_rules_in_force_are_told_with_the_weights_of_ones_own_path(own):
    with qubus.Client(own.endpoint) as client:
        policy = client.queue_policy()
        lanes = {lane.lane: lane for lane in policy.lanes}
        assert set(lanes) == {"reserved", "overdue", "interactive", "batch", "long"}
        assert sum(lane.share for lane in policy.lanes) == pytest.approx(1)
        assert lanes["overdue"].share >= 0.1 and "overdue_after_seconds" not in lanes["overdue"]
        assert lanes["batch"].overdue_after_seconds == 86_400
        assert policy.usage_half_life_seconds == 7 * 86_400 and policy.largest_usage_factor == 4
        assert policy.max_run_seconds is None and policy.compute_slots >= 1
        scopes = [standing.scope for standing in policy.standings]
        assert scopes[:2] == ["default", "default/default"] and len(scopes) == 3
        assert [standing.weight for standing in policy.standings] == [1, 1, 1]
        client.call("SetWeight", {"scope": "default", "weight": 2.5, "reason": "test"})
        client.submit(BELL, shots=10).result(timeout=30)
        assert client.queue_policy().standings[0].weight == 2.5
    told = cli(own, "queue-policy", "-o", "table")
    assert "interactive" in told and "2.5" in told and "counts half after" in told
    assert len(json.loads(cli(own, "queue-policy"))["lanes"]) == 5
    assert cli(own, "queue-policy", "-o", "csv").startswith(
        "lane,share,overdue_after,queued,limit,takes\n")
