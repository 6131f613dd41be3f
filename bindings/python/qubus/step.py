"""Parameters on their way into a step, and what comes out of it."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from ._native import Handle, ffi, lib
from .arrays import native_arrays
from .errors import of_name
from .lazy import lazy
from .records import parse
from .result import _bit_strings
from .session_spec import OUTPUT_BITS, output_mask, whole_number

#: numpy's own float64; an array of it passes its memory on as it is.
FLOAT64 = numpy.dtype(numpy.float64)
DOUBLES = ffi.typeof("double[]")
_STEP_POINTER = ffi.typeof("qubus_step *")


def new_step_struct() -> Any:
    step = ffi.new(_STEP_POINTER)
    step.struct_size = ffi.sizeof("qubus_step")
    step.rows = 1
    return step


def pointer_of(array: Any) -> Any:
    """The memory of a contiguous float64 array that is written to; the array must outlive it."""
    return ffi.from_buffer(DOUBLES, array, True)


def read_only_pointer_of(array: Any) -> Any:
    return ffi.from_buffer(DOUBLES, array)


def float_array(value: Any, field: str) -> numpy.ndarray[Any, Any]:
    """Any real numbers as a contiguous float64 array; without a copy where it is one."""
    if type(value) is numpy.ndarray and value.dtype is FLOAT64 and value.flags.c_contiguous:
        return value
    try:
        given = numpy.asarray(value)
    except ValueError as failure:
        raise of_name(
            "invalid_parameter_shape", f"{field} are no array: {failure}", field=field) from None
    if given.dtype.kind not in "biuf":
        raise of_name(
            "invalid_parameter_value", f"{field} are of type {given.dtype}, not real numbers",
            field=field)
    if given.ndim == 0:  # ascontiguousarray would make a row of it
        return given.astype(FLOAT64)
    return numpy.ascontiguousarray(given, dtype=FLOAT64)


def named_values(values: Mapping[str, Any], names: tuple[str, ...]) -> numpy.ndarray[Any, Any]:
    """Values by name in the order of the program's inputs; arrays of them become rows."""
    unknown = [name for name in values if name not in names]
    if unknown:
        raise of_name(
            "unknown_parameter", f"the program has no input {unknown[0]!r}", field="parameters",
            limit=", ".join(names) or "none: the program has no inputs")
    missing = [name for name in names if name not in values]
    if missing:
        raise of_name(
            "parameter_count_mismatch", f"no value for {', '.join(missing)}", field="parameters",
            limit=f"{len(names)} values: {', '.join(names)}")
    columns = [float_array(values[name], f"parameters[{name}]") for name in names]
    try:
        rows = numpy.broadcast_arrays(*columns)
    except ValueError:
        shapes = ", ".join(f"{n} {c.shape}" for n, c in zip(names, columns) if c.ndim)
        raise of_name(
            "invalid_parameter_shape", f"values do not broadcast: {shapes}", field="parameters"
        ) from None
    return numpy.ascontiguousarray(numpy.stack(rows, axis=-1)) if rows else numpy.empty(0)


def parameter_rows(parameters: Any, names: tuple[str, ...]) -> tuple[numpy.ndarray[Any, Any], int]:
    """A contiguous float64 array and its number of rows; 0 rows stand for one without an axis.

    Raises:
        ValidationError: parameter_count_mismatch, invalid_parameter_shape, unknown_parameter.
    """
    count = len(names)
    if parameters is None:
        array = numpy.empty(0)
    elif isinstance(parameters, Mapping):
        array = named_values(parameters, names)
    else:
        array = float_array(parameters, "parameters")
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim > 2:
        raise of_name(
            "invalid_parameter_shape", f"parameters have {array.ndim} axes", field="parameters",
            limit="[parameters] or [rows, parameters]")
    if array.shape[-1] != count:
        raise of_name(
            "parameter_count_mismatch",
            f"{array.shape[-1]} parameters are given, the program has {count}: "
            f"{', '.join(names) or 'none'}", field="parameters", limit=str(count))
    if array.ndim == 1:
        return array, 0
    if array.shape[0] == 0:
        raise of_name("invalid_step", "the batch has no rows", field="rows", limit="1 or more")
    return array, array.shape[0]


