"""Circuits that no one here wrote, with the distributions that Qiskit Aer gives; see the README
beside them for the criterion.
"""
import json
import math
import os
import pathlib

import pytest

import qubus

SHOTS = 100_000
CORPUS = os.environ.get("QUBUS_CORPUS")
EXPECTED = {}
if CORPUS:
    EXPECTED = json.loads((pathlib.Path(CORPUS) / "qasmbench-small/expected.json").read_text())

pytestmark = pytest.mark.skipif(not CORPUS, reason="QUBUS_CORPUS is not set")

INVALID = ["hhl_n10.qasm", "vqe_uccsd_n4.qasm", "vqe_uccsd_n6.qasm", "vqe_uccsd_n8.qasm"]
RUN = sorted(set(EXPECTED) - set(INVALID))
#: Examples of the OpenQASM 3 specification that run; the outcome where there is one.
EXAMPLES = {
    "adder.qasm": "10000", "inverseqft1.qasm": "0000", "inverseqft2.qasm": "0", "ipe.qasm": None,
    "qft.qasm": None, "qpt.qasm": None, "rb.qasm": None, "teleport.qasm": None}
#: Those that need what this version lacks: subroutines, arrays, timing, calibration, externs.
EXAMPLES_BEYOND = [
    "alignment.qasm", "arrays.qasm", "dd.qasm", "defcal.qasm", "gateteleport.qasm", "qec.qasm",
    "scqec.qasm", "t1.qasm", "vqe.qasm"]


def source(folder, name):
    return (pathlib.Path(CORPUS) / folder / name).read_bytes()


def test_the_corpus_is_complete():
    assert len(RUN) == 39


@pytest.mark.parametrize("name", RUN)
def test_a_circuit_agrees_with_its_distribution(client, name):
    expected = EXPECTED[name]["probabilities"]
    result = client.submit(source("qasmbench-small", name), shots=SHOTS, seed=20).result(timeout=120)
    counts = result.counts
    assert sum(counts.values()) == SHOTS
    assert {len(bits) for bits in counts} == {EXPECTED[name]["clbits"]}
    distance = sum(
        abs(counts.get(bits, 0) / SHOTS - expected.get(bits, 0.0))
        for bits in counts.keys() | expected.keys()) / 2
    assert distance <= 0.01 + 1.2 * math.sqrt(len(expected) / SHOTS)


@pytest.mark.parametrize("name", [n for n in RUN if EXPECTED[n]["kind"] == "exact"])
def test_an_exact_circuit_agrees_in_its_probabilities(client, name):
    expected = EXPECTED[name]["probabilities"]
    result = client.submit(source("qasmbench-small", name), probabilities=True).result(timeout=120)
    found = result.probabilities_dict()
    for bits in found.keys() | expected.keys():
        assert abs(found.get(bits, 0.0) - expected.get(bits, 0.0)) <= 1e-9, bits


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_circuit_is_refused_with_line_and_column(client, name):
    text = source("qasmbench-small", name)
    with pytest.raises(qubus.ProgramError) as caught:
        client.submit(text, shots=SHOTS)
    error = caught.value
    line = text.decode().splitlines()[error.line - 1]
    assert line[error.column - 1:].startswith(error.text)
    assert error.name == "undeclared_identifier"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_specification_runs(client, name):
    plan = client.plan(source("openqasm3-examples", name), shots=100)
    assert plan.pubs[0].qubit_count > 0
    result = client.submit(
        source("openqasm3-examples", name), shots=1000, seed=1).result(timeout=120)
    assert sum(result.counts.values()) == 1000
    if EXAMPLES[name] is not None:
        outcomes = set(result.counts)
        assert outcomes == {EXAMPLES[name]} or EXAMPLES[name] == "0" and set("".join(outcomes)) == {"0"}


@pytest.mark.parametrize("name", EXAMPLES_BEYOND)
def test_an_example_beyond_this_version_is_refused_by_the_name_of_its_feature(client, name):
    with pytest.raises(qubus.ProgramError) as caught:
        client.submit(source("openqasm3-examples", name), shots=10)
    assert caught.value.name == "unsupported_program_feature"
    assert caught.value.line and caught.value.column
