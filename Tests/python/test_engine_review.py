"""What a review of the planned engine found; each was wrong once."""
import math
import threading
import time

import pytest

import qubus

ENDED = {"succeeded", "failed", "canceled", "expired"}
HEAD = 'OPENQASM 3;\ninclude "stdgates.inc";\n'


def probabilities(client, source):
    return list(client.submit(HEAD + source, probabilities=True).result(timeout=30)
                .pubs[0].probabilities)


@pytest.mark.parametrize("source, expected", [
    ("bit[2] c; qubit[2] q; x q[0];", [1, 0, 0, 0]),
    ('bit[2] c = "00"; qubit[2] q; x q[0]; c[1] = true;', [0, 0, 1, 0]),
    ("bit[1] c; qubit[2] q; x q[0];", [1, 0]),
    ("qubit[2] q; x q[0];", [0, 1, 0, 0]),
])
def test_probabilities_are_over_the_classical_bits_when_there_are_any(client, source, expected):
    assert probabilities(client, source) == pytest.approx(expected)


def test_probabilities_without_bits_or_a_final_state_are_refused(client):
    with pytest.raises(qubus.QubusError) as caught:
        client.submit(HEAD + "qubit[2] q; h q[0]; reset q[0]; x q[1];", probabilities=True)
    assert caught.value.name == "invalid_outputs"


def test_many_values_of_a_tiny_circuit_run_beside_other_calls(client, daemon):
    """That they run on no thread that others wait for is checked by the engine's ImmediateTests."""
    source = HEAD + "input float a; qubit[1] q; rx(a) q[0];"
    angles = [[0.001 * i] for i in range(500)]
    observables = [[("Z", 0.001 * i)] for i in range(500)]
    jobs = []

    def submit():
        for _ in range(2):
            jobs.append(client.submit(source, parameters={"a": angles}, observables=observables))

    thread = threading.Thread(target=submit)
    with qubus.Client(daemon.endpoint) as other:
        thread.start()
        while thread.is_alive() or not all(job.status() in ENDED for job in jobs):
            assert other.health()
        thread.join()
    for job in jobs:
        values = job.result(timeout=60).pubs[0].expectation_values
        assert values.shape == (500, 500)
        assert values[100][200] == pytest.approx(0.2 * math.cos(0.1))
        kinds = [event.status for event in job.events(timeout=30)]
        assert kinds.index("queued") < kinds.index("running") < kinds.index("succeeded")


def test_a_job_stops_while_its_plan_is_made(client):
    source = (HEAD + "qubit[10] q; bit[10] c; for int i in [1:200000] { U(0.1,0.2,0.3) q[i%10];"
              " cx q[i%10],q[(i+1)%10]; rx(0.1*i) q[(i+3)%10]; } c = measure q;")
    job = client.submit(source, shots=10)
    for event in job.events(timeout=30):
        if event.status == "running":
            break
    start = time.monotonic()
    job.cancel()
    assert job.wait(timeout=30) == "canceled"
    assert time.monotonic() - start < 1
