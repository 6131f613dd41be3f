"""A session as the blocking client sees it: a compiled program in the daemon, evaluated by steps."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy

from . import operations, records
from ._native import (
    DEADLINE_EXCEEDED, SLICE_MILLISECONDS, Handle, check, exception_from, ffi, lib, milliseconds,
    take_error, take_text_of, text_at)
from .errors import QubusError, of_name
from .operations import Operation
from .optimization import Optimization, attach_optimization, pack_optimization, start_optimization
from .packing import text_argument
from .session_spec import output_names
from .step import (
    DOUBLES, FLOAT64, StepResult, StepShape, asked_outputs, new_step_struct, parameter_rows,
    pointer_of, read_only_pointer_of, step_limits)

if TYPE_CHECKING:
    from .client import Client
    from .optimization import Bounds

_SESSION_OUT = ffi.typeof("qubus_session **")
_free_session = lib.qubus_session_free
_step = lib.qubus_session_step
_from_buffer = ffi.from_buffer
_VALUES, _GRADIENTS = lib.QUBUS_STEP_VALUES, lib.QUBUS_STEP_GRADIENTS
_NUMBERS = _VALUES | _GRADIENTS
_NULL = ffi.NULL
_ndarray, _empty = numpy.ndarray, numpy.empty


def session_handle() -> Handle:
    return Handle(ffi.new(_SESSION_OUT), _free_session)


class SessionFacts:
    """What both clients know of an open session without asking the server.

    Attributes:
        id: of the session, sortable by time.
        parameters: names of the program's inputs, in the order of a row.
        observable_count, qubit_count, bit_count: of the program.
        outputs: names of what steps may ask for.
    """

    def __init__(self, handle: Handle):
        pointer = handle.pointer
        self._handle = handle
        self.id = text_at(lib.qubus_session_id(pointer))
        self.parameters = tuple(
            text_at(lib.qubus_session_parameter_name(pointer, number))
            for number in range(lib.qubus_session_parameter_count(pointer)))
        self.observable_count: int = lib.qubus_session_observable_count(pointer)
        self.qubit_count: int = lib.qubus_session_qubit_count(pointer)
        self.bit_count: int = lib.qubus_session_bit_count(pointer)
        self.outputs = output_names(lib.qubus_session_outputs(pointer))
        self._shape = StepShape(self.parameters, self.observable_count, self.bit_count)
        self._is_detached = False

    @property
    def secret(self) -> bytes:
        """Whoever has it can take the session over: see `resume_session`."""
        pointer = lib.qubus_session_secret(self._handle.pointer)
        return bytes(ffi.buffer(pointer, lib.QUBUS_SESSION_SECRET_BYTES))

    @property
    def last_sequence(self) -> int:
        """Number of the step answered last; 0 before the first."""
        return int(lib.qubus_session_last_sequence(self._handle.pointer))

    def detach(self) -> None:
        """From here on the session outlives this object, until its own limits end it."""
        lib.qubus_session_detach(self._handle.pointer)
        self._is_detached = True

    def _starting(
        self, parameters: Any, outputs: int, shots: int | None, target_error: float | None
    ) -> Operation[StepResult]:
        """A step as a call of its own, with any outputs."""
        array, rows = parameter_rows(parameters, self.parameters)
        struct = new_step_struct()
        struct.outputs, struct.rows = outputs, rows or 1
        struct.parameters = read_only_pointer_of(array) if array.size else _NULL
        step_limits(struct, shots, target_error)
        shape = self._shape
        return operations.step(
            self._handle, struct, array, lambda native: shape.result_of(native, rows))

    def _rows_of(self, rows: Any) -> Any:
        if len(self.parameters) != 1 or isinstance(rows, Mapping):
            return rows
        array = numpy.asarray(rows)
        return array.reshape(-1, 1) if array.ndim == 1 else array

    def __repr__(self) -> str:
        return (f"<qubus.{type(self).__name__} {self.id}: {self.qubit_count} qubits, "
                f"{len(self.parameters)} parameters, {self.observable_count} observables>")


class Session(SessionFacts):
    """A program resident in the daemon. Made by `client.session` or `client.resume_session`.

    A context manager that closes it. Threads may share it; its steps are ordered.
    """

    def __init__(self, client: Client, handle: Handle):
        super().__init__(handle)
        self._client = client
        self._pointer = handle.pointer
        self._lock = threading.Lock()
        self._count = len(self.parameters)
        self._row = (self._count,)
        self._error = take_error()
        # Of steps with one row, whose structs and buffers are used again.
        self._values = ffi.new(DOUBLES, max(1, self.observable_count))
        self._row_errors = numpy.full(self.observable_count, numpy.nan)
        self._value_step = self._row_struct(_VALUES)
        self._gradient_step = self._row_struct(_NUMBERS)
        self._errors = self._row_errors  # of the last step
        self._is_plain = self.observable_count == 1 and self._count > 0

    def _row_struct(self, outputs: int) -> Any:
        step = new_step_struct()
        step.outputs = outputs
        step.values, step.values_capacity = self._values, self.observable_count
        step.gradients_capacity = self.observable_count * self._count
        if self.observable_count:
            step.standard_errors = pointer_of(self._row_errors)
            step.standard_errors_capacity = self.observable_count
        return step

    # Steps

    def step(
        self, parameters: Any = None, gradient: bool = False, *, shots: int | None = None,
        target_error: float | None = None, out: Any = None, gradient_out: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """Evaluates the observables at one row of parameters, or at many.

        A contiguous float64 array is sent from where it is; what comes back is written into the
        memory of the arrays that are returned.

        Args:
            parameters: [parameters] or [rows, parameters], or a mapping of names to numbers or
                arrays; None for a program without inputs.
            gradient: also the derivatives by every parameter.
            shots, target_error: of this step; None takes the session's.
            out, gradient_out: float64 arrays that take the values and the gradients.
            timeout: seconds; None waits as long as it takes. The same call may be made again after
                a time-out, or after Ctrl-C, and goes on with the same step.
        Returns:
            The value: a float for one row and one observable, else an array [rows],
            [observables] or [rows, observables]. With `gradient` a pair of it and the
            gradients, whose last axis is the parameters.
        Raises:
            ValidationError: parameter_count_mismatch, invalid_parameter_value, invalid_step.
            SessionNotFoundError: it was closed, or ended by one of its limits.
            ConflictError: session_held_elsewhere, when another client took it over.
        """
        if (self._is_plain and type(parameters) is _ndarray and parameters.dtype is FLOAT64
                and parameters.shape == self._row and out is None and gradient_out is None
                and shots is None and target_error is None and parameters.flags.c_contiguous):
            memory = _from_buffer(DOUBLES, parameters)
            if gradient:
                derivatives = _empty(self._count)
                target = _from_buffer(DOUBLES, derivatives)
            with self._lock:
                if gradient:
                    struct = self._gradient_step
                    struct.gradients = target
                else:
                    struct = self._value_step
                struct.parameters = memory
                self._errors = self._row_errors
                wait = SLICE_MILLISECONDS if timeout is None else _first_wait(timeout)
                code = _step(self._pointer, struct, wait, self._error)
                if code:
                    self._wait(code, struct, timeout, wait)
                value = self._values[0]
            return (value, derivatives) if gradient else value
        return self._step_into_arrays(parameters, gradient, shots, target_error, out, gradient_out,
                                      timeout)

    def _step_into_arrays(
        self, parameters: Any, gradient: bool, shots: int | None, target_error: float | None,
        out: Any, gradient_out: Any, timeout: float | None,
    ) -> Any:
        found = self._evaluate(
            parameters, _NUMBERS if gradient else _VALUES, shots, target_error, out, gradient_out,
            timeout)
        return (found.values, found.gradients) if gradient else found.values

    def _evaluate(
        self, parameters: Any, outputs: int, shots: int | None, target_error: float | None,
        out: Any, gradient_out: Any, timeout: float | None,
    ) -> StepResult:
        """A step of values and gradients into arrays of numpy."""
        array, rows = parameter_rows(parameters, self.parameters)
        lines, found = rows or 1, StepResult()
        struct = new_step_struct()
        struct.outputs, struct.rows = outputs, lines
        struct.parameters = read_only_pointer_of(array) if array.size else _NULL
        step_limits(struct, shots, target_error)
        shape = self._shape
        if outputs & _VALUES:
            values = _target(out, shape.of_values(rows), "out")
            struct.values, struct.values_capacity = pointer_of(values), values.size
        if outputs & _GRADIENTS:
            gradients = _target(gradient_out, shape.of_gradients(rows), "gradient_out")
            found.gradients = gradients
            struct.gradients_capacity = gradients.size
            struct.gradients = pointer_of(gradients) if gradients.size else _NULL
        errors = _empty(lines * self.observable_count)
        struct.standard_errors, struct.standard_errors_capacity = pointer_of(errors), errors.size
        with self._lock:
            wait = _first_wait(timeout)
            code = _step(self._pointer, struct, wait, self._error)
            if code:
                self._wait(code, struct, timeout, wait)
            self._errors = errors
        if outputs & _VALUES:
            found.values = values if values.ndim else float(values)
            if struct.shots_used:
                found.standard_errors = shape.number_or_array(errors, rows)
        found.sequence, found.shots_used = struct.sequence, struct.shots_used
        found.device_nanoseconds, found.norm_drift = struct.device_nanoseconds, struct.norm_drift
        found.was_repeated, found.was_rebuilt = bool(struct.was_repeated), bool(struct.was_rebuilt)
        return found

    def _wait(self, code: int, struct: Any, timeout: float | None, waited: int) -> None:
        """Goes on with a step whose first slice of waiting passed; here Ctrl-C is seen."""
        deadline = None if timeout is None else time.monotonic() + timeout - waited / 1000
        error = self._error
        while code == DEADLINE_EXCEEDED:
            wait = SLICE_MILLISECONDS
            if deadline is not None:
                left = (deadline - time.monotonic()) * 1000
                if left <= 0:
                    raise exception_from(code, error)
                wait = min(wait, int(left) + 1)
            code = _step(self._pointer, struct, wait, error)
        if code:
            raise exception_from(code, error)

    @property
    def standard_errors(self) -> Any:
        """Of the values of the last step of `step` or `evaluate`; NaN when they are exact."""
        with self._lock:
            array = self._errors.copy()
        rows = array.size // max(1, self.observable_count)
        return self._shape.number_or_array(array, rows if rows > 1 else 0)

    def evaluate(
        self, parameters: Any = None, *, outputs: str | Iterable[str] = "values",
        shots: int | None = None, target_error: float | None = None, timeout: float | None = None,
    ) -> StepResult:
        """One step and everything that is known about it.

        Args:
            outputs: of "values", "gradients", "counts" and "statevector"; the session must have
                been opened with them.
        """
        mask = asked_outputs(outputs)
        if not mask & ~_NUMBERS:
            return self._evaluate(parameters, mask, shots, target_error, None, None, timeout)
        operation = self._starting(parameters, mask, shots, target_error)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            try:
                return self._client._perform(operation, deadline)
            except TimeoutError as failure:
                if isinstance(failure, QubusError):
                    raise
                raise of_name("deadline_exceeded", f"no answer after {timeout:g} s") from None

    def gradient(
        self, parameters: Any = None, *, shots: int | None = None,
        target_error: float | None = None, out: Any = None, timeout: float | None = None,
    ) -> numpy.ndarray[Any, Any]:
        """The derivatives alone: [parameters], with [rows] and [observables] before it."""
        found: numpy.ndarray[Any, Any] = self._evaluate(
            parameters, _GRADIENTS, shots, target_error, None, out, timeout).gradients
        return found

    def batch(self, rows: Any, gradient: bool = False, **options: Any) -> Any:
        """Many rows in one step: `step` of [rows, parameters].

        A program with one parameter may be given a plain list of its values.
        """
        return self.step(self._rows_of(rows), gradient, **options)

    def counts(
        self, parameters: Any = None, shots: int | None = None, *, timeout: float | None = None
    ) -> Any:
        """How often each outcome was seen: {"00": 509, "11": 515}; a list of them for rows."""
        return self.evaluate(parameters, outputs="counts", shots=shots, timeout=timeout).counts

    def statevector(
        self, parameters: Any = None, *, timeout: float | None = None
    ) -> numpy.ndarray[Any, Any]:
        """The final state, complex128, [2^qubits]; qubit 0 is the least significant bit."""
        found = self.evaluate(parameters, outputs="statevector", timeout=timeout)
        state: numpy.ndarray[Any, Any] = found.statevector
        return state

    def objective(
        self, gradient: bool = False, *, observable: int = 0, shots: int | None = None
    ) -> Callable[..., Any]:
        """A function of a parameter vector for `scipy.optimize.minimize`.

        Args:
            gradient: it then gives (value, gradient), for `jac=True`.
            observable: which one, in a session of several.
        """
        if not 0 <= observable < max(1, self.observable_count):
            raise of_name(
                "invalid_argument", f"observable is {observable}", field="observable",
                limit=f"0 … {self.observable_count - 1}")
        if self._is_plain:
            def one(parameters: Any) -> Any:
                return self.step(parameters, gradient, shots=shots)
            return one

        def of_several(parameters: Any) -> Any:
            found = self.step(parameters, gradient, shots=shots)
            if gradient:
                return float(found[0][observable]), found[1][observable]
            return float(found[observable])
        return of_several

    # The loop in the daemon

    def minimize(
        self, method: str = "adam", initial: Any = None, *, bounds: Bounds = None,
        options: dict[str, float] | None = None, observable: int = 0,
        max_iterations: int | None = None, max_evaluations: int | None = None,
        max_shots: int | None = None, max_cost: int | None = None,
        max_seconds: float | None = None, max_device_seconds: float | None = None,
        shots: int | None = None, target_error: float | None = None, seed: int | None = None,
    ) -> Optimization:
        """Starts an optimizer in the daemon: no round trip between its iterations.

        Args:
            method: "adam", "lbfgs", "spsa", "nelder_mead" or "rotosolve".
            initial: parameters to start from; None is all zeros.
            bounds: (lower, upper) for each parameter, None where there is none; or an object
                with `lb` and `ub`, as `scipy.optimize.Bounds`.
            options: of the method, for example {"learning_rate": 0.1}; docs/optimizers.md lists them.
            observable: which one is minimized.
            max_iterations, …, max_device_seconds: limits; the first that is reached ends it.
        Returns:
            An iterable of `Iteration`s with `.result()` and `.cancel()`.
        """
        spec, keep = pack_optimization(
            self.parameters, method, initial, bounds, options, observable, shots, target_error, seed,
            {"max_iterations": max_iterations, "max_evaluations": max_evaluations,
             "max_shots": max_shots, "max_cost": max_cost},
            {"max_seconds": max_seconds, "max_device_seconds": max_device_seconds})
        started = start_optimization(self._handle, spec, 0)
        del keep
        return Optimization(self, started)

    def optimization(self, optimization_id: str, *, after: int = 0) -> Optimization:
        """Watches an optimization that was started before, from iteration `after` + 1 on."""
        return Optimization(self, attach_optimization(self._handle, optimization_id, after, 0))

    # The session itself

    def info(self, *, timeout: float | None = None) -> records.SessionInfo:
        """The message Session: state, limits in force, steps, device_microseconds, memory, …"""
        return describe_native(self._handle, timeout, self._client._call_timeout)

    def close(self, *, timeout: float | None = None) -> None:
        """Ends the session at the server; idempotent. A detached one is closed too."""
        close_native(self._handle, timeout, self._client._call_timeout)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._is_detached:
            return
        try:
            self.close()
        except QubusError:
            if kind is None:  # else the exception on its way tells more
                raise


def _first_wait(timeout: float | None) -> int:
    return SLICE_MILLISECONDS if timeout is None else min(
        SLICE_MILLISECONDS, milliseconds(timeout, default=0))


def _target(given: Any, shape: tuple[int, ...], field: str) -> numpy.ndarray[Any, Any]:
    """The array that takes the numbers: the caller's, or a new one."""
    if given is None:
        return numpy.empty(shape)
    if (not isinstance(given, numpy.ndarray) or given.dtype != FLOAT64 or given.shape != shape
            or not given.flags.c_contiguous or not given.flags.writeable):
        wanted = f"a writeable, contiguous float64 array of shape {shape}"
        raise of_name("invalid_argument", f"{field} is not {wanted}", field=field, limit=wanted)
    return given


