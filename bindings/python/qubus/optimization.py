"""An optimization that runs in the daemon: iterations as they come, the best at the end."""
from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from ._native import (
    DEADLINE_EXCEEDED, END_OF_STREAM, OK, SLICE_MILLISECONDS, UNSET, Handle, check, exception_from,
    ffi, give_error, lib, milliseconds, take_error, text_at)
from .errors import of_name
from .packing import text_argument
from .session_spec import seed_number, whole_number
from .step import float_array, parameter_rows, read_only_pointer_of, step_limits

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from .session import Session

    Bounds: TypeAlias = Any

_OPTIMIZATION_OUT = ffi.typeof("qubus_optimization **")
_SPEC_POINTER = ffi.typeof("qubus_optimization_spec *")
_OPTION_ARRAY = ffi.typeof("qubus_option[]")


class Iteration(NamedTuple):
    """One iteration: `number` from 1, the value and parameters after it."""

    number: int
    value: float
    #: None for methods without gradients.
    gradient_norm: float | None
    parameters: numpy.ndarray[Any, Any]
    #: So far, at the end of the batch that it came with.
    evaluations: int
    shots_used: int
    device_microseconds: int


class Optimum(NamedTuple):
    """The end of an optimization; `parameters` and `value` are the best that were met."""

    parameters: numpy.ndarray[Any, Any]
    value: float
    last_parameters: numpy.ndarray[Any, Any]
    last_value: float
    iterations: int
    evaluations: int
    shots_used: int
    device_microseconds: int
    #: converged, stalled, max_iterations, max_evaluations, max_shots, max_seconds,
    #: max_device_seconds, max_cost or canceled.
    ending: str


def bound_arrays(bounds: Any, count: int) -> tuple[Any, Any] | None:
    """Lower and upper bounds; infinite where there is none."""
    if bounds is None:
        return None
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        pairs = numpy.broadcast_arrays(bounds.lb, bounds.ub, numpy.empty(count))[:2]
        lower, upper = (numpy.array(side, dtype=numpy.float64) for side in pairs)
    else:
        listed = list(bounds)
        if len(listed) != count:
            raise of_name(
                "invalid_optimizer", f"{len(listed)} bounds are given", field="bounds",
                limit=f"{count}, one for each parameter")
        lower = numpy.array([-numpy.inf if low is None else low for low, _ in listed], float)
        upper = numpy.array([numpy.inf if high is None else high for _, high in listed], float)
    return lower, upper


def pack_optimization(
    names: tuple[str, ...], method: str, initial: Any, bounds: Any,
    options: Mapping[str, float] | None, observable: int, shots: int | None,
    target_error: float | None, seed: int | None, numbers: Mapping[str, int | None],
    seconds: Mapping[str, float | None],
) -> tuple[Any, list[Any]]:
    """A `qubus_optimization_spec *` and what it points to; keep both until it was started."""
    keep: list[Any] = []
    spec = ffi.new(_SPEC_POINTER)
    spec.struct_size = ffi.sizeof("qubus_optimization_spec")
    spec.observable = observable
    spec.method = text_argument(method, "method", keep)
    if initial is None:
        initial = numpy.zeros(len(names))
    start, rows = parameter_rows(initial, names)
    if rows:
        raise of_name(
            "invalid_parameter_shape", f"initial has {rows} rows", field="initial", limit="one row")
    start = float_array(start, "initial")
    spec.initial = read_only_pointer_of(start)
    keep.append(start)
    sides = bound_arrays(bounds, len(names))
    if sides is not None:
        spec.lower, spec.upper = map(read_only_pointer_of, sides)
        keep.append(sides)
    if options:
        array = ffi.new(_OPTION_ARRAY, len(options))
        keep.append(array)
        for entry, (name, value) in zip(array, options.items()):
            entry.name = text_argument(name, "options", keep)
            entry.value = float(value)
        spec.options, spec.option_count = array, len(options)
    for field, number in numbers.items():
        setattr(spec, field, UNSET if number is None else whole_number(number, field))
    for field, limit in seconds.items():
        setattr(spec, field, float("nan") if limit is None else float(limit))
    step_limits(spec, shots, target_error)
    if seed is not None:
        spec.seed, spec.has_seed = seed_number(seed), 1
    return spec, keep


def start_optimization(session: Handle, spec: Any, tag: int) -> Handle:
    started, error = _handle(), take_error()
    check(lib.qubus_optimization_start(session.pointer, spec, tag, started.out, error), error)
    return started


def attach_optimization(session: Handle, optimization_id: str, after: int, tag: int) -> Handle:
    if not 0 <= after < 2**64:
        raise of_name(
            "invalid_argument", f"after is {after}", field="after_iteration", limit="0 … 2^64-1")
    keep: list[Any] = []
    watched, error = _handle(), take_error()
    check(lib.qubus_optimization_attach(
        session.pointer, text_argument(optimization_id, "optimization_id", keep), after, tag,
        watched.out, error), error)
    return watched


