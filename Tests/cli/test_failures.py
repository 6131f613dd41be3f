"""Errors of the command line: what is said, and the exit status."""

import json

import pytest
from conftest import PROGRAMS, clean_environment, run

BELL = PROGRAMS / "bell.qasm"
UNKNOWN_JOB = "01900000-0000-7000-8000-000000000000"


def test_a_program_error_shows_its_place_with_a_caret(qubus):
    done = qubus("run", PROGRAMS / "broken.qasm", "-o", "json")
    assert done.returncode == 65
    error = json.loads(done.stdout)["error"]
    assert error["name"] == "program_syntax_error" and error["location"]["line"] in (4, 5)
    assert error["action"] and error["location"]["excerpt"] in done.stderr.replace("\n    ", "\n")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("qubus: program_syntax_error [1023]:")
    assert any(line.strip() == "^" or line.strip().startswith("^") for line in lines)
    assert any(line.startswith("  What to do: ") for line in lines)
    assert any(line.startswith("  Trace: ") for line in lines)


@pytest.mark.parametrize(
    "arguments, status, name",
    [
        (("run", BELL, "--shots", "0"), 65, "invalid_shots"),
        (("run", BELL, "--shots", "-5"), 65, "invalid_shots"),
        (("run", BELL, "--device", "sim.nothing"), 65, "unknown_device"),
        (("run", BELL, "--observable", "ZZZ"), 65, "invalid_observable"),
        (("run", BELL, "--parameter", "phi=1"), 65, "unknown_parameter"),
        (("run", PROGRAMS / "rotation.qasm", "--parameter", "theta=nan", "--probabilities"), 65,
         "invalid_parameter_value"),
        (("get", UNKNOWN_JOB), 77, "job_not_found"),
        (("watch", UNKNOWN_JOB), 77, "job_not_found"),
        (("result", UNKNOWN_JOB), 77, "job_not_found"),
        (("cancel", UNKNOWN_JOB), 77, "job_not_found"),
        (("get", "not-an-id"), 65, "invalid_identifier"),
    ])
def test_the_exit_status_is_that_of_the_errors_class(qubus, arguments, status, name):
    done = qubus(*arguments, "-o", "json")
    assert done.returncode == status, done.stderr
    assert f"qubus: {name} [" in done.stderr
    assert json.loads(done.stdout)["error"]["name"] == name


def test_a_key_used_for_another_request_is_a_conflict(qubus):
    key = ("--idempotency-key", "a key of test_failures")
    first = json.loads(qubus("submit", BELL, "--shots", 10, *key).stdout)["jobs"][0]
    again = json.loads(qubus("submit", BELL, "--shots", 10, *key).stdout)["jobs"][0]
    assert again["job_id"] == first["job_id"] and again["is_duplicate"] is True
    done = qubus("submit", BELL, "--shots", 11, *key, "-o", "json")
    assert done.returncode == 73
    assert json.loads(done.stdout)["error"]["name"] == "idempotency_conflict"


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",), ("run",), ("run", BELL, "--shots", "many"), ("run", BELL, "--seed", "-1"),
        ("run", BELL, "--parameter", "theta"), ("run", BELL, "--parameter", "theta=x"),
        ("run", BELL, "--observable", "ZZ:x"), ("run", BELL, "-o", "xml"),
        ("run", BELL, "--timeout", "-1"), ("list", "--status", "lost"), ("list", "--limit", "0"),
        ("annotate", UNKNOWN_JOB, "novalue"), ("errors", "no_such_error"),
        ("completion", "tcsh"), ("health", "--endpoint", "carrier-pigeon://coop"),
    ])
def test_wrong_use_ends_with_64(arguments):
    done = run(*arguments)
    assert done.returncode == 64 and done.stderr


def test_a_file_that_is_not_there_ends_with_66():
    done = run("run", "/no/such/file.qasm")
    assert done.returncode == 66 and "/no/such/file.qasm" in done.stderr


def test_no_daemon_ends_with_69(short_dir):
    done = run(
        "run", BELL, "-o", "json",
        env=clean_environment(QUBUS_ENDPOINT=f"ipc://{short_dir}/none.sock"))
    assert done.returncode == 69
    assert json.loads(done.stdout)["error"]["name"] == "connection_failed"