def open_session(client: Handle, spec: Any, keep: list[Any], wait: int) -> Handle:
    session, error = session_handle(), take_error()
    check(lib.qubus_session_open(client.pointer, spec, wait, session.out, error), error)
    del keep  # what the spec points to lived until here
    return session


def resume_native(
    client: Handle, session_id: str, secret: bytes, last_sequence: int, wait: int
) -> Handle:
    size = lib.QUBUS_SESSION_SECRET_BYTES
    if not isinstance(secret, (bytes, bytearray)) or len(secret) != size:
        raise of_name(
            "invalid_argument", "secret is not what `session.secret` gave", field="secret",
            limit=f"{size} bytes")
    if not 0 <= last_sequence < 2**64:
        raise of_name(
            "invalid_argument", f"last_sequence is {last_sequence}", field="last_sequence",
            limit="0 … 2^64-1")
    keep: list[Any] = []
    session, error = session_handle(), take_error()
    check(lib.qubus_session_resume(
        client.pointer, text_argument(session_id, "session_id", keep), bytes(secret), last_sequence,
        wait, session.out, error), error)
    return session


def describe_native(session: Handle, timeout: float | None, default: int) -> records.SessionInfo:
    out, error = ffi.new("qubus_text **"), take_error()
    check(lib.qubus_session_describe(
        session.pointer, milliseconds(timeout, default=default), out, error), error)
    told = records.parse(take_text_of(out))
    return records.SessionInfo(told.get("session", told))


def close_native(session: Handle, timeout: float | None, default: int) -> None:
    error = take_error()
    check(lib.qubus_session_close(
        session.pointer, milliseconds(timeout, default=default), error), error)


def list_native(
    client: Handle, include_ended: bool, wait: int
) -> list[records.SessionInfo]:
    out, error = ffi.new("qubus_text **"), take_error()
    check(lib.qubus_client_sessions(client.pointer, include_ended, wait, out, error), error)
    told = records.parse(take_text_of(out))
    return [records.SessionInfo(entry) for entry in told.get("sessions", ())]
