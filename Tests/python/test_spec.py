"""What the package refuses before it sends anything, and what it packs."""
import math
import pathlib

import numpy
import pytest

import qubus
from qubus._native import ffi, lib
from qubus.observables import parse_observables
from qubus.packing import pack
from qubus.spec import JobSpec


def refused(code, /, *arguments, **options):
    with pytest.raises(qubus.ValidationError) as caught:
        pack(JobSpec(*arguments, **options))
    assert caught.value.name == code
    return caught.value


@pytest.mark.parametrize("seed", [-1, 2**64, 2**200])
def test_a_seed_that_64_bits_cannot_hold_is_refused(seed):
    error = refused("invalid_seed", "", seed=seed)
    assert error.violations[0]["field"] == "execution.seed"
    assert "2^64-1" in error.violations[0]["limit"]


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1, numpy.uint64(2**64 - 1)])
def test_every_64_bit_seed_is_packed(seed):
    spec, _ = pack(JobSpec("", seed=seed))
    assert spec.has_seed == 1 and spec.seed == int(seed)


def test_no_seed_is_not_seed_zero():
    spec, _ = pack(JobSpec(""))
    assert spec.has_seed == 0


@pytest.mark.parametrize("shots", [0, -1, 10**12])
def test_shots_within_64_bits_are_for_the_server_to_judge(shots):
    spec, _ = pack(JobSpec("", shots=shots))
    assert spec.pubs[0].shots == shots


@pytest.mark.parametrize("shots", [2**63, -2**63, -2**80])
def test_shots_beyond_64_bits_and_the_mark_for_unset_are_refused(shots):
    refused("invalid_shots", "", shots=shots)


def test_absent_shots_are_unset():
    spec, _ = pack(JobSpec(""))
    assert spec.pubs[0].shots == lib.QUBUS_UNSET
    assert spec.max_cost == lib.QUBUS_UNSET


def test_shots_are_a_whole_number():
    with pytest.raises(TypeError):
        pack(JobSpec("", shots=10.5))


@pytest.mark.parametrize("field", ["deadline_seconds", "ttl_seconds", "max_run_seconds", "max_error"])
def test_a_zero_that_would_mean_unset_is_refused(field):
    assert refused("invalid_request", "", **{field: 0}).violations[0]["field"] == f"execution.{field}"


@pytest.mark.parametrize("value", [0, -1.0, math.nan])
def test_a_target_precision_that_would_mean_unset_is_refused(value):
    refused("invalid_request", "", target_precision=value)


def test_nan_parameters_go_to_the_server():
    spec, _ = pack(JobSpec("", parameters={"a": math.nan}))
    assert math.isnan(spec.pubs[0].parameters[0].values[0])


@pytest.mark.parametrize("value, name", [
    (1j, "invalid_parameter_value"), ("0.1", "invalid_parameter_value"),
    (None, "invalid_parameter_value"), (2**53 + 1, "invalid_parameter_value"),
    (10**400, "invalid_parameter_value"), ([2**60 + 1], "invalid_parameter_value"),
    ([[1, 2], [3]], "invalid_parameter_shape")])
def test_parameters_that_no_float64_holds_are_refused(value, name):
    assert "theta" in str(refused(name, "", parameters={"theta": value}))


@pytest.mark.parametrize("value, shape", [
    (0.5, ()), (3, ()), (True, ()), ([0.1, 0.2], (2,)), (numpy.ones((2, 3)), (2, 3)),
    (numpy.float32(0.5), ()), (numpy.arange(6).reshape(2, 3).T, (3, 2)), ([], (0,))])
def test_parameters_are_packed_row_major_with_their_shape(value, shape):
    spec, keep = pack(JobSpec("", parameters={"x": value}))
    packed = spec.pubs[0].parameters[0]
    assert tuple(packed.shape[axis] for axis in range(packed.rank)) == shape
    expected = numpy.asarray(value, float).reshape(-1).tolist()
    assert [packed.values[i] for i in range(len(expected))] == expected
    assert ffi.string(packed.name) == b"x" and keep


@pytest.mark.parametrize("field", ["name", "idempotency_key", "device", "citation"])
def test_a_nul_in_a_text_is_refused_by_field(field):
    assert refused("nul_in_string", "", **{field: "a\0b"}).violations[0]["field"] == field


