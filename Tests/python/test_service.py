"""The whole path: the Python API against a live daemon."""
import asyncio
import math
import threading

import numpy
import pytest

import qubus
from conftest import BELL, ROTATION

LIFECYCLE = ["accepted", "queued", "reserved", "running", "processing_results", "succeeded"]

# Every shot runs by itself, because it measures on its way: long enough to be met running.
LONG = """OPENQASM 3;
include "stdgates.inc";
qubit[10] q;
bit[10] c;
for int i in [0:199] {
  h q[0];
  for int k in [0:8] { cx q[k], q[k + 1]; }
  c[0] = measure q[0];
}
c = measure q;
"""


def test_what_the_design_promises_users_to_type(daemon):
    with qubus.Client(daemon.endpoint) as client:
        job = client.submit(BELL, shots=1024, seed=7, name="bell", idempotency_key=None)
        assert job.status() in {*LIFECYCLE}
        statuses = [event.status for event in job.events()]
        result = job.result(timeout=30)
        assert set(result.counts) == {"00", "11"} and sum(result.counts.values()) == 1024
        assert statuses[-1] == "succeeded"
        assert job.cancel().outcome == "too_late"
        estimate = client.estimate(
            ROTATION, observables=[("ZZ", 1.0), ("XI", 0.5)], parameters={"theta": [0.1, 0.2]})
        assert numpy.allclose(estimate.values, [1.0, 1.0], atol=1e-12)
        assert job.id in {listed.id for listed in client.jobs()}
        assert client.job(job.id).result().counts == result.counts


def test_events_tell_the_lifecycle_in_order_without_gap(client):
    job = client.submit(BELL, shots=100)
    events = list(job.events(timeout=30))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    moves = [event.status for event in events if event.type == "status.changed"]
    assert moves == LIFECYCLE
    times = [event.time_microseconds for event in events]
    assert times == sorted(times)
    for after in range(len(events) + 1):
        assert [event.sequence for event in job.events(after=after, timeout=30)] == list(
            range(after + 1, len(events) + 1))


def test_partial_counts_grow_while_a_job_runs(client):
    job = client.submit(LONG, shots=2000, seed=1)
    seen, progress = [], []
    for event in job.events(timeout=60):
        if event.counts is not None:
            assert all(len(bits) == 10 for bits in event.counts)
            seen.append(event.partial_counts.shots_done)
        if event.progress is not None:
            progress.append(event.progress.shots_done)
    assert seen == sorted(seen) and progress == sorted(progress)
    assert seen or progress
    assert sum(job.result(timeout=30).counts.values()) == 2000


def test_a_seed_decides_every_count(client):
    first = client.submit(BELL, shots=5000, seed=11).result(timeout=30)
    again = client.submit(BELL, shots=5000, seed=11).result(timeout=30)
    other = client.submit(BELL, shots=5000, seed=12).result(timeout=30)
    assert first.counts == again.counts and first.execution_hash == again.execution_hash
    assert first.counts != other.counts
    largest = client.submit(BELL, shots=10, seed=2**64 - 1).result(timeout=30)
    assert largest.seed == 2**64 - 1


def test_a_seed_that_was_not_given_is_drawn_and_told(client):
    result = client.submit(BELL, shots=5000).result(timeout=30)
    again = client.submit(BELL, shots=5000, seed=result.seed).result(timeout=30)
    assert again.counts == result.counts


def test_counts_are_the_histogram_of_memory(client):
    with_memory = client.submit(BELL, shots=2000, seed=3, memory=True).result(timeout=30)
    without = client.submit(BELL, shots=2000, seed=3).result(timeout=30)
    values, counts = numpy.unique(with_memory.memory, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist())) == with_memory.counts == without.counts
    assert with_memory.memory_array.shape == (2000, 1)
    with pytest.raises(qubus.ValidationError):
        without.memory