def _handle() -> Handle:
    return Handle(ffi.new(_OPTIMIZATION_OUT), lib.qubus_optimization_free)


def new_iteration_struct() -> Any:
    struct = ffi.new("qubus_iteration *")
    struct.struct_size = ffi.sizeof("qubus_iteration")
    return struct


def _copied(pointer: Any, count: int) -> numpy.ndarray[Any, Any]:
    if not count:
        return numpy.empty(0)
    return numpy.frombuffer(ffi.buffer(pointer, 8 * count)).copy()


def iteration_from(struct: Any) -> Iteration:
    """Copies an iteration out of the memory of the optimization."""
    norm = struct.gradient_norm
    return Iteration(
        struct.number, struct.value, None if norm != norm else norm,
        _copied(struct.parameters, struct.parameter_count), struct.evaluations, struct.shots_used,
        struct.device_microseconds)


def optimum_of(handle: Handle, wait: int, error: Any) -> tuple[int, Optimum | None]:
    """Code of the wait, and the end once there is one."""
    struct = ffi.new("qubus_optimum *")
    struct.struct_size = ffi.sizeof("qubus_optimum")
    code = lib.qubus_optimization_result(handle.pointer, wait, struct, error)
    if code:
        return code, None
    count = struct.parameter_count
    return OK, Optimum(
        _copied(struct.best, count), struct.best_value, _copied(struct.last, count),
        struct.last_value, struct.iterations, struct.evaluations, struct.shots_used,
        struct.device_microseconds, text_at(struct.ending))


class Optimization:
    """A running optimization; iterate over it, or wait for its `result`. See `Session.minimize`.

    It goes on in the daemon when this object is gone: `session.optimization(id, after=number)`
    watches it again.
    """

    __slots__ = ("_session", "_handle")

    def __init__(self, session: Session, handle: Handle):
        self._session = session
        self._handle = handle

    @property
    def id(self) -> str:
        """"" until the server has told it, which is with the first iterations."""
        return text_at(lib.qubus_optimization_id(self._handle.pointer))

    def __iter__(self) -> Iterator[Iteration]:
        return self.iterations()

    def iterations(self, timeout: float | None = None) -> Iterator[Iteration]:
        """Iterations in order until the last; `timeout` seconds for each next one."""
        struct, error, pointer = new_iteration_struct(), take_error(), self._handle.pointer
        following = lib.qubus_optimization_next
        try:
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                wait = SLICE_MILLISECONDS
                if deadline is not None:
                    left = (deadline - time.monotonic()) * 1000
                    wait = max(0, int(min(SLICE_MILLISECONDS, left + 1)))
                code = following(pointer, wait, struct, error)
                if code == OK:
                    yield iteration_from(struct)
                    deadline = None if timeout is None else time.monotonic() + timeout
                elif code == END_OF_STREAM:
                    return
                elif code != DEADLINE_EXCEEDED:
                    raise exception_from(code, error)
                elif deadline is not None and time.monotonic() >= deadline:
                    raise of_name("deadline_exceeded", f"no iteration in {timeout:g} s")
        finally:
            give_error(error)

    def result(self, timeout: float | None = None) -> Optimum:
        """Waits for the end; iterations that were not read are skipped.

        Raises:
            ExecutionError: optimizer_diverged, and errors of an evaluation.
            TimeoutError: it has not ended; it goes on.
        """
        error = take_error()
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                wait = SLICE_MILLISECONDS
                if deadline is not None:
                    left = (deadline - time.monotonic()) * 1000
                    wait = max(0, int(min(SLICE_MILLISECONDS, left + 1)))
                code, found = optimum_of(self._handle, wait, error)
                if found is not None:
                    return found
                if code != DEADLINE_EXCEEDED:
                    raise exception_from(code, error)
                if deadline is not None and time.monotonic() >= deadline:
                    raise of_name(
                        "deadline_exceeded",
                        f"the optimization has not ended after {timeout:g} s; it goes on")
        finally:
            give_error(error)

    def cancel(self, *, timeout: float | None = None) -> bool:
        """Stops it at the server; `result` then tells the best so far. True if it was running."""
        return cancel_native(self._handle, milliseconds(timeout, default=30_000))

    def __repr__(self) -> str:
        return f"<qubus.Optimization {self.id or 'starting'}>"


def cancel_native(optimization: Handle, wait: int) -> bool:
    was_running, error = ffi.new("int32_t *"), take_error()
    check(lib.qubus_optimization_cancel(optimization.pointer, wait, was_running, error), error)
    return bool(was_running[0])
