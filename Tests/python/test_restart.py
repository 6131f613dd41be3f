"""A restart of the daemon under a client that waits."""
import pytest

import qubus
from conftest import BELL, Daemon, serving
from test_service import LONG


@pytest.fixture
def own_daemon(daemon, tmp_path):
    """A daemon of its own, which the test may stop and start."""
    yield from serving(Daemon, daemon.binary, tmp_path)


def test_jobs_events_and_results_survive_a_restart(own_daemon):
    with qubus.Client(own_daemon.endpoint) as client:
        done = client.submit(BELL, shots=1000, seed=3)
        before = done.result(timeout=30)
        job = client.submit(LONG, shots=1000, seed=8)
        seen = []
        for event in job.events(timeout=60):
            seen.append(event.sequence)
            if event.status == "running" and own_daemon.process.poll() is None and len(seen) < 8:
                assert own_daemon.stop() == 0
                own_daemon.start()
        assert seen == list(range(1, len(seen) + 1))
        after = done.result(timeout=30)
        assert after.counts == before.counts and after.execution_hash == before.execution_hash
        interrupted = job.result(timeout=60)
        undisturbed = client.submit(LONG, shots=1000, seed=8).result(timeout=60)
        assert interrupted.counts == undisturbed.counts
        assert interrupted.execution_hash == undisturbed.execution_hash
