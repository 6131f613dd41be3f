"""What to run: publication units, job specifications, and their packing for libqubus."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from operator import index
from typing import TYPE_CHECKING, Any, TypedDict, Union

from ._native import NULL, UNSET, ffi, lib
from .errors import of_name
from .observables import parse_observables

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import TypeAlias

    Source: TypeAlias = Union[str, bytes, "os.PathLike[str]", "Pub"]
    Parameters: TypeAlias = Mapping[str, ArrayLike]


class SubmitOptions(TypedDict, total=False):
    """Keyword arguments of `submit`, `plan` and `JobSpec`; see `JobSpec`."""

    shots: int | None
    seed: int | None
    name: str | None
    idempotency_key: str | None
    parameters: Any
    observables: Any
    counts: bool | None
    memory: bool
    probabilities: bool
    statevector: bool
    target_precision: float | None
    device: str | None
    device_family: str | None
    device_policy: str | None
    allow_simulator_fallback: bool
    priority: str | None
    precision: str | None
    max_error: float | None
    deadline_seconds: float | None
    ttl_seconds: float | None
    expected_seconds: float | None
    max_run_seconds: float | None
    max_cost: int | None
    tags: Iterable[str]
    experiment_id: str | None
    experiment_class: str | None
    citation: str | None
    client_job_id: str | None


def program_bytes(source: Any) -> bytes:
    """UTF-8 of a program given as text, bytes or the path of a file."""
    if isinstance(source, str):
        return _utf8(source, "program")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, os.PathLike):
        with open(source, "rb") as file:
            return file.read()
    raise TypeError(
        f"a program is OpenQASM source as str or bytes, or the path of a file, not {type(source).__name__}")


def _utf8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as failure:
        raise of_name(
            "invalid_utf8", f"character {failure.start} cannot be written as UTF-8", field=field
        ) from None


class Pub:
    """Publication unit: one program with parameters and observables that broadcast, NumPy rules.

    Args:
        source: OpenQASM 2 or 3 as text or bytes, or the path of a file.
        parameters: values of the program's inputs by name, each a number or an array.
        observables: one observable or an array of them; see `qubus.observables`.
        shots: repetitions of each row; None for exact outputs only.
        counts: None asks for counts exactly when `shots` is given.
        memory: the outcome of every shot, in order.
        probabilities: exact probabilities of the outcomes.
        statevector: the final state (complex128).
        target_precision: standard error aimed at instead of a number of shots.
    """

    __slots__ = ("program", "parameters", "observables", "shots", "counts", "memory",
                 "probabilities", "statevector", "target_precision")

    def __init__(
        self, source: str | bytes | os.PathLike[str], parameters: Parameters | None = None,
        observables: Any = None, shots: int | None = None, *, counts: bool | None = None,
        memory: bool = False, probabilities: bool = False, statevector: bool = False,
        target_precision: float | None = None,
    ):
        self.program = program_bytes(source)
        self.parameters = parameters
        self.observables = observables
        self.shots = shots
        self.counts = counts
        self.memory = memory
        self.probabilities = probabilities
        self.statevector = statevector
        self.target_precision = target_precision

    @property
    def is_one_row(self) -> bool:
        """True when no parameter is an array, so that the pub's shape is ()."""
        return not self.parameters or all(
            isinstance(value, (int, float)) for value in self.parameters.values())

    def outputs(self) -> int:
        """QUBUS_OUTPUT_* of what is asked for; 0 leaves it to what is given."""
        extra = (
            (lib.QUBUS_OUTPUT_MEMORY if self.memory else 0)
            | (lib.QUBUS_OUTPUT_PROBABILITIES if self.probabilities else 0)
            | (lib.QUBUS_OUTPUT_STATEVECTOR if self.statevector else 0))
        if not extra and self.counts is None:
            return 0
        wants_counts = self.shots is not None if self.counts is None else self.counts
        outputs: int = extra
        if wants_counts:
            outputs |= lib.QUBUS_OUTPUT_COUNTS
        if self.observables is not None:
            outputs |= lib.QUBUS_OUTPUT_EXPECTATION_VALUES
        return outputs


_PUB_FIELDS = frozenset(Pub.__slots__) - {"program"} | {"source"}


def _pub_of(value: Any, defaults: dict[str, Any]) -> Pub:
    if isinstance(value, Pub):
        for field, default in defaults.items():
            if default not in (None, False) and getattr(value, field) in (None, False):
                raise ValueError(f"{field} is given for the whole list; give it in each Pub instead")
        return value
    if isinstance(value, Mapping):
        unknown = set(value) - _PUB_FIELDS
        if unknown:
            raise TypeError(f"unknown fields of a pub: {', '.join(sorted(map(str, unknown)))}")
        return Pub(**{**defaults, **value})
    return Pub(value, **defaults)