def test_the_highest_bit_of_the_last_register_is_leftmost(client):
    source = """OPENQASM 2.0; include "qelib1.inc";
    qreg q[3]; creg a[1]; creg b[2];
    x q[0]; x q[2];
    measure q[0] -> a[0]; measure q[1] -> b[0]; measure q[2] -> b[1];"""
    result = client.submit(source, shots=10).result(timeout=30)
    assert result.counts == {"101": 10}
    assert result[0].registers == {"a": (0, 1), "b": (1, 2)}


def test_exact_outputs_of_a_bell_pair(client):
    result = client.submit(BELL, probabilities=True, statevector=True).result(timeout=30)
    assert numpy.allclose(result.probabilities, [0.5, 0, 0, 0.5], atol=1e-12)
    assert result.probabilities_dict(1e-9).keys() == {"00", "11"}
    state = result.statevector
    assert state.dtype == numpy.complex128 and not state.flags.owndata
    assert abs(abs(numpy.vdot(state, [0.5**0.5, 0, 0, 0.5**0.5])) - 1) < 1e-12
    both = client.submit(BELL, shots=100, probabilities=True).result(timeout=30)
    assert sum(both.counts.values()) == 100 and both.probabilities.shape == (4,)


def test_a_large_state_arrives_whole(client):
    source = 'OPENQASM 3; include "stdgates.inc"; qubit[18] q; h q; rz(0.3) q[17];'
    state = client.submit(source, statevector=True).result(timeout=60).statevector
    assert state.shape == (2**18,)
    assert numpy.allclose(numpy.abs(state), 2**-9, atol=1e-12)
    assert abs(numpy.angle(state[-1] / state[0]) - 0.3) < 1e-9


def test_parameters_broadcast_by_numpy_rules(client):
    theta = numpy.linspace(0, math.pi, 5)
    source = ROTATION.replace("input float theta;", "input float theta;\ninput float phi;").replace(
        "cx q[0], q[1];", "ry(phi) q[1];")
    phi = numpy.array([[0.0], [0.5], [1.0]])
    # "IZ" reads qubit 0 and "ZI" qubit 1: the leftmost letter acts on the highest qubit
    for pauli, expected in (("IZ", numpy.cos(theta) + 0 * phi), ("ZI", numpy.cos(phi) + 0 * theta)):
        estimate = client.estimate(
            source, observables=[(pauli, 1.0)], parameters={"theta": theta, "phi": phi})
        assert estimate.values.shape == (3, 5)
        assert numpy.allclose(estimate.values, expected, atol=1e-12)


def test_observables_broadcast_against_parameters(client):
    theta = [0.1, 0.2, 0.3]
    estimate = client.estimate(
        ROTATION, observables=[[{"ZZ": 1.0}], [{"XX": 2.0, "II": 1.0}]], parameters={"theta": theta})
    expected = [[1.0] * 3, [2 * math.sin(t) + 1 for t in theta]]
    assert estimate.values.shape == (2, 3)
    assert numpy.allclose(estimate.values, expected, atol=1e-12)


def test_one_value_is_a_number(client):
    assert abs(float(client.estimate(ROTATION, "IZ", {"theta": 0.4})) - math.cos(0.4)) < 1e-12


def test_a_sweep_of_counts_has_the_shape_of_its_parameters(client):
    source = ROTATION + "bit[2] c;\nc = measure q;\n"
    result = client.submit(
        source, shots=100, seed=1, parameters={"theta": [[0.0], [math.pi]]}).result(timeout=30)
    assert result.shape == (2, 1) and result.counts.shape == (2, 1)
    assert result.counts[0, 0] == {"00": 100} and result.counts[1, 0] == {"11": 100}


def test_a_job_may_hold_several_pubs(client):
    result = client.submit(
        [qubus.Pub(BELL, shots=100), qubus.Pub(ROTATION, {"theta": 0.0}, "ZZ")]).result(timeout=30)
    assert len(result) == 2
    assert sum(result[0].counts.values()) == 100
    assert abs(float(result[1].expectation_values) - 1) < 1e-12
    with pytest.raises(ValueError):
        result.counts


