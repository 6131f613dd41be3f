"""Sessions of the blocking client over the scripted server, whose values come from numpy."""
import gc
import math
import signal
import subprocess
import sys
import threading
import time
import uuid

import numpy
import pytest

import qubus

TWO_TURNS = """OPENQASM 3;
include "stdgates.inc";
input float a;
input float b;
qubit[2] q;
bit[2] c;
ry(a) q[0];
ry(b) q[1];
c = measure q;
"""
#: <Z> of the low qubit is cos a, of the high one cos b.
ENERGY = [("IZ", 1.0), ("ZI", 0.5)]
EVERYTHING = ["values", "gradients", "counts", "statevector"]


def energy(a, b):
    return numpy.cos(a) + 0.5 * numpy.cos(b)


@pytest.fixture
def session(scripted_client):
    with scripted_client.session(
            TWO_TURNS, observables=ENERGY, outputs=EVERYTHING, shots=None) as opened:
        yield opened


def test_a_session_tells_what_it_holds(session):
    assert session.parameters == ("a", "b")
    assert (session.observable_count, session.qubit_count, session.bit_count) == (1, 2, 2)
    assert session.outputs == tuple(EVERYTHING)
    assert len(session.secret) == 32 and session.last_sequence == 0
    assert session.id in repr(session)


def test_one_row_and_one_observable_give_a_float(session):
    value = session.step(numpy.array([0.3, 0.7]))
    assert type(value) is float and value == pytest.approx(energy(0.3, 0.7), abs=1e-14)
    assert session.last_sequence == 1
    assert math.isnan(session.standard_errors)


@pytest.mark.parametrize("given", [
    [0.3, 0.7], (0.3, 0.7), {"b": 0.7, "a": 0.3}, numpy.array([0.3, 9, 0.7])[::2],
    numpy.array([0.3, 0.7], ">f8"), numpy.array([0.3, 0.7], numpy.longdouble)])
def test_parameters_come_as_anything_that_is_numbers(session, given):
    assert session.step(given) == pytest.approx(energy(0.3, 0.7), abs=1e-14)


def test_rows_give_an_array_and_names_broadcast(session):
    a, b = numpy.linspace(0, 1, 5), 0.25
    rows = numpy.column_stack([a, numpy.full(5, b)])
    for given in (rows, rows.tolist(), {"a": a, "b": b}):
        values = session.step(given)
        assert values.shape == (5,) and values.dtype == numpy.float64
        numpy.testing.assert_allclose(values, energy(a, b), atol=1e-14)
    assert session.step(rows[:1]).shape == (1,)


def test_several_observables_have_an_axis_of_their_own(scripted_client):
    with scripted_client.session(TWO_TURNS, observables=["IZ", "ZI", "XX"]) as session:
        assert session.step([0.1, 0.2]).shape == (3,)
        values, gradients = session.step([[0.1, 0.2], [0.3, 0.4]], gradient=True)
        assert values.shape == (2, 3) and gradients.shape == (2, 3, 2)
        numpy.testing.assert_allclose(values[:, 0], numpy.cos([0.1, 0.3]), atol=1e-14)
        numpy.testing.assert_allclose(gradients[:, 1, 1], -numpy.sin([0.2, 0.4]), atol=1e-9)
        second = session.objective(gradient=True, observable=1)
        value, slope = second(numpy.array([0.1, 0.2]))
        assert type(value) is float and slope.shape == (2,)
        with pytest.raises(qubus.ClientError):
            session.objective(observable=3)


def test_gradients_with_values_and_alone(session):
    at = numpy.array([0.3, 0.7])
    value, gradient = session.step(at, gradient=True)
    assert type(value) is float and gradient.shape == (2,)
    numpy.testing.assert_allclose(gradient, [-math.sin(0.3), -0.5 * math.sin(0.7)], atol=1e-9)
    again = session.gradient(at)
    assert again is not gradient and not numpy.shares_memory(again, gradient)
    numpy.testing.assert_array_equal(again, gradient)
    assert session.gradient(numpy.array([at, at])).shape == (2, 2)


def test_answers_are_written_into_arrays_of_the_caller(session):
    values, gradients = numpy.full(3, -9.0), numpy.full((3, 2), -9.0)
    rows = numpy.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    got = session.step(rows, gradient=True, out=values, gradient_out=gradients)
    assert got[0] is values and got[1] is gradients
    numpy.testing.assert_allclose(values, energy(*rows.T), atol=1e-14)
    assert not (gradients == -9).any()
    for wrong in (numpy.empty(2), numpy.empty((3, 1)), numpy.empty(3, numpy.float32),
                  numpy.empty(6)[::2], [0, 0, 0]):
        with pytest.raises(qubus.ClientError) as caught:
            session.step(rows, out=wrong)
        assert caught.value.name == "invalid_argument" and "(3,)" in str(caught.value)


