"""The engine through the service: plans in provenance, instruction sets, rows, odd sizes."""
import os
import subprocess
import time

import numpy
import pytest

import qubus
from conftest import Daemon
from qubus.records import key_values

HEADER = 'OPENQASM 3;\ninclude "stdgates.inc";\n'


def layers(qubits: int, depth: int) -> str:
    lines = [f"{HEADER}qubit[{qubits}] q;\n"]
    for layer in range(depth):
        for k in range(qubits):
            lines.append(f"u3({0.1 + 0.37 * layer + 0.01 * k}, {0.3 * k}, {0.7 * layer}) q[{k}];\n")
        for k in range(layer % 2, qubits - 1, 2):
            lines.append(f"cx q[{k}], q[{k + 1}];\n")
    return "".join(lines)


@pytest.fixture
def switched(daemon, tmp_path, monkeypatch):
    """A daemon of its own whose instruction set a test chooses at each start."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Daemon(daemon.binary, data)

    def start(instruction_set: str) -> Daemon:
        if running.process is not None:
            assert running.stop() == 0
        monkeypatch.setenv("QUBUS_ISA", instruction_set)
        running.start()
        return running

    yield start
    assert running.stop() == 0


def test_the_plan_that_ran_stands_in_provenance(client):
    source = layers(6, 3)
    options = []
    for observable in ("ZZIIII", "XIIIIX"):
        result = client.submit(source, observables=[(observable, 1.0)]).result(timeout=30)
        options.append(key_values(result.provenance["compile_options"]))
    assert options[0] == options[1]
    assert set(options[0]) == {"front_end", "planner", "cost_table", "plan.0"}
    assert options[0]["planner"] == "1" and int(options[0]["cost_table"]) >= 1
    assert len(bytes.fromhex(options[0]["plan.0"])) == 32
    other = client.submit(layers(6, 4), observables=[("ZZIIII", 1.0)]).result(timeout=30)
    assert key_values(other.provenance["compile_options"])["plan.0"] != options[0]["plan.0"]
    single = client.submit(
        source, observables=[("ZZIIII", 1.0)], precision="single").result(timeout=30)
    assert key_values(single.provenance["compile_options"])["plan.0"] != options[0]["plan.0"]


def test_a_replay_under_another_instruction_set_is_not_comparable(switched):
    first = switched("reference")
    with qubus.Client(first.endpoint) as client:
        job_id = client.submit(layers(8, 6), statevector=True).id
        original = client.job(job_id).result(timeout=30)
        assert original.provenance["instruction_set"] == "reference"
        assert client.job(job_id).replay(timeout=30).outcome == "identical"
    second = switched("")
    with qubus.Client(second.endpoint) as client:
        replay = client.job(job_id).replay(timeout=30)
        again = client.job(replay.job_id).result(timeout=30)
        assert again.provenance["instruction_set"] != "reference"
        assert numpy.allclose(again.statevector, original.statevector, atol=1e-12)
        assert replay.outcome == "not_comparable", replay
        assert "reference" in replay.explanation


@pytest.mark.parametrize("name", ["sse9", "AVX2"])
def test_an_instruction_set_that_there_is_not_ends_the_start(daemon, tmp_path, name):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    done = subprocess.run(
        [daemon.binary, "--data-dir", data], env={**os.environ, "QUBUS_ISA": name},
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 78 and done.stdout == ""
    assert "QUBUS_ISA" in done.stderr and name in done.stderr and "baseline" in done.stderr


def test_rows_have_the_bits_that_they_have_alone(client):
    source = HEADER + """input float a;
