"""Packing of job specifications into the structs of libqubus."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from typing import TYPE_CHECKING, Any

from ._native import NULL, UNSET, ffi
from .errors import QubusError, of_name
from .observables import parse_observables
from .spec import PRIORITIES, JobSpec, Pub, utf8

if TYPE_CHECKING:
    from .spec import Parameters

_TEXTS = ("name", "idempotency_key", "device", "device_family", "device_policy", "precision",
          "experiment_id", "experiment_class", "citation", "client_job_id")
_DOUBLES = ("max_error", "deadline_seconds", "ttl_seconds", "expected_seconds", "max_run_seconds")

_CHAR_ARRAY = ffi.typeof("char[]")
_U64_ARRAY = ffi.typeof("uint64_t[]")
_DOUBLE_ARRAY = ffi.typeof("double[]")
_PUB_ARRAY = ffi.typeof("qubus_pub[]")
_PARAMETER_ARRAY = ffi.typeof("qubus_parameter[]")
_OBSERVABLE_ARRAY = ffi.typeof("qubus_observable[]")
_TERM_ARRAY = ffi.typeof("qubus_pauli_term[]")
_TEXT_ARRAY = ffi.typeof("char *[]")
_SPEC_POINTER = ffi.typeof("qubus_job_spec *")
_SPEC_SIZE = ffi.sizeof("qubus_job_spec")
_PUB_SIZE = ffi.sizeof("qubus_pub")
_PARAMETER_SIZE = ffi.sizeof("qubus_parameter")
_OBSERVABLE_SIZE = ffi.sizeof("qubus_observable")


def text_argument(value: str, field: str, keep: list[Any]) -> Any:
    """A `const char *` that lives as long as `keep`."""
    if not isinstance(value, str):
        raise TypeError(f"{field} is a text, not {type(value).__name__}")
    data = utf8(value, field)
    if b"\0" in data:
        raise of_name("nul_in_string", f"{field} holds a NUL character", field=field)
    pointer = ffi.from_buffer(_CHAR_ARRAY, data)  # CPython ends every bytes object with a NUL
    keep.append(pointer)
    return pointer


def _positive(value: Any, field: str) -> float:
    number = float(value)
    if number == 0:
        raise of_name(
            "invalid_request", f"{field} is 0", field=f"execution.{field}", limit="greater than 0")
    return number


def _pack_parameters(pub: Any, parameters: Parameters, keep: list[Any]) -> None:
    if not isinstance(parameters, Mapping):
        raise TypeError("parameters are a mapping of names to numbers or arrays")
    array = ffi.new(_PARAMETER_ARRAY, len(parameters))
    keep.append(array)
    for entry, (name, value) in zip(array, parameters.items()):
        entry.struct_size = _PARAMETER_SIZE
        entry.name = text_argument(name, "parameters[].name", keep)
        if isinstance(value, (int, float)):
            try:
                values: Any = ffi.new(_DOUBLE_ARRAY, [value])
            except OverflowError:
                raise _bad_parameter(name, f"{value} has no float64") from None
            if values[0] != value and value == value:
                raise _bad_parameter(name, f"{value} has no exact float64")
        else:
            data = _float_array(name, value)
            shape = ffi.new(_U64_ARRAY, data.shape or 1)
            entry.rank = data.ndim
            for axis, length in enumerate(data.shape):
                shape[axis] = length
            entry.shape = shape
            values = ffi.from_buffer(_DOUBLE_ARRAY, data) if data.size else ffi.new(_DOUBLE_ARRAY, 1)
            keep += (shape, data)
        entry.values = values
        keep.append(values)
    pub.parameters = array
    pub.parameter_count = len(parameters)


def _bad_parameter(name: str, explanation: str) -> QubusError:
    return of_name(
        "invalid_parameter_value", f"parameter {name!r}: {explanation}",
        field=f"parameters[{name}].values")


def _float_array(name: str, value: Any) -> Any:
    import numpy

    try:
        given = numpy.asarray(value)
    except ValueError as failure:
        raise of_name(
            "invalid_parameter_shape", f"parameter {name!r} is no array: {failure}",
            field=f"parameters[{name}]") from None
    if given.dtype.kind not in "biuf":
        raise _bad_parameter(name, f"values are of type {given.dtype}, not real numbers")
    data = numpy.ascontiguousarray(given, dtype=numpy.float64).reshape(given.shape)
    if given.dtype.kind in "iu" and given.dtype.itemsize == 8 and given.size:
        if max(abs(int(given.max())), abs(int(given.min()))) > 2**53:
            raise _bad_parameter(name, "whole numbers beyond 2^53 have no exact float64")
    return data


def observable_array(observables: Any, keep: list[Any]) -> tuple[tuple[int, ...], Any, int]:
    """Shape, `qubus_observable *` and count of observables; they live as long as `keep`."""
    shape, all_terms = parse_observables(observables)
    array = ffi.new(_OBSERVABLE_ARRAY, len(all_terms))
    keep.append(array)
    for entry, terms in zip(array, all_terms):
        packed = ffi.new(_TERM_ARRAY, len(terms) or 1)
        for target, (pauli, coefficient) in zip(packed, terms):
            target.pauli = text_argument(pauli, "observables", keep)
            target.coefficient = coefficient
        keep.append(packed)
        entry.struct_size = _OBSERVABLE_SIZE
        entry.terms = packed
        entry.term_count = len(terms)
    return shape, array, len(all_terms)


def text_array(texts: Iterable[str], field: str, keep: list[Any]) -> tuple[Any, int]:
    """`char **` and count of texts; they live as long as `keep`."""
    if isinstance(texts, str):
        raise TypeError(f"{field} is a list of texts, not one text")
    pointers = [text_argument(text, field, keep) for text in texts]
    if not pointers:
        return NULL, 0
    array = ffi.new(_TEXT_ARRAY, pointers)
    keep.append(array)
    return array, len(pointers)


def _pack_observables(pub: Any, observables: Any, keep: list[Any]) -> None:
    shape, pub.observables, pub.observable_count = observable_array(observables, keep)
    if shape:
        lengths = ffi.new(_U64_ARRAY, list(shape))
        keep.append(lengths)
        pub.observables_shape = lengths
        pub.observables_rank = len(shape)


def _pack_pub(pub: Any, source: Pub, keep: list[Any]) -> None:
    pub.struct_size = _PUB_SIZE
    program = ffi.from_buffer(_CHAR_ARRAY, source.program)
    keep.append(program)
    pub.program = program
    pub.program_bytes = len(source.program)
    shots = source.shots
    if shots is None:
        pub.shots = UNSET
    else:
        shots = index(shots)
        if not -2**63 < shots < 2**63:
            raise of_name(
                "invalid_shots", f"shots are {shots}", field="pubs[].shots",
                limit="a positive number; the server names its limit")
        pub.shots = shots
    pub.outputs = source.outputs()
    if source.target_precision is not None:
        precision = float(source.target_precision)
        if not precision > 0:
            raise of_name(
                "invalid_request", f"target_precision is {precision}",
                field="pubs[].target_precision", limit="greater than 0")
        pub.target_precision = precision
    if source.parameters:
        _pack_parameters(pub, source.parameters, keep)
    if source.observables is not None:
        _pack_observables(pub, source.observables, keep)


def fill(target: Any, job: JobSpec, keep: list[Any]) -> None:
    """Writes `job` into a zeroed `qubus_job_spec`; what it points to lives as long as `keep`."""
    target.struct_size = _SPEC_SIZE
    target.max_cost = UNSET
    pubs = ffi.new(_PUB_ARRAY, len(job.pubs) or 1)
    keep.append(pubs)
    for pub, source in zip(pubs, job.pubs):
        _pack_pub(pub, source, keep)
    target.pubs = pubs if job.pubs else NULL
    target.pub_count = len(job.pubs)
    if job.seed is not None:
        seed = index(job.seed)
        if not 0 <= seed < 2**64:
            raise of_name(
                "invalid_seed", f"the seed is {seed}", field="execution.seed", limit="0 … 2^64-1")
        target.has_seed = 1
        target.seed = seed
    options = job.options
    for field in _TEXTS:
        value = options[field]
        if value is not None:
            setattr(target, field, text_argument(value, field, keep))
    for field in _DOUBLES:
        value = options[field]
        if value is not None:
            setattr(target, field, _positive(value, field))
    if options["max_cost"] is not None:
        cost = index(options["max_cost"])
        if not -2**63 < cost < 2**63:
            raise of_name(
                "invalid_request", f"max_cost is {cost}", field="execution.max_cost",
                limit="below 2^63 micro-units")
        target.max_cost = cost
    if options["priority"] is not None:
        target.priority_class = PRIORITIES[options["priority"]]
    if options["allow_simulator_fallback"]:
        target.allow_simulator_fallback = 1
    target.tags, target.tag_count = text_array(options["tags"], "tags", keep)
    target.after, target.after_count = text_array(job.after, "after", keep)
    target.after_ok, target.after_ok_count = text_array(job.after_ok, "after_ok", keep)


def pack(job: JobSpec) -> tuple[Any, list[Any]]:
    """A `qubus_job_spec *` and what it points to; keep both until the call was started."""
    keep: list[Any] = []
    spec = ffi.new(_SPEC_POINTER)
    fill(spec, job, keep)
    return spec, keep
