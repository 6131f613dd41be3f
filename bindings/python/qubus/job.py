"""A job as the blocking client sees it."""
from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import operations, records
from ._native import (
    DEADLINE_EXCEEDED, END_OF_STREAM, SLICE_MILLISECONDS, STATUS_NAMES, TERMINAL_STATUSES, Handle,
    check, exception_from, ffi, give_error, lib, milliseconds, stream_handle, take_error, text_at)
from .errors import ClientError, QubusError, ResultNotReadyError, detached, of_name
from .progress import ProgressBar
from .records import Event
from .result import Result

if TYPE_CHECKING:
    from .client import Client
    from .spec import JobSpec

#: An answer "not ready" that came sooner did not wait on the server; pause before the next question.
_SHORTEST_WAIT = 0.05


def open_stream(job: Handle, after: int, tag: int) -> Handle:
    if not 0 <= after < 2**64:
        raise of_name(
            "invalid_request", f"after is {after}", field="after_sequence", limit="0 … 2^64-1")
    stream, error = stream_handle(), take_error()
    check(lib.qubus_stream_open(job.pointer, after, tag, stream.out, error), error)
    return stream


def new_event_struct() -> Any:
    event = ffi.new("qubus_event *")
    event.struct_size = ffi.sizeof("qubus_event")
    return event


def event_from(struct: Any) -> Event:
    """Copies an event out of the stream's memory."""
    return Event(
        STATUS_NAMES.get(struct.status, "unknown"), struct.sequence, text_at(struct.type),
        text_at(struct.reason), struct.attempt, struct.time_microseconds,
        bytes(ffi.buffer(struct.json, struct.json_bytes)))


def not_ended(job_id: str, timeout: float) -> QubusError:
    return of_name(
        "deadline_exceeded", f"job {job_id} has not ended after {timeout:g} s; it goes on")


def status_in(result: Handle) -> str:
    """The status of the job when the result was asked for."""
    return str(records.parse(ffi.string(lib.qubus_result_job_json(result.pointer)))["status"])


def is_about_the_call(failure: QubusError) -> bool:
    """True when an error tells nothing about the job: connection, time-out, missing permission."""
    return isinstance(failure, ClientError) or failure.name in (
        "job_not_found", "invalid_identifier", "server_shutting_down", "server_overloaded")


