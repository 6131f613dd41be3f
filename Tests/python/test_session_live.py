"""Sessions of the Python client against a live daemon; the values against the dense reference."""
import math
import os
import pathlib
import sys

import numpy
import pytest

import dense
import qubus

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Benchmarks/loop"))
from case import Case  # noqa: E402


@pytest.fixture
def serving(client):
    if "sessions" not in client.hello().features:
        reason = "this daemon does not serve sessions"
        if os.environ.get("QUBUS_REQUIRE_DAEMON"):
            pytest.fail(reason)
        pytest.skip(reason)
    return client


@pytest.mark.parametrize("qubits", [4, 5])
def test_values_and_gradients_are_those_of_the_reference(serving, qubits):
    case = Case(qubits)
    program = dense.Program(case.program)
    with serving.session(case.program, observables=case.terms) as session:
        for row in case.parameters[:3]:
            value, gradient = session.step(row, gradient=True)
            assert value == pytest.approx(dense.expectation(program.state(row), case.terms), abs=1e-11)
            numpy.testing.assert_allclose(
                gradient, dense.gradient(program, row, case.terms), atol=1e-8)


def test_rows_have_the_same_bits_in_a_batch_of_any_size_and_alone(serving):
    case, dice = Case(4), numpy.random.default_rng(5)
    rows = dice.uniform(-3, 3, (1500, len(case.places)))
    with serving.session(case.program, observables=case.terms) as session:
        alone = numpy.array([session.step(row) for row in rows])
    for size in (1500, 1071, 300, 65, 2, 1500, 1500):  # the first batch of a session each time
        with serving.session(case.program, observables=case.terms) as session:
            for _ in range(2):
                found = session.batch(rows[:size])
                wrong = numpy.flatnonzero(found != alone[:size])
                assert wrong.size == 0, f"{size} rows: {wrong[:10]} differ"


def test_one_input_changed_gives_the_same_bits_as_all_of_them(serving):
    case = Case(4)
    with serving.session(case.program, observables=case.terms) as session:
        row = case.parameters[0].copy()
        for number in range(len(row)):
            row[number] += 0.25
            moved = session.step(row, gradient=True)
            with serving.session(case.program, observables=case.terms) as fresh:
                again = fresh.step(row, gradient=True)
            assert moved[0] == again[0]
            numpy.testing.assert_array_equal(moved[1], again[1])


def test_sampled_steps_repeat_with_their_seed(serving):
    case = Case(4)

    def run():
        with serving.session(case.program, observables=case.terms, shots=200, seed=11) as session:
            steps = [session.evaluate(row) for row in case.parameters[:10]]
            return [(s.values, s.standard_errors, s.shots_used) for s in steps]

    first = run()
    assert first == run()
    program = dense.Program(case.program)
    for row, (value, error, shots) in zip(case.parameters, first):
        exact = dense.expectation(program.state(row), case.terms)
        # six standard errors: a false alarm in 10^8 steps
        assert abs(value - exact) < 6 * error + 1e-9 and shots >= 200


def test_a_session_is_resumed_and_held_by_one_client(serving, daemon):
    case = Case(4)
    session = serving.session(case.program, observables=case.terms, seed=3)
    first = session.step(case.parameters[0])
    session.detach()
    with qubus.Client(daemon.endpoint) as other:
        with other.resume_session(
                session.id, session.secret, last_sequence=session.last_sequence) as resumed:
            assert resumed.step(case.parameters[0]) == first and resumed.last_sequence == 2
            with pytest.raises(qubus.ConflictError) as caught:
                session.step(case.parameters[1])
            assert caught.value.name == "session_held_elsewhere"
        with pytest.raises(qubus.SessionNotFoundError):
            other.resume_session(session.id, b"x" * 32)


def test_bad_input_is_refused_by_its_name(serving):
    source = ('OPENQASM 3;\ninclude "stdgates.inc";\ninput float t;\nqubit[2] q;\nbit c;\n'
              'ry(t) q[0];\nc = measure q[0];\nif (c) { x q[1]; }\n')
    with pytest.raises(qubus.QubusError):
        serving.session(source, observables="ZZ")  # exact values of a program that measures inside
    plain = source.partition("c = measure")[0]
    for options in ({"observables": "ZZZ"}, {"observables": "ZZ", "idle_seconds": 0},
                    {"observables": "ZZ", "wall_seconds": -1.0}, {"observables": "ZZ", "shots": 0}):
        with pytest.raises(qubus.QubusError):
            serving.session(plain, **options)
    with serving.session(plain, observables="ZZ") as session:
        for value in (math.nan, math.inf):
            with pytest.raises(qubus.ValidationError) as caught:
                session.step([value])
            assert caught.value.name == "invalid_parameter_value"
        assert session.step([0.0]) == 1.0


def test_limits_end_a_session_and_are_named(serving):
    case = Case(4)
    with serving.session(case.program, observables=case.terms, max_steps=2) as session:
        for row in case.parameters[:2]:
            session.step(row)
        with pytest.raises(qubus.QubusError) as caught:
            session.step(case.parameters[2])
        assert caught.value.name in ("session_limit_exceeded", "session_not_found")


def test_optimizers_find_the_ground_state_of_two_spins(serving):
    source = ('OPENQASM 3;\ninclude "stdgates.inc";\ninput float a;\ninput float b;\nqubit[2] q;\n'
              'ry(a) q[0];\nry(b) q[1];\n')
    with serving.session(source, observables=[("IZ", 1.0), ("ZI", 0.5)]) as session:
        for method, iterations in (("adam", 800), ("lbfgs", 60), ("nelder_mead", 200), ("rotosolve", 10)):
            optimum = session.minimize(
                method, initial=[2.0, 2.5], max_iterations=iterations).result(timeout=30)
            assert optimum.value == pytest.approx(-1.5, abs=1e-3), method
        bounded = session.minimize(
            "lbfgs", initial=[1.0, 1.0], bounds=[(0, 2), (0, None)], max_iterations=60).result(30)
        assert bounded.parameters[0] == pytest.approx(2.0, abs=1e-6)
        running = session.minimize("adam", initial=[2.0, 2.5], options={"gradient_tolerance": 0},
                                   max_iterations=100_000_000)
        for iteration in running:
            if iteration.number == 100:
                assert running.cancel()
                break
        assert running.result(timeout=10).ending == "canceled"