def test_a_batch_has_a_status_for_each_item(client):
    outcomes = client.submit_batch(
        [{"source": BELL, "shots": 10, "seed": n} for n in range(20)] + [{"source": "nonsense", "shots": 1}],
        return_exceptions=True)
    assert isinstance(outcomes[-1], qubus.ProgramError)
    assert len({job.id for job in outcomes[:-1]}) == 20
    assert [job.result(timeout=30).seed for job in outcomes[:-1]] == list(range(20))


def test_the_same_key_gives_the_same_job_and_another_body_a_conflict(client):
    first = client.submit(BELL, shots=10, idempotency_key="one key")
    # white space, comments and register names do not matter
    renamed = "// said again\n" + BELL.replace("qubit[2] q", "qubit[2]   r").replace(
        "q[", "r[").replace("measure q", "measure r")
    again = client.submit(renamed, shots=10, idempotency_key="one key")
    assert again.id == first.id and again.is_duplicate and not first.is_duplicate
    with pytest.raises(qubus.ConflictError) as caught:
        client.submit(BELL, shots=11, idempotency_key="one key")
    assert caught.value.name == "idempotency_conflict"


def test_canceling_a_running_job_keeps_what_it_had(client):
    job = client.submit(LONG, shots=1_000_000, seed=5)
    for event in job.events(timeout=60):
        if event.type in ("progress", "counts.partial"):
            break
    outcome, shots = job.cancel(reason="enough")
    assert outcome == "during_run" and 0 < shots < 1_000_000
    assert job.wait(timeout=10) == "canceled"
    result = job.result(timeout=10)
    assert result.is_partial and sum(result.counts.values()) == result.shots_done
    assert job.cancel().outcome in ("too_late", "during_run")
    assert job.info().status == "canceled"


def test_a_result_asked_for_too_early_says_not_yet_with_the_state(client):
    job = client.submit(LONG, shots=1_000_000)
    with pytest.raises(qubus.ResultNotReadyError) as caught:
        job.result(timeout=0)
    assert any(state in str(caught.value) for state in LIFECYCLE)
    with pytest.raises(TimeoutError):
        job.result(timeout=0.05)
    job.cancel()


def test_a_program_error_has_line_column_and_caret(client):
    with pytest.raises(qubus.ProgramError) as caught:
        client.submit('OPENQASM 3;\ninclude "stdgates.inc";\nqubit[2] q;\ncx q[0], p[1];\n', shots=1)
    error = caught.value
    assert (error.line, error.column) == (4, 10) and error.text.startswith("p")
    source, caret = error.excerpt.splitlines()[:2]
    assert "cx q[0], p[1];" in source and source[caret.index("^")] == "p"
    assert error.excerpt in str(error) and error.trace_id


@pytest.mark.parametrize("source, name", [
    ("OPENQASM 3; qubit q; h q[", "program_syntax_error"),
    ("OPENQASM 2.0; qreg q[1]; cx q[0], q[0];", None),
    ('OPENQASM 3; include "stdgates.inc"; qubit[2] q; cx q[1], q[1];', "duplicate_qubit"),
    ('OPENQASM 3; include "stdgates.inc"; qubit[2] q; h q[2];', "index_out_of_range"),
    ("OPENQASM 3; def f() { }", "unsupported_program_feature"),
    ("OPENQASM 3; gate a q { a q; } qubit q; a q;", None),
    ("OPENQASM 3; int x = " + "(" * 10**6 + "1" + ")" * 10**6 + ";", None),
    (b"OPENQASM 3; // \xff", "invalid_utf8"),
    (b"OPENQASM 3; // \0", "nul_in_string"),
    ('OPENQASM 3; include "stdgates.inc"; qubit[60] q; h q; bit[60] c; c = measure q;', None),
])
def test_programs_that_are_wrong_are_refused(client, source, name):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit(source, shots=10)
    if name is not None:
        assert caught.value.name == name
    assert client.health().state == "serving"


