"""qubus run: formats, outputs and parameters."""

import csv
import io
import json

import pytest
from conftest import PROGRAMS

BELL = PROGRAMS / "bell.qasm"
ROTATION = PROGRAMS / "rotation.qasm"


def test_json_is_one_object_with_the_documented_members(qubus):
    done = qubus("run", BELL, "--shots", 1000, "--seed", 7, "--name", "bell", "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema_version"] == 1 and result["status"] == "succeeded"
    assert result["name"] == "bell" and result["is_partial"] is False
    assert int(result["seed"]) == 7 and result["device"] == "sim.statevector"
    assert set(result["counts"]) == {"00", "11"} and sum(result["counts"].values()) == 1000
    assert result["provenance"]["job_id"] == result["job_id"] and result["execution_hash"]


def test_the_same_seed_gives_the_same_counts_and_hash(qubus):
    one, two = (json.loads(qubus("run", BELL, "--seed", 5).stdout) for _ in range(2))
    assert one["job_id"] != two["job_id"]
    assert (one["counts"], one["execution_hash"]) == (two["counts"], two["execution_hash"])


def test_json_is_what_a_pipe_gets_and_a_program_may_come_from_one(qubus):
    done = qubus("run", "-", stdin=BELL.read_text())
    assert sum(json.loads(done.stdout)["counts"].values()) == 1024


def test_csv_has_one_line_an_outcome(qubus):
    done = qubus("run", BELL, "--shots", 100, "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["outcome"] for row in rows} == {"00", "11"}
    assert sum(int(row["count"]) for row in rows) == 100


def test_jsonl_is_the_events_and_then_the_result(qubus):
    done = qubus("run", BELL, "-o", "jsonl")
    *events, result = [json.loads(line) for line in done.stdout.splitlines()]
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "succeeded" and sum(result["counts"].values()) == 1024


def test_table_shows_outcomes_and_shares(qubus):
    done = qubus("run", BELL, "--seed", 7, "-o", "table")
    assert done.returncode == 0
    for word in ("outcome", "share", "sim.statevector", "succeeded", "█"):
        assert word in done.stdout


def test_memory_agrees_with_counts(qubus):
    result = json.loads(qubus("run", BELL, "--shots", 50, "--memory").stdout)
    assert len(result["memory"]) == 50
    assert {bits: result["memory"].count(bits) for bits in set(result["memory"])} == result["counts"]


def test_exact_outputs_need_no_shots(qubus):
    done = qubus(
        "run", ROTATION, "--parameter", "theta=0", "--probabilities", "--statevector")
    result = json.loads(done.stdout)
    assert "counts" not in result
    assert result["probabilities"] == pytest.approx([1, 0, 0, 0])
    assert result["statevector"][0] == pytest.approx([1, 0])


def test_several_values_make_one_row_each(qubus):
    done = qubus(
        "run", ROTATION, "--parameter", "theta=0,3.141592653589793", "--observable", "ZI",
        "-o", "json")
    assert json.loads(done.stdout)["expectation_values"] == pytest.approx([1, -1])
    done = qubus(
        "run", ROTATION, "--parameter", "theta=0", "--observable", "ZZ:1.0,XI:0.5", "-o", "csv")
    assert done.stdout.splitlines() == ["pub,index,value", "0,0,1.0"]