def test_the_arrays_of_a_step_are_its_own(session):
    first = session.step([[0.1, 0.2]])
    second = session.step([[0.3, 0.4]])
    assert first[0] != second[0]
    standard = session.standard_errors
    del session
    gc.collect()
    assert first[0] == pytest.approx(energy(0.1, 0.2)) and standard is not None


def test_everything_about_one_step(session):
    result = session.evaluate([0.3, 0.7], outputs=["values", "gradients"])
    assert isinstance(result, qubus.StepResult) and result.sequence == 1
    assert result.device_nanoseconds == 1000 and result.shots_used == 0
    assert not result.was_repeated and not result.was_rebuilt
    assert result.gradients.shape == (2,) and result.standard_errors is None
    assert result.counts is None and "values" in repr(result)


def test_counts_and_states(session):
    counts = session.counts([0.0, math.pi], shots=50)
    assert counts == {"10": 50}
    rows = session.counts([[0.0, 0.0], [math.pi, 0.0]], shots=20)
    assert rows == [{"00": 20}, {"01": 20}]
    state = session.statevector([math.pi / 2, 0])
    assert state.shape == (4,) and state.dtype == numpy.complex128
    numpy.testing.assert_allclose(state, [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-15)
    assert session.statevector([[0, 0], [0, 0]]).shape == (2, 4)
    both = session.evaluate([0.3, 0.7], outputs=EVERYTHING, shots=10)
    assert sum(both.counts.values()) == 10 and both.gradients.shape == (2,)
    assert both.values == pytest.approx(energy(0.3, 0.7))
    assert both.sequence == session.last_sequence and both.shots_used == 10


def test_sampled_values_come_with_their_standard_errors(scripted_client):
    with scripted_client.session(TWO_TURNS, observables=ENERGY, shots=100, seed=3) as session:
        assert type(session.step(numpy.array([0.1, 0.2]))) is float
        assert session.standard_errors == 0.25
        session.step([[0.1, 0.2], [0.3, 0.4]])
        assert session.standard_errors.tolist() == [0.25, 0.25]
        result = session.evaluate([0.1, 0.2])
        assert result.standard_errors == 0.25 and result.shots_used == 100
        assert session.evaluate([0.1, 0.2], shots=7).shots_used == 7
        assert session.info().shots == 100


def test_a_program_without_inputs(scripted_client):
    source = 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[1] q;\nry(0.5) q[0];'
    with scripted_client.session(source, observables="Z") as session:
        assert session.step() == pytest.approx(math.cos(0.5))
        value, gradient = session.step(gradient=True)
        assert value == pytest.approx(math.cos(0.5)) and gradient.shape == (0,)


def test_a_program_with_one_input_takes_a_list_as_a_batch(scripted_client):
    source = 'OPENQASM 3;\ninclude "stdgates.inc";\ninput float t;\nqubit[1] q;\nry(t) q[0];'
    with scripted_client.session(source, observables="Z") as session:
        numpy.testing.assert_allclose(
            session.batch([0.1, 0.2, 0.3]), numpy.cos([0.1, 0.2, 0.3]), atol=1e-14)
        assert session.step(0.1) == pytest.approx(math.cos(0.1))
        assert session.batch({"t": [0.1, 0.2]}).shape == (2,)


@pytest.mark.parametrize("given, name", [
    ([0.1], "parameter_count_mismatch"), ([[0.1, 0.2, 0.3]], "parameter_count_mismatch"),
    (None, "parameter_count_mismatch"), ({"a": 1}, "parameter_count_mismatch"),
    ({"a": 1, "b": 2, "c": 3}, "unknown_parameter"),
    ([[[0.1, 0.2]]], "invalid_parameter_shape"), (numpy.empty((0, 2)), "invalid_step"),
    ({"a": [1, 2, 3], "b": [1, 2]}, "invalid_parameter_shape"),
    ([[0.1, 0.2], [0.3]], "invalid_parameter_shape"),
    ([0.1, 1j], "invalid_parameter_value"), (["x", "y"], "invalid_parameter_value"),
    ([0.1, math.nan], "invalid_parameter_value"), ([math.inf, 0.1], "invalid_parameter_value"),
    (numpy.array([0.1, math.nan]), "invalid_parameter_value"),
])
def test_wrong_parameters_are_named_and_cost_no_step(session, given, name):
    with pytest.raises(qubus.ValidationError) as caught:
        session.step(given)
    assert caught.value.name == name
    assert session.step([0.1, 0.2]) == pytest.approx(energy(0.1, 0.2)) and session.last_sequence == 1


def test_wrong_options_are_named(scripted_client, session):
    with pytest.raises(TypeError, match="observable"):
        scripted_client.session(TWO_TURNS, observable="ZZ")
    for options, name in [
            ({"observables": []}, "invalid_observable"), ({"seed": -1}, "invalid_seed"),
            ({"outputs": ["energies"]}, "invalid_outputs"), ({"shots": 2**70}, "invalid_shots")]:
        with pytest.raises(qubus.ValidationError) as caught:
            scripted_client.session(TWO_TURNS, **options)
        assert caught.value.name == name
    with pytest.raises(qubus.ProgramError):
        scripted_client.session("wrong")
    for options in ({"shots": 0}, {"shots": -3}, {"target_error": 0}, {"target_error": -1.0}):
        with pytest.raises(qubus.ValidationError):
            session.step([0.1, 0.2], **options)
    with pytest.raises(qubus.ValidationError) as caught:
        session.evaluate([0.1, 0.2], outputs=[])
    assert caught.value.name == "invalid_outputs"


def test_a_session_ends_with_its_block_or_by_its_limits(scripted_client):
    with scripted_client.session(TWO_TURNS, observables=ENERGY) as session:
        session.step([0.1, 0.2])
        assert [s.session_id for s in scripted_client.sessions()] == [session.id]
    session.close()
    with pytest.raises(qubus.SessionNotFoundError):
        session.step([0.1, 0.2])
    assert scripted_client.sessions() == []
    assert len(scripted_client.sessions(include_ended=True)) == 1
    with scripted_client.session(TWO_TURNS, observables=ENERGY, name="limited") as limited:
        for _ in range(3):
            limited.step([0.1, 0.2])
        with pytest.raises(LookupError, match="MAX_STEPS"):
            limited.step([0.1, 0.2])


def test_an_exception_in_the_block_is_not_hidden(scripted, scripted_client):
    with pytest.raises(ZeroDivisionError):
        with scripted_client.session(TWO_TURNS, observables=ENERGY) as session:
            scripted_client.close()
            1 / 0
    assert session.last_sequence == 0


def test_a_session_is_detached_and_resumed_by_another_client(scripted, scripted_client):
    with scripted_client.session(TWO_TURNS, observables=ENERGY) as session:
        session.step([0.1, 0.2])
        ticket = session.id, session.secret, session.last_sequence
        session.detach()
    with qubus.Client(scripted.endpoint) as other:
        with pytest.raises(qubus.SessionNotFoundError):
            other.resume_session(ticket[0], b"x" * 32)
        with pytest.raises(qubus.ClientError):
            other.resume_session(ticket[0], b"short")
        with other.resume_session(ticket[0], ticket[1], last_sequence=ticket[2]) as resumed:
            assert resumed.parameters == ("a", "b")
            assert resumed.step([0.3, 0.4]) == pytest.approx(energy(0.3, 0.4))
            assert resumed.last_sequence == 2 and resumed.info().steps == 2
            with pytest.raises(qubus.ConflictError) as caught:
                session.step([0.1, 0.2])
            assert caught.value.name == "session_held_elsewhere"


def test_threads_take_turns(session):
    failures = []

    def many(start):
        for number in range(40):
            a, b = start, number / 40
            value, slope = session.step(numpy.array([a, b]), gradient=True)
            if abs(value - energy(a, b)) > 1e-12 or abs(slope[0] + math.sin(a)) > 1e-8:
                failures.append((a, b, value, slope))

    threads = [threading.Thread(target=many, args=(n / 4,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and session.last_sequence == 160


def test_a_step_that_takes_too_long_goes_on_when_it_is_asked_again(scripted, scripted_client):
    with scripted_client.session(TWO_TURNS, observables=ENERGY, name="hold") as session:
        at = numpy.array([0.1, 0.2])
        for options in ({}, {"gradient": True}):
            started = time.monotonic()
            with pytest.raises(TimeoutError) as caught:
                session.step(at, timeout=0.2, **options)
            assert caught.value.name == "deadline_exceeded"
            assert 0.15 < time.monotonic() - started < 5
            threading.Timer(0.2, scripted.release_steps).start()
            answer = session.step(at, timeout=20, **options)
            assert (answer[0] if options else answer) == pytest.approx(energy(0.1, 0.2))
        assert len(scripted.evaluations) == 2  # none was evaluated twice
        with pytest.raises(TimeoutError):
            session.evaluate(at, outputs="gradients", timeout=0.1)
        scripted.release_steps()


def test_control_c_ends_the_wait_for_a_step(scripted):
    code = f"""
import numpy, qubus, sys
client = qubus.Client({scripted.endpoint!r})
session = client.session({TWO_TURNS!r}, observables="ZZ", name="hold")
print("waiting", flush=True)
try:
    session.step(numpy.array([0.1, 0.2]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "waiting\n"
        deadline = time.monotonic() + 20
        while "Step" not in scripted.calls and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "interrupted\n"
    finally:
        process.kill()
        process.wait()


def test_scipy_minimizes_a_session(session):
    scipy_optimize = pytest.importorskip("scipy.optimize")
    found = scipy_optimize.minimize(
        session.objective(gradient=True), numpy.array([2.0, 2.5]), jac=True, method="BFGS",
        options={"gtol": 1e-6})
    assert found.success and found.fun == pytest.approx(-1.5, abs=1e-9)
    found = scipy_optimize.minimize(session.objective(), [2.0, 2.5], method="Nelder-Mead")
    assert found.fun == pytest.approx(-1.5, abs=1e-6)


# Optimizations


def test_iterations_come_in_order_and_then_the_best(session):
    optimization = session.minimize(
        "adam", initial=[2.0, 2.5], options={"learning_rate": 0.2}, max_iterations=25)
    seen = list(optimization)
    assert [iteration.number for iteration in seen] == list(range(1, 26))
    assert seen[-1].value < seen[0].value and seen[0].gradient_norm > 0
    assert seen[3].parameters.shape == (2,)
    optimum = optimization.result(timeout=10)
    assert optimum.ending == "max_iterations" and optimum.iterations == 25
    assert optimum.value == min(iteration.value for iteration in seen)
    numpy.testing.assert_array_equal(optimum.last_parameters, seen[-1].parameters)
    assert uuid.UUID(optimization.id)
    assert list(session.optimization(optimization.id, after=23))[0].number == 24
    assert session.optimization(optimization.id).result(timeout=10).iterations == 25


def test_bounds_hold(session):
    class LikeScipy:
        lb, ub = numpy.array([1.5, 2.0]), numpy.inf

    for bounds in ([(1.5, None), (2.0, 4.0)], LikeScipy()):
        optimum = session.minimize(
            initial=[2.0, 2.5], bounds=bounds, options={"learning_rate": -0.5}).result(10)
        numpy.testing.assert_array_equal(optimum.last_parameters, [1.5, 2.0])
    with pytest.raises(qubus.ValidationError) as caught:
        session.minimize(initial=[2.0, 2.5], bounds=[(0, 1)])
    assert caught.value.name == "invalid_optimizer"


def test_an_optimization_is_canceled(session):
    optimization = session.minimize(initial=[2.0, 2.5], max_iterations=1000)
    seen = []
    for iteration in optimization:
        seen.append(iteration.number)
        if iteration.number == 3:
            assert optimization.cancel() is True
    assert seen == [1, 2, 3]
    assert optimization.result(timeout=10).ending == "canceled"
    assert optimization.cancel() is False
    running = session.minimize(initial=[2.0, 2.5], max_iterations=1000)
    with pytest.raises(TimeoutError):
        running.result(timeout=0.2)
    with pytest.raises(TimeoutError):
        list(running.iterations(timeout=0.1))
    running.cancel()


def test_wrong_optimizations_are_refused(session):
    with pytest.raises(qubus.ValidationError) as caught:
        session.minimize("refused", initial=[0, 0]).result(timeout=10)
    assert caught.value.name == "invalid_optimizer"
    with pytest.raises(qubus.OptimizationNotFoundError):
        session.optimization(str(uuid.uuid4())).result(timeout=10)
    with pytest.raises(qubus.ValidationError):
        session.minimize(initial=[0, 0, 0])
    with pytest.raises(qubus.ValidationError):
        session.minimize(initial=[[0, 0], [0, 0]])
    with pytest.raises(qubus.ClientError):
        session.optimization("no id")