@pytest.mark.parametrize("options, name", [
    ({"shots": 0}, "invalid_shots"), ({"shots": -5}, "invalid_shots"),
    ({"shots": 10**15}, "invalid_shots"), ({"shots": 5, "device": "no.such"}, "unknown_device"),
    ({"shots": 5, "parameters": {"nothing": 1.0}}, "unknown_parameter"),
    ({"observables": "ZZZ"}, "invalid_observable"), ({"observables": "ZQ"}, "invalid_observable"),
    ({"observables": [("ZZ", math.nan)]}, "invalid_observable"),
    ({"shots": 5, "tags": ["t"] * 33}, "invalid_tags"),
])
def test_requests_that_are_wrong_are_refused_by_name(client, options, name):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit(BELL, **options)
    assert caught.value.name == name
    assert caught.value.action


@pytest.mark.parametrize("parameters, name", [
    (None, "parameter_count_mismatch"), ({"theta": math.nan}, "invalid_parameter_value"),
    ({"theta": math.inf}, "invalid_parameter_value"),
    ({"phi": 0.2}, "unknown_parameter"),
])
def test_parameters_that_are_wrong_are_refused_by_name(client, parameters, name):
    with pytest.raises(qubus.ValidationError) as caught:
        client.submit(ROTATION, observables="ZZ", parameters=parameters)
    assert caught.value.name == name


def test_shapes_that_do_not_broadcast_are_refused(client):
    with pytest.raises(qubus.ValidationError) as caught:
        client.estimate(ROTATION, ["ZZ", "XX"], {"theta": [0.1, 0.2, 0.3]})
    assert caught.value.name in ("invalid_parameter_shape", "invalid_observable")


def test_an_unknown_job_is_not_found(client):
    for job_id in ("01890000-0000-7000-8000-000000000000",):
        with pytest.raises(qubus.JobNotFoundError):
            client.job(job_id).info()
        with pytest.raises(qubus.JobNotFoundError):
            list(client.job(job_id).events(timeout=10))


def test_plan_tells_memory_and_runs_nothing(client):
    before = {job.id for job in client.jobs()}
    plan = client.plan(LONG, shots=1000)
    assert plan.pubs[0].qubit_count == 10 and plan.pubs[0].is_per_shot
    assert 0 < plan.memory_bytes <= plan.memory_limit_bytes
    assert {job.id for job in client.jobs()} == before


def test_jobs_are_found_by_name_tag_and_status(client):
    job = client.submit(BELL, shots=10, name="a name", tags=["red", "round"])
    job.wait(timeout=30)
    client.submit(BELL, shots=10, name="a name", tags=["red"]).wait(timeout=30)
    assert [found.id for found in client.jobs(tags=["red", "round"], name="a name")] == [job.id]
    listed = next(client.jobs("succeeded", name="a name"))
    assert listed.listed.status == "succeeded"
    assert list(client.jobs("failed", name="a name")) == []


def test_replay_gives_the_same_hash(client):
    job = client.submit(LONG, shots=50, seed=9)
    assert job.wait(timeout=60) == "succeeded"
    replay = job.replay(timeout=60)
    assert replay.outcome == "identical"
    assert replay.hashes.original == replay.hashes.replay == job.result().execution_hash
    assert client.job(replay.job_id).info().replay_of == job.id


def test_a_job_that_ended_can_be_neither_paused_nor_resumed(client):
    job = client.submit(BELL, shots=10)
    assert job.wait(timeout=30) == "succeeded"
    with pytest.raises(qubus.QubusError) as caught:
        job.pause("later")
    assert caught.value.name == "job_already_finished"
    with pytest.raises(qubus.QubusError) as caught:
        job.resume()
    assert caught.value.name == "illegal_transition"