PRIORITIES = {
    None: lib.QUBUS_PRIORITY_AUTOMATIC,
    "automatic": lib.QUBUS_PRIORITY_AUTOMATIC,
    "interactive": lib.QUBUS_PRIORITY_INTERACTIVE,
    "batch": lib.QUBUS_PRIORITY_BATCH,
}


class JobSpec:
    """One job: what `client.submit` takes, as a value; for `client.submit_batch`.

    Args:
        source: a program, or a list of pubs (`Pub`, mapping, or program).
        shots, parameters, observables, counts, memory, probabilities, statevector,
            target_precision: of every pub; see `Pub`.
        seed: 0 … 2^64-1; drawn by the server and stored when None.
        idempotency_key: a second submit with the same key gives the same job; drawn when None.
        device, device_family, device_policy: where to run; policy is "cheapest", "fastest" or
            "best_fidelity".
        priority: "interactive", "batch", or None: the server chooses by predicted size.
        precision: "double" (default) or "single".
        deadline_seconds, ttl_seconds, expected_seconds, max_run_seconds: of the job, not of the call.
        max_cost: micro-units.
        name, tags, experiment_id, experiment_class, citation: the scientific frame.
    """

    __slots__ = ("pubs", "options", "seed")

    def __init__(
        self, source: Any, *, shots: int | None = None, seed: int | None = None,
        name: str | None = None, idempotency_key: str | None = None,
        parameters: Parameters | None = None, observables: Any = None,
        counts: bool | None = None, memory: bool = False, probabilities: bool = False,
        statevector: bool = False, target_precision: float | None = None,
        device: str | None = None, device_family: str | None = None,
        device_policy: str | None = None, allow_simulator_fallback: bool = False,
        priority: str | None = None, precision: str | None = None,
        max_error: float | None = None, deadline_seconds: float | None = None,
        ttl_seconds: float | None = None, expected_seconds: float | None = None,
        max_run_seconds: float | None = None, max_cost: int | None = None,
        tags: Iterable[str] = (), experiment_id: str | None = None,
        experiment_class: str | None = None, citation: str | None = None,
        client_job_id: str | None = None,
    ):
        if isinstance(source, (list, tuple, Pub)):
            defaults = {
                "parameters": parameters, "observables": observables, "shots": shots,
                "counts": counts, "memory": memory, "probabilities": probabilities,
                "statevector": statevector, "target_precision": target_precision}
            sources = [source] if isinstance(source, Pub) else source
            self.pubs = [_pub_of(element, defaults) for element in sources]
        else:
            self.pubs = [Pub(
                source, parameters, observables, shots, counts=counts, memory=memory,
                probabilities=probabilities, statevector=statevector,
                target_precision=target_precision)]
        if priority not in PRIORITIES:
            raise of_name(
                "invalid_enum_value", f"priority is {priority!r}", field="execution.priority_class",
                limit='"interactive", "batch" or None')
        if isinstance(tags, str):
            raise TypeError("tags is a list of texts, not one text")
        self.seed = seed
        self.options: dict[str, Any] = {
            "name": name, "idempotency_key": idempotency_key, "device": device,
            "device_family": device_family, "device_policy": device_policy,
            "precision": precision, "experiment_id": experiment_id,
            "experiment_class": experiment_class, "citation": citation,
            "client_job_id": client_job_id, "max_error": max_error,
            "deadline_seconds": deadline_seconds, "ttl_seconds": ttl_seconds,
            "expected_seconds": expected_seconds, "max_run_seconds": max_run_seconds,
            "max_cost": max_cost, "priority": priority,
            "allow_simulator_fallback": allow_simulator_fallback, "tags": tuple(tags)}

    @property
    def is_one_row(self) -> bool:
        return len(self.pubs) == 1 and self.pubs[0].is_one_row


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
    data = _utf8(value, field)
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


def _bad_parameter(name: str, explanation: str) -> Exception:
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


def _pack_observables(pub: Any, observables: Any, keep: list[Any]) -> None:
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
    pub.observables = array
    pub.observable_count = len(all_terms)
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
    tags = options["tags"]
    if tags:
        array = ffi.new(_TEXT_ARRAY, [text_argument(tag, "tags", keep) for tag in tags])
        keep.append(array)
        target.tags = array
        target.tag_count = len(tags)


def pack(job: JobSpec) -> tuple[Any, list[Any]]:
    """A `qubus_job_spec *` and what it points to; keep both until the call was started."""
    keep: list[Any] = []
    spec = ffi.new(_SPEC_POINTER)
    fill(spec, job, keep)
    return spec, keep
