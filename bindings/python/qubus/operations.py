"""Every request as a value: how to start its call, and what to make of its end.

`Client` waits for the end, `AsyncClient` is told of it; both carry out the same operations.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from . import records
from ._native import (
    NULL, UNSET, Handle, call_handle, check, ffi, lib, take_error, take_job, take_result, take_text)
from .packing import pack, text_argument
from .spec import JobSpec

T = TypeVar("T")


class Operation(Generic[T]):
    """`start(client pointer, tag)` gives the call; `finish(call)` what an ended call holds."""

    __slots__ = ("start", "finish")

    def __init__(self, start: Callable[[Any, int], Handle], finish: Callable[[Handle], T]):
        self.start = start
        self.finish = finish


_ARGUMENT_ARRAY = ffi.typeof("qubus_argument[]")


def _request(
    method: int, subject: str | None, arguments: Mapping[str, str],
    finish: Callable[[Handle], T], timeout_milliseconds: int = UNSET,
) -> Operation[T]:
    def start(client: Any, tag: int) -> Handle:
        keep: list[Any] = []
        about = NULL if subject is None else text_argument(subject, "subject", keep)
        packed, count = NULL, len(arguments)
        if count:
            packed = ffi.new(_ARGUMENT_ARRAY, count)
            for entry, (name, value) in zip(packed, arguments.items()):
                entry.name = text_argument(name, "name", keep)
                entry.value = text_argument(value, name, keep)
        call, error = call_handle(), take_error()
        check(lib.qubus_call_start(
            client, method, about, packed, count, timeout_milliseconds, tag, call.out, error), error)
        return call

    return Operation(start, finish)


def _as_json(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    raise TypeError(f"a {type(value).__name__} cannot stand in a request")


def call(
    method: str, request: Mapping[str, Any] | None, timeout_milliseconds: int
) -> Operation[records.Record]:
    """Any method by its name; the request is checked field by field in the library."""
    body = json.dumps(
        dict(request or {}), allow_nan=False, separators=(",", ":"), default=_as_json)

    def start(client: Any, tag: int) -> Handle:
        keep: list[Any] = []
        native, error = call_handle(), take_error()
        check(lib.qubus_call_json_start(
            client, text_argument(method, "method", keep), text_argument(body, "request", keep),
            timeout_milliseconds, tag, native.out, error), error)
        return native

    return Operation(start, _record)


def _field(name: str, kind: type[records.Record] = records.Record) -> Callable[[Handle], Any]:
    def finish(call: Handle) -> Any:
        value = records.parse(take_text(call)).get(name)
        return kind(value or {}) if kind is not records.Record else value
    return finish


def _record(call: Handle) -> records.Record:
    record: records.Record = records.parse(take_text(call))
    return record


def submit(job: JobSpec) -> Operation[Handle]:
    def start(client: Any, tag: int) -> Handle:
        spec, keep = pack(job)
        call, error = call_handle(), take_error()
        check(lib.qubus_job_submit_start(client, spec, tag, call.out, error), error)
        del keep
        return call

    return Operation(start, take_job)


def plan(job: JobSpec) -> Operation[records.Record]:
    def start(client: Any, tag: int) -> Handle:
        spec, keep = pack(job)
        call, error = call_handle(), take_error()
        check(lib.qubus_job_plan_start(client, spec, tag, call.out, error), error)
        del keep
        return call

    return Operation(start, _record)


def result(job: Handle, wait_milliseconds: int, manifest_only: bool = False) -> Operation[Handle]:
    def start(client: Any, tag: int) -> Handle:
        call, error = call_handle(), take_error()
        check(lib.qubus_job_result_start(
            job.pointer, wait_milliseconds, manifest_only, tag, call.out, error), error)
        return call

    return Operation(start, take_result)


def step(
    session: Handle, struct: Any, parameters: Any, finish: Callable[[Handle], T]
) -> Operation[T]:
    """A step of a session; `parameters` is the array that `struct` points into."""
    def start(client: Any, tag: int, keep: Any = parameters) -> Handle:
        call, error = call_handle(), take_error()
        check(lib.qubus_session_step_start(session.pointer, struct, tag, call.out, error), error)
        return call

    return Operation(start, lambda call: finish(take_result(call)))


def get_job(job_id: str) -> Operation[records.JobInfo]:
    return _request(lib.QUBUS_METHOD_GET_JOB, job_id, {}, _field("job", records.JobInfo))


def list_jobs(
    statuses: str, tags: str, name: str, batch: str, page_size: int, page_token: str
) -> Operation[records.Record]:
    arguments = {
        "statuses": statuses, "tags": tags, "name": name, "batch_id": batch,
        "page_token": page_token}
    arguments = {key: value for key, value in arguments.items() if value}
    arguments["page_size"] = str(page_size)
    return _request(lib.QUBUS_METHOD_LIST_JOBS, None, arguments, _record)


def cancel(job_id: str, reason: str | None) -> Operation[records.CancelResult]:
    def finish(call: Handle) -> records.CancelResult:
        answer = _record(call)
        return records.CancelResult(answer["outcome"], answer.get("shots_done", 0))

    arguments = {} if reason is None else {"reason": reason}
    return _request(lib.QUBUS_METHOD_CANCEL_JOB, job_id, arguments, finish)


def annotate(job_id: str, annotations: Mapping[str, str]) -> Operation[records.JobInfo]:
    return _request(
        lib.QUBUS_METHOD_ANNOTATE_JOB, job_id, annotations, _field("job", records.JobInfo))


def replay(job_id: str, replay_job_id: str | None = None) -> Operation[records.Record]:
    """Submits the replay, or compares it once it has ended."""
    arguments = {"wait_milliseconds": "0"}
    if replay_job_id is not None:
        arguments["replay_job_id"] = replay_job_id
    return _request(lib.QUBUS_METHOD_REPLAY_JOB, job_id, arguments, _record)


def replay_outcome(answer: records.Record) -> records.Replay | None:
    """The comparison, or None while the replay runs."""
    outcome = answer.get("outcome") or "unspecified"
    if outcome == "unspecified":
        return None
    hashes = records.ReplayHashes(answer.get("original_hash", ""), answer.get("replay_hash", ""))
    return records.Replay(
        outcome, hashes, answer["replay"]["job_id"], answer.get("explanation", ""),
        answer.get("total_variation_distance"))


def devices() -> Operation[list[records.Record]]:
    return _request(lib.QUBUS_METHOD_LIST_DEVICES, None, {}, _field("devices"))


def device(name: str) -> Operation[records.Record]:
    return _request(lib.QUBUS_METHOD_GET_DEVICE, name, {}, _field("device"))


def health() -> Operation[records.Record]:
    return _request(lib.QUBUS_METHOD_HEALTH, None, {}, _record)


def version() -> Operation[records.Record]:
    return _request(lib.QUBUS_METHOD_VERSION, None, {}, _record)


def hello() -> Operation[records.Record]:
    return _request(lib.QUBUS_METHOD_HELLO, None, {}, _record)


def error_catalogue() -> Operation[list[records.Record]]:
    return _request(lib.QUBUS_METHOD_ERROR_CATALOGUE, None, {}, _field("errors"))
