"""Single precision from the request to the result and its replay."""
import numpy
import pytest

import qubus

ANSATZ = """OPENQASM 3;
include "stdgates.inc";
input float a;
input float b;
qubit[12] q;
bit[12] c;
for int layer in [0:5] {
  for int k in [0:11] { ry(a + 0.3 * k) q[k]; rz(b - 0.2 * k) q[k]; }
  for int k in [0:10] { cx q[k], q[k + 1]; }
}
"""
SAMPLED = ANSATZ + "c = measure q;\n"
VALUES = {"a": 0.4, "b": 1.1}
OBSERVABLES = [("Z" * 12, 1.0), ("X" + "I" * 10 + "X", 0.5)]


def test_single_precision_is_close_to_double_and_says_what_it_is(client):
    results = {}
    for precision in ("double", "single"):
        job = client.submit(
            ANSATZ, parameters=VALUES, observables=OBSERVABLES, statevector=True,
            precision=precision)
        result = job.result(timeout=30)
        assert result.provenance["numeric_precision"] == precision
        results[precision] = result
    double, single = results["double"], results["single"]
    distance = numpy.linalg.norm(single.statevector - double.statevector)
    assert 0 < distance <= 2e-5
    assert numpy.allclose(single.expectation_values, double.expectation_values, atol=2e-5)
    drifts = {name: result.manifest["pubs"][0]["norm_drift"] for name, result in results.items()}
    assert drifts["double"] < 1e-12
    assert 1e-12 < drifts["single"] < 2e-5
    prints = [result.provenance["fingerprint"] for result in (double, single)]
    assert prints[0] != prints[1]


def test_a_replay_in_single_precision_is_identical(client):
    job = client.submit(SAMPLED, parameters=VALUES, shots=5000, seed=4, precision="single")
    result = job.result(timeout=30)
    replay = job.replay(timeout=30)
    assert replay.outcome == "identical", replay
    again = client.job(replay.job_id).result(timeout=30)
    assert again.provenance["numeric_precision"] == "single"
    assert again.execution_hash == result.execution_hash


def test_single_precision_takes_half_the_memory(client):
    source = 'OPENQASM 3; include "stdgates.inc"; qubit[24] q; h q[0];'
    bytes_needed = {
        precision: client.plan(
            source, observables=[("Z" * 24, 1.0)], precision=precision)["pubs"][0]["memory_bytes"]
        for precision in ("double", "single")}
    # Beside the state there is the plan, of some hundred bytes a gate.
    assert 0 <= 2 * int(bytes_needed["single"]) - int(bytes_needed["double"]) < 10_000


def test_a_precision_that_there_is_not_is_refused(client):
    with pytest.raises(qubus.QubusError) as caught:
        client.submit(ANSATZ, parameters=VALUES, observables=OBSERVABLES, precision="half")
    assert "half" in str(caught.value) and "single" in str(caught.value)