def test_a_job_that_ended_waits_for_nothing(client):
    job = client.submit(BELL, shots=10)
    assert job.wait(timeout=30) == "succeeded"
    assert job.explain() == []


def test_annotations_are_kept(client):
    job = client.submit(BELL, shots=10)
    job.annotate(run=3)
    assert {"key": "run", "value": "3"} in client.job(job.id).info().annotations


def test_provenance_has_no_hole(client):
    result = client.submit(BELL, shots=10, seed=1).result(timeout=30)
    for field in ("device", "calibration_id", "engine", "engine_version", "compiler_version",
                  "protocol_version", "server_version", "client_version", "instruction_set",
                  "program_hashes", "circuit_hashes", "execution_hash", "fingerprint",
                  "numeric_precision", "job_id"):
        assert result.provenance[field], field
    assert result.provenance.shots == [10] and result.provenance.seed == 1
    phases = result.provenance.phases
    assert phases.accepted_at <= phases.queued_at <= phases.started_at


def test_a_bundle_of_a_real_job_makes_the_round_trip(client, tmp_path):
    result = client.submit(
        ROTATION, observables=["ZZ", "XX"], parameters={"theta": 0.3}, statevector=True,
        seed=4).result(timeout=30)
    result.save_bundle(tmp_path / "job.zip")
    again = qubus.load_bundle(tmp_path / "job.zip")
    assert numpy.array_equal(again.expectation_values, result.expectation_values)
    assert numpy.array_equal(again.statevector, result.statevector)
    data = bytearray((tmp_path / "job.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "job.zip").write_bytes(data)
    with pytest.raises(qubus.PostProcessingError):
        qubus.load_bundle(tmp_path / "job.zip")


def test_the_daemon_tells_about_itself(client):
    assert client.health().state == "serving"
    assert "sim.statevector" in {device.name for device in client.devices()}
    assert client.device("sim.statevector").is_ideal
    assert client.version().server_version
    published = {(entry.number, entry.name) for entry in client.errors()}
    assert published == {(entry[0], entry[1]) for entry in qubus.errors.ERRORS}


def test_the_same_as_coroutines(daemon):
    async def main():
        async with await qubus.connect(daemon.endpoint) as client:
            jobs = await asyncio.gather(
                *(client.submit(BELL, shots=100, seed=n) for n in range(50)))
            results = await asyncio.gather(*(job.result(timeout=30) for job in jobs))
            assert [result.seed for result in results] == list(range(50))
            events = [event async for event in jobs[0].events(timeout=30)]
            assert events[-1].status == await jobs[0].wait() == "succeeded"
            estimate = await client.estimate(ROTATION, "IZ", {"theta": [0.0, math.pi]})
            assert numpy.allclose(estimate.values, [1, -1], atol=1e-12)
            with pytest.raises(qubus.ProgramError):
                await client.submit("nonsense", shots=1)
            long = await client.submit(LONG, shots=1_000_000)
            waiting = asyncio.ensure_future(long.result())
            assert (await client.health()).state == "serving"
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await long.cancel()).outcome in ("before_start", "during_run")
            assert await long.wait(timeout=10) == "canceled"

    asyncio.run(asyncio.wait_for(main(), 120))


def test_an_interactive_job_does_not_wait_for_a_long_one(client):
    long = client.submit(LONG, shots=1_000_000, priority="batch")
    for event in long.events(timeout=30):
        if event.status == "running":
            break
    job = client.submit(BELL, shots=100, priority="interactive")
    assert job.wait(timeout=10) == "succeeded"
    assert long.status() == "running"
    long.cancel()


def test_many_clients_at_once(daemon):
    failures = []

    def work(number):
        try:
            with qubus.Client(daemon.endpoint) as client:
                for round in range(10):
                    result = client.submit(BELL, shots=100, seed=round).result(timeout=60)
                    if sum(result.counts.values()) != 100:
                        failures.append((number, result.counts))
        except qubus.QubusError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
