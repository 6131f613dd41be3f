"""The door to libqubus: handles with owners, texts, and errors turned into exceptions."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

from . import errors
from ._qubus import ffi as ffi
from ._qubus import lib as lib

if TYPE_CHECKING:
    from collections.abc import Mapping

if lib.qubus_abi_version() != lib.QUBUS_ABI_VERSION:
    raise ImportError(
        f"the package qubus was compiled for ABI {lib.QUBUS_ABI_VERSION} of libqubus, but ABI "
        f"{lib.qubus_abi_version()} was loaded; install the package again over this library")

UNSET: int = lib.QUBUS_UNSET
NULL = ffi.NULL
OK = lib.QUBUS_OK
DEADLINE_EXCEEDED = lib.QUBUS_E_DEADLINE_EXCEEDED
END_OF_STREAM = lib.QUBUS_E_END_OF_STREAM

#: Longest uninterrupted wait inside the library, so that Ctrl-C is seen soon.
SLICE_MILLISECONDS = 80

_ERROR_POINTER = ffi.typeof("qubus_error *")
_error_pool: list[Any] = []


def take_error() -> Any:
    """An error struct from the pool; give it back with `give_error` when the call succeeded."""
    try:
        return _error_pool.pop()
    except IndexError:
        error = ffi.new(_ERROR_POINTER)
        error.struct_size = ffi.sizeof("qubus_error")
        return error


give_error = _error_pool.append


def text_at(pointer: Any) -> str:
    """The NUL-terminated UTF-8 text at a `const char *`; "" for NULL."""
    return ffi.string(pointer).decode("utf-8", "replace") if pointer else ""


def exception_from(code: int, error: Any) -> errors.QubusError:
    """The exception of a failed call. Does not give `error` back."""
    details: Mapping[str, Any] = {}
    raw = ffi.string(error.details_json)
    if raw:
        try:
            details = json.loads(raw)
        except ValueError:  # cut at the size of the struct
            details = {}
    retry_after = error.retry_after_milliseconds
    return errors.make(
        code,
        text_at(error.message),
        name=text_at(error.name) or None,
        retryable=bool(error.retryable),
        retry_after=None if retry_after == UNSET else retry_after / 1000,
        action=text_at(error.action) or None,
        trace_id=text_at(error.trace_id) or None,
        violations=details.get("violations") or (),
        details=details.get("details") or {},
        line=error.line or None,
        column=error.column or None,
        text=text_at(error.text) or None,
        excerpt=text_at(error.excerpt) or None,
    )


def check(code: int, error: Any) -> None:
    """Raises what the call says, and gives `error` back to the pool."""
    if code:
        failure = exception_from(code, error)
        give_error(error)
        raise failure
    give_error(error)


class Handle:
    """Owns a `qubus_x *` through the `qubus_x **` that its maker filled."""

    __slots__ = ("out", "_free", "__weakref__")

    def __init__(self, out: Any, free: Callable[[Any], None]):
        self.out = out
        self._free = free

    @property
    def pointer(self) -> Any:
        return self.out[0]

    def free(self) -> None:
        self._free(self.out)

    def __del__(self) -> None:
        self._free(self.out)


_CALL_OUT = ffi.typeof("qubus_call **")
_JOB_OUT = ffi.typeof("qubus_job **")
_TEXT_OUT = ffi.typeof("qubus_text **")
_RESULT_OUT = ffi.typeof("qubus_result **")
_STREAM_OUT = ffi.typeof("qubus_stream **")
_free_call = lib.qubus_call_free
_free_job = lib.qubus_job_free
_free_result = lib.qubus_result_free
_free_stream = lib.qubus_stream_free


def call_handle() -> Handle:
    return Handle(ffi.new(_CALL_OUT), _free_call)


def job_handle() -> Handle:
    return Handle(ffi.new(_JOB_OUT), _free_job)


def stream_handle() -> Handle:
    return Handle(ffi.new(_STREAM_OUT), _free_stream)


def take_job(call: Handle) -> Handle:
    job, error = job_handle(), take_error()
    check(lib.qubus_call_take_job(call.pointer, job.out, error), error)
    return job


def take_result(call: Handle) -> Handle:
    result, error = Handle(ffi.new(_RESULT_OUT), _free_result), take_error()
    check(lib.qubus_call_take_result(call.pointer, result.out, error), error)
    return result


def take_text(call: Handle) -> bytes:
    out, error = ffi.new(_TEXT_OUT), take_error()
    check(lib.qubus_call_take_text(call.pointer, out, error), error)
    return take_text_of(out)


def take_text_of(out: Any) -> bytes:
    """What a `qubus_text **` holds; frees it."""
    text = bytes(ffi.buffer(lib.qubus_text_data(out[0]), lib.qubus_text_bytes(out[0])))
    lib.qubus_text_free(out)
    return text


def milliseconds(seconds: float | None, *, default: int) -> int:
    """Whole milliseconds, rounded up; `default` when `seconds` is None."""
    if seconds is None:
        return default
    if seconds != seconds:
        raise ValueError("a time-out must be a number of seconds, not NaN")
    if seconds <= 0:
        return 0
    if seconds > 2**43:  # also infinity: for ever
        return 2**53
    return min(-int(-seconds * 1000 // 1), 2**53)


STATUS_NAMES: dict[int, str] = {
    number: text_at(lib.qubus_job_status_name(number)) for number in range(1, 10)}
TERMINAL_STATUSES = frozenset(
    name for number, name in STATUS_NAMES.items() if lib.qubus_job_status_is_terminal(number))