def step_limits(step: Any, shots: int | None, target_error: float | None) -> None:
    """Shots and target of one step; 0 in the struct leaves them to the session."""
    if shots is not None:
        step.shots = _above_zero(whole_number(shots, "shots"), "shots", "invalid_shots")
    if target_error is not None:
        step.target_error = _above_zero(float(target_error), "target_error", "invalid_step")


def _above_zero(value: Any, field: str, name: str) -> Any:
    if not value > 0:
        raise of_name(name, f"{field} is {value}", field=field, limit="greater than 0")
    return value


class StepResult:
    """What one step gave; arrays are None where they were not asked for.

    Attributes:
        values: expectation values; a float for one row and one observable, else an array [rows],
            [observables] or [rows, observables].
        gradients: their derivatives, with a last axis of parameters.
        standard_errors: of the values, of the same shape; None when they are exact.
        statevector: complex128, [2^qubits] or [rows, 2^qubits].
        shots_used: over all rows and groups of the step.
        sequence: number of the step within its session.
        device_nanoseconds: what was charged.
        was_repeated: the server had answered it before a lost connection.
        was_rebuilt: the plan was made anew for it.
        norm_drift: how far the norm of the state was from 1.
    """

    def __init__(self, **found: Any):
        self.values: Any = None
        self.gradients: Any = None
        self.standard_errors: Any = None
        self.statevector: Any = None
        self.shots_used = 0
        self.sequence = 0
        self.device_nanoseconds = 0
        self.was_repeated = False
        self.was_rebuilt = False
        self.norm_drift = 0.0
        self._counts: Any = None
        self.__dict__.update(found)

    @lazy
    def counts(self) -> Any:
        """How often each outcome was seen, highest bit leftmost: a dictionary, or a list of them."""
        if self._counts is None:
            return None
        keys, values, bounds, bits, is_one = self._counts
        words = len(keys) // len(values) if values else 1
        texts = _bit_strings(keys, words, bits)
        rows = [dict(zip(texts[a:b], values[a:b])) for a, b in zip(bounds, bounds[1:])]
        return rows[0] if is_one else rows

    def __repr__(self) -> str:
        shown = [name for name in OUTPUT_BITS if getattr(self, name) is not None]
        return f"<qubus.StepResult {self.sequence}: {', '.join(shown)}>"


class StepShape:
    """How the arrays of a session's steps look to the caller."""

    __slots__ = ("names", "observables", "bits")

    def __init__(self, names: tuple[str, ...], observables: int, bits: int):
        self.names = names
        self.observables = observables
        self.bits = bits

    def of_values(self, rows: int) -> tuple[int, ...]:
        """Shape of the values; `rows` 0 is one row without an axis."""
        return (rows,) * (rows > 0) + (self.observables,) * (self.observables != 1)

    def of_gradients(self, rows: int) -> tuple[int, ...]:
        return (*self.of_values(rows), len(self.names))

    def number_or_array(self, array: numpy.ndarray[Any, Any], rows: int) -> Any:
        shaped = array.reshape(self.of_values(rows))
        return shaped if shaped.ndim else float(shaped)

    def result_of(self, native: Handle, rows: int) -> StepResult:
        """What a step that was started gave, as views of the memory of libqubus."""
        told = ffi.string(lib.qubus_result_provenance_json(native.pointer))  # the message StepResponse
        found = {key: value for key, value in parse(told).items() if key in _FACTS}
        arrays = native_arrays(native).get(0, {})
        for name in ("values", "standard_errors"):
            if name in arrays:
                found[name] = self.number_or_array(arrays[name].numpy, rows)
        if "gradients" in arrays:
            found["gradients"] = arrays["gradients"].numpy.reshape(self.of_gradients(rows))
        if "statevector" in arrays:
            state = arrays["statevector"].numpy
            found["statevector"] = state.reshape(-1, state.shape[-1]) if rows else state.reshape(-1)
        if "counts.values" in arrays:
            found["_counts"] = (
                *(arrays[f"counts.{part}"].unsigned() for part in ("keys", "values", "offsets")),
                self.bits, rows == 0)
        return StepResult(**found)


_FACTS = frozenset({"sequence", "shots_used", "device_nanoseconds", "was_repeated", "was_rebuilt",
                    "norm_drift"})


def asked_outputs(outputs: Any) -> int:
    mask = output_mask(outputs)
    if not mask:
        raise of_name(
            "invalid_outputs", "a step without outputs", field="outputs", limit=", ".join(OUTPUT_BITS))
    return mask