class Job:
    """A durable job. Made by `client.submit` or `client.job(id)`.

    Attributes:
        id: sortable by time of submission.
        is_duplicate: True when the submit found the job by its idempotency key.
        listed: what `client.jobs()` told about it; None for jobs from elsewhere.
    """

    __slots__ = ("_client", "_handle", "_request", "id", "listed")

    def __init__(self, client: Client, handle: Handle, request: JobSpec | None = None):
        self._client = client
        self._handle = handle
        self._request = request
        self.id = text_at(lib.qubus_job_id(handle.pointer))
        self.listed: records.JobInfo | None = None

    @property
    def is_duplicate(self) -> bool:
        return bool(lib.qubus_job_is_duplicate(self._handle.pointer))

    def info(self) -> records.JobInfo:
        """The whole job (message Job): status, reason, device, phases, cost, …"""
        return self._client._perform(operations.get_job(self.id))

    def status(self) -> str:
        """accepted, queued, reserved, running, processing_results, succeeded, failed, canceled, expired."""
        return str(self.info()["status"])

    # Waiting

    def _fetch(self, timeout: float | None, manifest_only: bool, tick: Any) -> Handle:
        """Waits for the end and fetches; 0 asks once, and raises ResultNotReadyError."""
        deadline = None if not timeout else time.monotonic() + timeout
        wait = milliseconds(timeout, default=-1)
        while True:
            asked = time.monotonic()
            try:
                return self._client._perform(
                    operations.result(self._handle, wait, manifest_only), deadline, tick)
            except ResultNotReadyError:
                if wait == 0:
                    raise
            except TimeoutError as failure:
                if timeout is None or isinstance(failure, QubusError) and time.monotonic() < (deadline or 0):
                    raise
                raise not_ended(self.id, timeout) from None
            now = time.monotonic()
            if deadline is not None:
                if now >= deadline:
                    raise not_ended(self.id, timeout or 0)
                wait = milliseconds(deadline - now, default=-1)
            if now - asked < _SHORTEST_WAIT:
                time.sleep(_SHORTEST_WAIT)

    def result(self, timeout: float | None = None, progress: bool | None = None) -> Result:
        """Waits for the end of the job and fetches its result.

        Args:
            timeout: seconds; None waits for ever, 0 only looks. The job goes on after a time-out.
            progress: True shows a bar (tqdm), False none; None shows one on a terminal.
        Raises:
            ExecutionError: the job's own error; a canceled job gives its partial result if it has one.
            TimeoutError: `deadline_exceeded`, or `result_not_ready` for a time-out of 0.
            KeyboardInterrupt: Ctrl-C; the message tells how to resume.
        """
        bar = ProgressBar(self) if ProgressBar.is_wanted(progress) else None
        try:
            native = self._fetch(timeout, False, bar)
        except KeyboardInterrupt:
            raise detached(self.id) from None
        finally:
            if bar is not None:
                bar.close()
        return Result.of_native(native, self._request)

    def wait(self, timeout: float | None = None) -> str:
        """Waits for the end of the job without its data; gives the terminal status.

        Raises:
            TimeoutError: `deadline_exceeded`, or `result_not_ready` for a time-out of 0.
        """
        try:
            native = self._fetch(timeout, True, None)
        except KeyboardInterrupt:
            raise detached(self.id) from None
        except (ResultNotReadyError, TimeoutError):
            raise
        except QubusError as failure:
            if is_about_the_call(failure):
                raise
            status = self.status()  # a job without a result answers with its own error
        else:
            status = status_in(native)
        if status not in TERMINAL_STATUSES:
            raise not_ended(self.id, timeout or 0)
        return status

    def events(self, after: int = 0, timeout: float | None = None) -> Iterator[Event]:
        """Events in order, without gap or double, until the terminal one; survives reconnects.

        Args:
            after: sequence number of the last event already seen.
            timeout: seconds to wait for each next event; None waits for ever.
        """
        struct = new_event_struct()
        try:
            return self._iterate(self._open_stream(after), struct, timeout)
        except KeyboardInterrupt:
            raise detached(self.id) from None

    def _open_stream(self, after: int) -> Handle:
        return open_stream(self._handle, after, 0)

    def _iterate(self, stream: Handle, struct: Any, timeout: float | None) -> Iterator[Event]:
        error, pointer = take_error(), stream.pointer
        try:
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                wait = SLICE_MILLISECONDS
                if deadline is not None:
                    left = (deadline - time.monotonic()) * 1000
                    wait = max(0, int(min(SLICE_MILLISECONDS, left + 1)))
                code = lib.qubus_stream_next(pointer, wait, struct, error)
                if code == 0:
                    yield event_from(struct)
                    deadline = None if timeout is None else time.monotonic() + timeout
                elif code == END_OF_STREAM:
                    return
                elif code != DEADLINE_EXCEEDED:
                    raise exception_from(code, error)
                elif deadline is not None and time.monotonic() >= deadline:
                    raise of_name(
                        "deadline_exceeded", f"no event of job {self.id} in {timeout:g} s")
        except KeyboardInterrupt:
            raise detached(self.id) from None
        finally:
            give_error(error)
            stream.free()

    # Acting on it

    def cancel(self, reason: str | None = None) -> records.CancelResult:
        """Cancels; idempotent. Outcome "before_start", "during_run" or "too_late"."""
        return self._client._perform(operations.cancel(self.id, reason))

    def annotate(self, **annotations: Any) -> records.JobInfo:
        """Sets annotations; None removes one. Gives the job as it is then."""
        return self._client._perform(operations.annotate(self.id, annotation_texts(annotations)))

    def change(
        self, *, lane: str | None = None, priority: int | None = None, device: str | None = None,
        reason: str = "",
    ) -> records.JobInfo:
        """Gives a waiting job another lane, priority or device; what is None stays.

        Args:
            lane: "interactive" (if it is small enough), "batch" or "long".
            priority: -10 to 10 among the jobs of its principal and lane; higher ones go first.
            device: its name.
            reason: kept with the job.
        """
        return records.job_of(self._client.call(
            "ChangeJob", records.change_request(self.id, lane, priority, device, reason)))

    def resubmit(self, idempotency_key: str = "") -> Job:
        """Submits the request of an ended job again; the new job's `resubmit_of` names this one."""
        info = records.job_of(self._client.call(
            "ResubmitJob", {"job_id": self.id, "idempotency_key": idempotency_key}))
        return self._client.job(info.job_id)

    def pause(self, reason: str = "") -> records.JobInfo:
        """Keeps a waiting job from its start until it is resumed; gives the job as it is then."""
        return records.job_of(self._client.call("PauseJob", {"job_id": self.id, "reason": reason}))

    def resume(self, reason: str = "") -> records.JobInfo:
        """Lets a paused job wait its turn again."""
        return records.job_of(self._client.call("ResumeJob", {"job_id": self.id, "reason": reason}))

    def hold(self, reason: str = "") -> records.JobInfo:
        """Keeps a waiting job from its start until an operator releases it; for operators."""
        return records.job_of(self._client.call("HoldJob", {"job_id": self.id, "reason": reason}))

    def release(self, reason: str = "") -> records.JobInfo:
        """Lets a held job wait its turn again; for operators."""
        return records.job_of(self._client.call("ReleaseJob", {"job_id": self.id, "reason": reason}))

    def explain(self) -> list[records.WaitConstraint]:
        """Every reason why the job does not run now; empty for one that does not wait."""
        return records.constraints(self._client.call("ExplainJob", {"job_id": self.id}))

    def replay(self, timeout: float | None = None) -> records.Replay:
        """Runs the finished job again with its seed and compares the execution hashes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        answer = self._client._perform(operations.replay(self.id))
        while (outcome := operations.replay_outcome(answer)) is None:
            again = self._client.job(answer["replay"]["job_id"])
            again.wait(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            answer = self._client._perform(operations.replay(self.id, again.id))
        return outcome

    def __repr__(self) -> str:
        return f"<qubus.Job {self.id}>"


def annotation_texts(annotations: dict[str, Any]) -> dict[str, str]:
    return {key: "" if value is None else str(value) for key, value in annotations.items()}
