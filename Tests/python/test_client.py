"""The blocking client over the real library, against a scripted server."""
import gc
import threading
import time

import numpy
import pytest

import qubus

PROGRAM = "OPENQASM 3;\n"


def test_bell_gives_counts_memory_and_exact_outputs(scripted_client):
    job = scripted_client.submit(PROGRAM, shots=1024, seed=7, name="bell", tags=["a", "b"])
    result = job.result(timeout=10)
    assert result.counts == {"00": 509, "11": 515}
    assert result.memory == ["00", "11", "11", "00"]
    assert result.probabilities.tolist() == [0.5, 0, 0, 0.5]
    assert result.probabilities_dict() == {"00": 0.5, "11": 0.5}
    assert result.statevector.dtype == numpy.complex128
    assert float(result.expectation_values) == 1.0
    assert result.seed == result.provenance.seed == 7
    assert result.execution_hash == "ab" * 32 and not result.is_partial
    assert len(result) == 1 and result[0].counts is result.counts
    assert result.shots == 1024 and result.job_id == job.id
    assert job.info().tags == ["a", "b"] and job.info().queue_position is None


def test_arrays_are_views_that_outlive_result_and_client(scripted):
    with qubus.Client(scripted.endpoint) as client:
        state = client.submit(PROGRAM).result(timeout=10).statevector
    gc.collect()
    assert not state.flags.owndata and not state.flags.writeable
    assert abs(numpy.linalg.norm(state) - 1) < 1e-12


def test_a_sweep_gives_arrays_of_the_shape_of_its_parameters(scripted_client):
    job = scripted_client.submit(PROGRAM, name="sweep", shots=30, parameters={"theta": [0.1, 0.2]})
    result = job.result(timeout=10)
    assert result.shape == (2,) and result.counts.shape == (2,)
    assert result.counts[0] == {"0" * 69 + "1": 10}
    # bit 69 is in the second word of the key, bits 0, 2 and 64 in the last entry
    assert result.counts[1] == {"1" + "0" * 69: 20, "000001" + "0" * 61 + "101": 30}
    assert result.expectation_values.shape == (2, 3)


def test_a_missing_output_is_named_with_those_that_exist(scripted_client):
    result = scripted_client.submit(PROGRAM, name="sweep").result(timeout=10)
    with pytest.raises(qubus.ValidationError) as caught:
        result.statevector
    assert caught.value.name == "unknown_result_item" and "counts.keys" in str(caught.value)


def test_an_estimate_is_a_number_and_an_array(scripted_client):
    one = scripted_client.estimate(PROGRAM, observables=[("ZZ", 1.0)], timeout=10)
    assert float(one) == 1.0 and one.provenance.device == "sim.statevector"
    many = scripted_client.estimate(
        PROGRAM, observables=["ZZ", "XX", "YY"], parameters={"t": [[0.1], [0.2]]}, name="sweep")
    assert numpy.asarray(many).shape == (2, 3) and many[1, 2] == 5.0
    with pytest.raises(TypeError):
        float(many)


def test_events_are_ordered_and_resume_after_a_sequence(scripted_client):
    job = scripted_client.submit(PROGRAM, shots=1024)
    events = list(job.events())
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[1].status == "queued" and events[1].reason == "CALIBRATION"
    assert events[3].progress.shots_done == 11 and events[3].counts is None
    assert events[4].counts == {"00": 5, "11": 6}
    assert events[5].type == "status.changed" and events[5].status == "succeeded"
    assert events[0].time.tzinfo is not None
    assert [event.sequence for event in job.events(after=4)] == [5, 6]
    with pytest.raises(qubus.ValidationError):
        job.events(after=-1)


def test_a_program_error_shows_line_column_and_caret(scripted_client):
    with pytest.raises(qubus.ProgramError) as caught:
        scripted_client.submit("wrong")
    error = caught.value
    assert (error.line, error.column, error.text) == (3, 5, "wrong")
    assert "    wrong q;\n    ^~~~~" in str(error)
    assert error.trace_id == "trace-1" and not error.retryable
    assert error.idempotency_key


def test_violations_and_retry_after_arrive(scripted_client):
    with pytest.raises(qubus.ValidationError) as caught:
        scripted_client.submit(PROGRAM, shots=0)
    error = caught.value
    assert error.name == "invalid_shots" and error.retry_after == 0.25
    assert error.violations == (
        {"field": "pubs[0].shots", "explanation": "shots are 0", "limit": "1 to 10000000"},)


def test_waiting_ends_when_the_job_does(scripted, scripted_client):
    job = scripted_client.submit(PROGRAM, name="hold")
    timer = threading.Timer(0.3, scripted.release, [job.id])
    timer.start()
    assert job.result(timeout=float("inf")).counts == {"00": 509, "11": 515}
    assert job.wait() == "succeeded"
    assert scripted.calls.count("GetResult") == 2  # sliced waits ask the server once


def test_a_wait_that_is_too_short_raises_and_leaves_the_job(scripted, scripted_client):
    job = scripted_client.submit(PROGRAM, name="hold")
    for wait in (job.result, job.wait):
        started = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            wait(timeout=0.2)
        assert caught.value.name == "deadline_exceeded" and job.id in str(caught.value)
        assert 0.15 < time.monotonic() - started < 5
        with pytest.raises(qubus.ResultNotReadyError):
            wait(timeout=0)
    with pytest.raises(TimeoutError):
        list(job.events(timeout=0.1))
    assert job.status() == "queued"
    scripted.release(job.id)
    assert job.wait(timeout=10) == "succeeded"