input float b;
qubit[4] q;
bit[4] c;
for int k in [0:3] { ry(a * k + b) q[k]; }
cx q[0], q[1]; cx q[1], q[2]; crz(b) q[2], q[3]; rx(a) q[3];
"""
    rows = 3000
    random = numpy.random.default_rng(5)
    a, b = random.uniform(-3, 3, rows), random.uniform(-3, 3, rows)
    values = client.estimate(
        source, observables=[("ZZZZ", 0.5)], parameters={"a": a, "b": b},
        priority="batch", timeout=60).values
    assert values.shape == (rows,)
    for row in range(0, rows, 373):
        alone = client.estimate(
            source, observables=[("ZZZZ", 0.5)], parameters={"a": a[row], "b": b[row]}, timeout=30)
        assert float(alone.values) == values[row]


def test_many_rows_are_canceled_at_once_and_keep_what_was_done(client):
    source = layers(12, 30) + "input float a;\nbit[12] c;\nrx(a) q[0];\nc = measure q;\n"
    job = client.submit(
        source, shots=10, parameters={"a": numpy.linspace(0, 3, 100_000)}, seed=2)
    done = 0
    for event in job.events(timeout=60):
        if event.type == "progress" and event.progress["rows_done"]:
            done = int(event.progress["rows_done"])
            break
    assert 0 < done < 100_000
    start = time.monotonic()
    job.cancel()
    assert job.wait(timeout=30) == "canceled"
    assert time.monotonic() - start < 5
    result = job.result(timeout=30)
    assert result.manifest["is_partial"] and int(result.manifest["shots_done"]) >= 10 * done


def test_a_long_evolution_tells_how_far_it_is(client):
    job = client.submit(layers(26, 40), observables=[("Z" * 26, 1.0)])
    parts = [
        event.progress.get("evolution", 0) for event in job.events(timeout=120)
        if event.type == "progress"]
    assert job.status() == "succeeded"
    under_way = [part for part in parts if 0 < part <= 1]
    assert len(under_way) >= 2 and under_way == sorted(under_way)


def test_a_long_evolution_is_canceled_at_once(client):
    job = client.submit(layers(26, 300), observables=[("Z" * 26, 1.0)])
    for event in job.events(timeout=60):
        if event.type == "progress" and event.progress.get("evolution", 0) > 0:
            break
    start = time.monotonic()
    job.cancel()
    assert job.wait(timeout=30) == "canceled"
    assert time.monotonic() - start < 2


def test_no_gates_and_one_qubit_give_the_right_result(client):
    empty = client.submit(
        HEADER + "qubit[3] q; bit[3] c; c = measure q;", shots=50, memory=True,
        probabilities=True).result(timeout=30)
    assert empty.counts == {"000": 50}
    one = client.submit(HEADER + "qubit q; x q;", statevector=True).result(timeout=30)
    assert numpy.array_equal(one.statevector, [0, 1])
    nothing = client.submit(
        HEADER + "qubit q;", observables=[("Z", 2.0)], precision="single").result(timeout=30)
    assert float(nothing.expectation_values) == 2.0


def test_thirty_two_qubits_are_refused_with_both_figures(client):
    with pytest.raises(qubus.QubusError) as caught:
        client.submit(HEADER + "qubit[32] q; h q[0];", observables=[("Z" * 32, 1.0)])
    assert caught.value.name in {"insufficient_memory", "too_many_qubits"}
    assert "64 GiB" in str(caught.value) or "limit" in str(caught.value)
    assert caught.value.violations[0]["limit"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_parameters_that_are_no_numbers_are_refused(client, value):
    with pytest.raises(qubus.QubusError) as caught:
        client.submit(
            HEADER + "input float a; qubit q; rx(a) q;", observables=[("Z", 1.0)],
            parameters={"a": [0.5, value]})
    assert "a" in str(caught.value)


def test_a_million_gates_run_or_are_refused_in_bounded_time(client):
    start = time.monotonic()
    source = HEADER + "qubit[6] q; for int i in [1:200000] { h q[0]; rx(0.1) q[1]; cx q[0], q[2];"
    source += " rz(0.3) q[2]; ry(0.2) q[5]; }"
    result = client.submit(source, statevector=True).result(timeout=60)
    assert abs(numpy.linalg.norm(result.statevector) - 1) < 1e-8
    flat = HEADER + "qubit[4] q;" + "h q[0];cx q[0],q[1];" * 500_000
    try:
        client.submit(flat, observables=[("ZZZZ", 1.0)]).result(timeout=60)
    except qubus.QubusError as error:
        assert error.name in {"program_too_large", "message_too_large"}, error
    assert time.monotonic() - start < 60