def test_a_lone_surrogate_is_no_utf8():
    refused("invalid_utf8", "\ud800")
    refused("invalid_utf8", "", name="\udfff")


def test_a_program_keeps_its_nul_for_the_server_to_refuse():
    spec, _ = pack(JobSpec(b"a\0b"))
    assert spec.pubs[0].program_bytes == 3


def test_a_program_may_be_a_file(tmp_path):
    path = pathlib.Path(tmp_path / "p.qasm")
    path.write_text("OPENQASM 3; // é")
    assert JobSpec(path).pubs[0].program == "OPENQASM 3; // é".encode()


def test_unknown_words_are_refused():
    with pytest.raises(TypeError):
        JobSpec("", shot=5)
    with pytest.raises(TypeError):
        JobSpec([{"source": "", "shot": 5}])
    with pytest.raises(TypeError):
        JobSpec("", tags="one")
    refused("invalid_enum_value", "", priority="urgent")


def test_outputs_follow_what_is_asked_for():
    def outputs(**options):
        spec, _ = pack(JobSpec("", **options))
        return spec.pubs[0].outputs

    counts, memory = lib.QUBUS_OUTPUT_COUNTS, lib.QUBUS_OUTPUT_MEMORY
    assert outputs(shots=5) == 0
    assert outputs(shots=5, memory=True) == counts | memory
    assert outputs(shots=5, memory=True, counts=False) == memory
    assert outputs(probabilities=True) == lib.QUBUS_OUTPUT_PROBABILITIES
    assert outputs(statevector=True, observables="ZZ") == (
        lib.QUBUS_OUTPUT_STATEVECTOR | lib.QUBUS_OUTPUT_EXPECTATION_VALUES)


def test_pubs_take_what_is_said_for_all_of_them():
    job = JobSpec([{"source": "a", "shots": 3}, "b"], shots=5)
    assert [pub.shots for pub in job.pubs] == [3, 5]
    with pytest.raises(ValueError):
        JobSpec([qubus.Pub("a")], shots=5)


@pytest.mark.parametrize("value, shape, count", [
    ("ZZ", (), 1), (("ZZ", 2), (), 1), ([("ZZ", 1.0), ("XI", 0.5)], (), 1),
    ([["ZZ", 1.0]], (), 1), ({"ZZ": 1, "XX": 2}, (), 1), (["ZZ", "XX"], (2,), 2),
    ([[("ZZ", 1.0)], [("XX", 1.0)]], (2,), 2), ([{"ZZ": 1}], (1,), 1),
    (numpy.array([["ZZ", "XX"], ["YY", "II"]]), (2, 2), 4), ([["ZZ", "XX"]], (1, 2), 2)])
def test_observables_are_read_as_written(value, shape, count):
    found, terms = parse_observables(value)
    assert found == shape and len(terms) == count


def test_one_observable_keeps_all_its_terms():
    assert parse_observables([("ZZ", 1.0), ("XI", 0.5 + 0j)]) == ((), [[("ZZ", 1.0), ("XI", 0.5)]])


@pytest.mark.parametrize("value", [[], [[]], 5, [["ZZ"], ["XX", "YY"]], {"ZZ": 1j}, [("ZZ", 1), "XX", 5]])
def test_observables_that_make_no_array_are_refused(value):
    refused("invalid_observable", "", observables=value)


def test_jobs_to_wait_for_are_given_by_themselves_or_by_their_ids():
    class Named:
        id = "018f3f5e-7c1a-7000-8000-0123456789ab"

    spec, _ = pack(JobSpec("", after=[Named(), "b"], after_ok=iter(["c"])))
    assert spec.after_count == 2 and spec.after_ok_count == 1
    found = [ffi.string(spec.after[0]), ffi.string(spec.after[1]), ffi.string(spec.after_ok[0])]
    assert found == [Named.id.encode(), b"b", b"c"]
    assert pack(JobSpec(""))[0].after_count == 0


@pytest.mark.parametrize("given", ["018f3f5e-7c1a-7000-8000-0123456789ab", None, 7, [7], [None]])
def test_what_names_no_jobs_to_wait_for_is_refused(given):
    for field in ("after", "after_ok"):
        with pytest.raises(TypeError, match=field):
            JobSpec("", **{field: given})
    refused("nul_in_string", "", after=["a\0"])