def test_a_failed_job_raises_its_own_error(scripted_client):
    job = scripted_client.submit(PROGRAM, name="fail")
    with pytest.raises(qubus.ExecutionError) as caught:
        job.result(timeout=10)
    assert caught.value.name == "division_by_zero"
    assert job.wait(timeout=10) == "failed"
    assert job.info().error.message == "line 4 divides by 0"


def test_a_job_that_was_canceled_without_a_result_says_so(scripted_client):
    job = scripted_client.submit(PROGRAM, name="canceled")
    with pytest.raises(qubus.ExecutionError) as caught:
        job.result(timeout=10)
    assert caught.value.name == "execution_canceled"
    assert job.wait(timeout=10) == "canceled"


def test_cancel_tells_what_it_did_and_wakes_who_waits(scripted_client):
    job = scripted_client.submit(PROGRAM, name="hold")
    seen = []
    watcher = threading.Thread(target=lambda: seen.append(job.wait(timeout=10)))
    watcher.start()
    assert job.cancel("changed my mind") == ("before_start", 0)
    watcher.join(timeout=10)
    assert seen == ["canceled"]
    assert job.cancel().outcome == "too_late"


def test_annotations_are_set_and_removed(scripted_client):
    job = scripted_client.submit(PROGRAM)
    assert {"key": "run", "value": "3"} in job.annotate(run=3, note="x").annotations
    assert [a["key"] for a in job.annotate(note=None).annotations] == ["run"]


def test_replay_waits_and_compares(scripted_client):
    job = scripted_client.submit(PROGRAM)
    replay = job.replay(timeout=10)
    assert replay.outcome == "identical"
    assert replay.hashes.original == replay.hashes.replay == "01" * 32
    assert replay.job_id != job.id and replay.total_variation_distance is None


def test_an_unknown_job_is_not_found(scripted_client):
    with pytest.raises(LookupError) as caught:
        scripted_client.job("0199-99999999").result()
    assert caught.value.name == "job_not_found"
    with pytest.raises(qubus.JobNotFoundError):
        list(scripted_client.job("0199-99999999").events())
    with pytest.raises(qubus.JobNotFoundError):
        scripted_client.job("0199-99999999").wait()


def test_a_batch_gives_each_job_its_own_outcome(scripted_client):
    specs = [qubus.JobSpec(PROGRAM, shots=5), {"source": "wrong"}, PROGRAM]
    first, second, third = scripted_client.submit_batch(specs, return_exceptions=True)
    assert isinstance(second, qubus.ProgramError) and second.line == 3
    assert first.result(timeout=10).counts == third.result(timeout=10).counts
    with pytest.raises(qubus.ProgramError) as caught:
        scripted_client.submit_batch(specs)
    assert len(caught.value.batch) == 3 and caught.value.batch[0].id
    assert scripted_client.submit_batch([]) == []


def test_jobs_come_page_by_page(scripted_client):
    made = [scripted_client.submit(PROGRAM, name=f"job {n}").id for n in range(5)]
    found = list(scripted_client.jobs(page_size=2))
    assert [job.id for job in found] == made[::-1]
    assert found[0].listed.name == "job 4"
    assert [job.id for job in scripted_client.jobs(limit=3, page_size=2)] == made[:1:-1]


def test_a_status_that_does_not_exist_is_refused(scripted_client):
    with pytest.raises(qubus.QubusError) as caught:
        list(scripted_client.jobs(status="sleeping"))
    assert "sleeping" in str(caught.value)


def test_plan_devices_health_version_and_errors_are_records(scripted_client):
    assert scripted_client.plan(PROGRAM).lane == "interactive"
    assert scripted_client.devices()[0].outputs == ["counts", "expectation_values"]
    assert scripted_client.health().state == "serving"
    assert scripted_client.version().client_version == qubus.__version__
    assert scripted_client.hello().principal == "uid:0"
    assert scripted_client.errors()[0].name == "invalid_shots"


def test_a_result_with_a_flipped_bit_is_never_handed_out(scripted, scripted_client):
    job = scripted_client.submit(PROGRAM)
    scripted.corrupt_next_result = True
    with pytest.raises(qubus.PostProcessingError) as caught:
        job.result(timeout=10)
    assert caught.value.name == "result_corrupt"


def test_a_closed_client_says_so(scripted):
    client = qubus.Client(scripted.endpoint)
    job = client.submit(PROGRAM)
    client.close()
    client.close()
    for call in (client.health, job.result, job.info):
        with pytest.raises(qubus.ClientError) as caught:
            call()
        assert caught.value.name == "client_closed"


def test_nobody_at_the_endpoint_is_a_connection_error(tmp_path):
    with pytest.raises(ConnectionError) as caught:
        qubus.Client(f"ipc://{tmp_path}/none.sock", connect_timeout=0.2)
    assert caught.value.name == "connection_failed" and caught.value.retryable


def test_many_threads_share_a_client(scripted_client):
    failures = []

    def work(number):
        try:
            for _ in range(20):
                result = scripted_client.submit(PROGRAM, seed=number).result(timeout=20)
                if result.seed != number or sum(result.counts.values()) != 1024:
                    failures.append((number, result.seed))
        except qubus.QubusError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_progress_bar_follows_a_long_wait(scripted, scripted_client, capsys):
    pytest.importorskip("tqdm")
    job = scripted_client.submit(PROGRAM, name="hold")
    threading.Timer(1.0, scripted.release, [job.id]).start()
    job.result(timeout=10, progress=True)
    assert job.id in capsys.readouterr().err
