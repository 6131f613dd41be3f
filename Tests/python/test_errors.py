"""The exception tree and the registry behind it."""
import pickle

import pytest

import qubus
from qubus import errors
from qubus._errors_generated import CLASSES, ERRORS


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry[1])
def test_every_code_of_the_registry_has_the_exception_of_its_class(entry):
    number, name, kind, *_, recovery, action, _ = entry
    error = errors.make(number, "what happened")
    assert isinstance(error, getattr(qubus, CLASSES[kind][2]))
    assert (error.code, error.name) == (number, name)
    assert error.retryable == (recovery == "retry")
    assert error.action == action and action in str(error)


def test_a_code_that_is_not_known_takes_the_class_from_its_range():
    error = errors.make(5999, "from a newer server", name="flux_capacitor_empty")
    assert type(error) is qubus.BackendError
    assert error.name == "flux_capacitor_empty"
    assert type(errors.make(123456, "?")) is qubus.QubusError


@pytest.mark.parametrize("name, builtin", [
    ("deadline_exceeded", TimeoutError), ("result_not_ready", TimeoutError),
    ("connection_failed", ConnectionError), ("connection_lost", ConnectionError),
    ("job_not_found", LookupError)])
def test_errors_that_python_has_a_word_for_are_that_too(name, builtin):
    error = errors.of_name(name, "happened")
    assert isinstance(error, builtin) and isinstance(error, qubus.QubusError)
    assert str(error).startswith(f"{name} (")


def test_an_error_survives_pickling():
    error = errors.of_name(
        "program_syntax_error", "bad", line=3, column=5, excerpt="x\n^", field="program")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is qubus.ProgramError
    assert again.__dict__ == error.__dict__ and str(again) == str(error)


def test_the_text_shows_place_and_caret_once():
    error = errors.of_name("program_syntax_error", "no such word", line=3, column=5,
                           excerpt="    wrong q;\n    ^~~~~")
    text = str(error)
    assert "line 3, column 5" in text and "    wrong q;\n    ^~~~~" in text
    again = errors.of_name("program_syntax_error", text, excerpt="    wrong q;\n    ^~~~~")
    assert str(again).count("^~~~~") == 1
