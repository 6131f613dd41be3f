"""The asyncio client: completions come over the readiness descriptor of libqubus, no threads wait."""
from __future__ import annotations

import asyncio
import functools
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import operations, records
from ._native import (
    DEADLINE_EXCEEDED, END_OF_STREAM, OK, TERMINAL_STATUSES, Handle, check, exception_from, ffi,
    give_error, lib, milliseconds, take_error, text_at)
from .client import (
    as_specs, attach_native, batch_outcomes, call_outcome, open_native, status_filter, tag_filter,
    with_client_versions)
from .credentials import Credentials, set_native_token
from .errors import QubusError, ResultNotReadyError, of_name
from .job import (
    _SHORTEST_WAIT, annotation_texts, event_from, is_about_the_call, new_event_struct, not_ended,
    open_stream, status_in)
from .operations import Operation
from .records import Event
from .result import Estimate, Result
from .spec import JobSpec

if TYPE_CHECKING:
    import datetime

    from typing_extensions import Unpack

    from .asynchronous_session import AsyncSession
    from .session_spec import SessionOptions
    from .spec import EstimateOptions, SubmitOptions

T = TypeVar("T")


class AsyncClient:
    """The client as coroutines; belongs to the event loop that it was made in.

    Made by `await qubus.connect(endpoint)`; an asynchronous context manager. Cancelling a task
    that waits ends its call at the server; a job that was submitted goes on.
    """

    def __init__(self, handle: Handle, call_timeout: float | None = None):
        self._handle = handle
        self._call_timeout = milliseconds(call_timeout, default=30_000)
        self._loop = asyncio.get_running_loop()
        self._tags = itertools.count(1)
        self._futures: dict[int, asyncio.Future[None]] = {}
        self._streams: dict[int, asyncio.Event] = {}
        self._tag_out = ffi.new("uint64_t *")
        error = take_error()
        descriptor = lib.qubus_client_descriptor(handle.pointer, error)
        check(error.code if descriptor < 0 else OK, error)
        self._descriptor = descriptor
        self._is_closed = False
        self._loop.add_reader(descriptor, self._drain)

    # Completions

    def _drain(self) -> None:
        """Takes every completion that waits and wakes its task."""
        tag_out, pointer = self._tag_out, self._handle.pointer
        while lib.qubus_client_next_completion(pointer, tag_out, ffi.NULL) == OK:
            tag = tag_out[0]
            future = self._futures.get(tag)
            if future is not None:
                if not future.done():
                    future.set_result(None)
            elif tag in self._streams:
                self._streams[tag].set()

    async def _perform(self, operation: Operation[T], timeout: float | None = None) -> T:
        """Starts a call, sleeps until its completion comes, finishes it."""
        if self._is_closed:
            raise of_name("client_closed", "the client is closed")
        tag = next(self._tags)
        future = self._futures[tag] = self._loop.create_future()
        try:
            call = operation.start(self._handle.pointer, tag)
            try:
                if timeout is None:
                    await future
                else:
                    await asyncio.wait_for(future, timeout)
                failure = call_outcome(call)
                if failure is not None:
                    raise failure
                return operation.finish(call)
            finally:
                call.free()
        finally:
            del self._futures[tag]

    async def close(self) -> None:
        """Ends open calls with `client_closed`. Jobs go on at the server."""
        if self._is_closed:
            return
        self._is_closed = True
        lib.qubus_client_close(self._handle.pointer)
        self._loop.remove_reader(self._descriptor)
        for future in self._futures.values():
            if not future.done():
                future.set_result(None)
        for event in self._streams.values():
            event.set()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def endpoint(self) -> str:
        return text_at(lib.qubus_client_endpoint(self._handle.pointer))

    # Jobs

    async def submit(self, source: Any, **options: Unpack[SubmitOptions]) -> AsyncJob:
        """See `Client.submit`."""
        spec = JobSpec(source, **options)
        return AsyncJob(self, await self._perform(operations.submit(spec)), spec)

    async def submit_batch(
        self, specs: Iterable[Any], *, return_exceptions: bool = False
    ) -> list[Any]:
        """Submits many jobs, pipelined, each by itself: they are no batch for `cancel_batch`.

        See `Client.submit_batch`.
        """
        jobs = as_specs(specs)
        outcomes = await asyncio.gather(
            *(self._perform(operations.submit(job)) for job in jobs), return_exceptions=True)
        made: list[Any] = []
        for outcome, spec in zip(outcomes, jobs):
            if isinstance(outcome, BaseException):
                if not isinstance(outcome, QubusError):
                    raise outcome
                made.append(outcome)
            else:
                made.append(AsyncJob(self, outcome, spec))
        return batch_outcomes(made, return_exceptions)

    async def cancel_batch(self, batch_id: str, reason: str = "") -> records.BatchCancelResult:
        """See `Client.cancel_batch`."""
        return records.canceled_batch(
            await self.call("CancelBatch", {"batch_id": batch_id, "reason": reason}))

    async def plan(self, source: Any, **options: Unpack[SubmitOptions]) -> records.Record:
        """See `Client.plan`."""
        return await self._perform(operations.plan(JobSpec(source, **options)))

    async def estimate(
        self, source: Any, observables: Any, parameters: Any = None, *,
        timeout: float | None = None, **options: Unpack[EstimateOptions],
    ) -> Estimate:
        """See `Client.estimate`."""
        job = await self.submit(source, observables=observables, parameters=parameters, **options)
        return Estimate(await job.result(timeout=timeout))

    def job(self, job_id: str) -> AsyncJob:
        """A job by its id; does not ask the server."""
        return AsyncJob(self, attach_native(self._handle, job_id))

    async def jobs(
        self, status: str | Iterable[str] | None = None, *, tags: str | Iterable[str] = (),
        name: str | None = None, batch: str | None = None, limit: int | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[AsyncJob]:
        """See `Client.jobs`."""
        token, found = "", 0
        while limit is None or found < limit:
            page = await self._perform(operations.list_jobs(
                status_filter(status), tag_filter(tags), name or "", batch or "", page_size,
                token))
            for entry in page.get("jobs", ()):
                if limit is not None and found >= limit:
                    return
                job = self.job(entry["job_id"])
                job.listed = records.JobInfo(entry)
                found += 1
                yield job
            token = page.get("next_page_token", "")
            if not token:
                return

    # Sessions

    def _new_stream(self) -> tuple[int, asyncio.Event]:
        """A tag, and what is set whenever its completion came."""
        tag = next(self._tags)
        ready = self._streams[tag] = asyncio.Event()
        return tag, ready

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """A call of libqubus that only exists as a blocking one, on the loop's executor."""
        return await self._loop.run_in_executor(None, functools.partial(function, *arguments))

    async def session(
        self, source: Any, *, timeout: float | None = None, **options: Unpack[SessionOptions]
    ) -> AsyncSession:
        """See `Client.session`: `async with await client.session(…) as session`."""
        from .asynchronous_session import AsyncSession
        from .session import open_session
        from .session_spec import pack_session

        spec, keep = pack_session(source, options)
        wait = milliseconds(timeout, default=self._call_timeout)
        return AsyncSession(
            self, await self._in_thread(open_session, self._handle, spec, keep, wait))

    async def resume_session(
        self, session_id: str, secret: bytes, *, last_sequence: int = 0,
        timeout: float | None = None,
    ) -> AsyncSession:
        """See `Client.resume_session`."""
        from .asynchronous_session import AsyncSession
        from .session import resume_native

        return AsyncSession(self, await self._in_thread(
            resume_native, self._handle, session_id, secret, last_sequence,
            milliseconds(timeout, default=self._call_timeout)))

    async def sessions(
        self, *, include_ended: bool = False, timeout: float | None = None
    ) -> list[records.SessionInfo]:
        """See `Client.sessions`."""
        from .session import list_native

        return await self._in_thread(
            list_native, self._handle, include_ended,
            milliseconds(timeout, default=self._call_timeout))

    # Identity and administration

    def set_token(self, token: str | None) -> None:
        """See `Client.set_token`."""
        set_native_token(self._handle, token)

    async def call(
        self, method: str, request: Mapping[str, Any] | None = None, *,
        timeout: float | None = None,
    ) -> records.Record:
        """See `Client.call`."""
        return await self._perform(operations.call(
            method, request, milliseconds(timeout, default=self._call_timeout)))

    # The calendars of devices

    async def reserve(
        self, device: str, seconds: float, *, start: datetime.datetime | None = None,
        shared: bool = False, holder: str = "", reason: str = "",
    ) -> records.Reservation:
        """See `Client.reserve`."""
        return records.reservation_of(await self.call(
            "CreateReservation", records.window(device, seconds, start, shared, holder, reason)))

    async def reservations(self, device: str = "") -> list[records.Reservation]:
        """See `Client.reservations`."""
        found: list[records.Reservation] = []
        token = ""
        while True:
            page = await self.call("ListReservations", {"device": device, "page_token": token})
            found += [records.Reservation(each) for each in page.get("reservations") or ()]
            token = page.get("next_page_token") or ""
            if not token:
                return found

    async def extend_reservation(
        self, reservation_id: str, seconds: float, *, reason: str = "",
    ) -> records.Reservation:
        """See `Client.extend_reservation`."""
        return records.reservation_of(await self.call("ExtendReservation", {
            "reservation_id": reservation_id, "seconds": records.checked_seconds(seconds),
            "reason": reason}))

    async def cancel_reservation(
        self, reservation_id: str, *, reason: str = "",
    ) -> records.Reservation:
        """See `Client.cancel_reservation`."""
        return records.reservation_of(await self.call("CancelReservation", {
            "reservation_id": reservation_id, "reason": reason}))

    # The daemon

    async def devices(self) -> list[records.Record]:
        return await self._perform(operations.devices())

    async def device(self, name: str) -> records.Record:
        return await self._perform(operations.device(name))

    async def queue_policy(self) -> records.QueuePolicy:
        """See `Client.queue_policy`."""
        return records.QueuePolicy(await self.call("GetQueuePolicy"))

    async def eta_report(self) -> records.Record:
        """See `Client.eta_report`."""
        return await self.call("GetEtaReport", {})

    async def health(self) -> records.Record:
        return await self._perform(operations.health())

    async def version(self) -> records.Record:
        return with_client_versions(await self._perform(operations.version()))

    async def hello(self) -> records.Record:
        return await self._perform(operations.hello())

    async def errors(self) -> list[records.Record]:
        return await self._perform(operations.error_catalogue())

    def __repr__(self) -> str:
        return f"<qubus.AsyncClient {self.endpoint}>"


class AsyncJob:
    """A durable job, as coroutines; see `Job`."""

    __slots__ = ("_client", "_handle", "_request", "id", "listed")

    def __init__(self, client: AsyncClient, handle: Handle, request: JobSpec | None = None):
        self._client = client
        self._handle = handle
        self._request = request
        self.id = text_at(lib.qubus_job_id(handle.pointer))
        self.listed: records.JobInfo | None = None

    @property
    def is_duplicate(self) -> bool:
        return bool(lib.qubus_job_is_duplicate(self._handle.pointer))

    async def info(self) -> records.JobInfo:
        return await self._client._perform(operations.get_job(self.id))

    async def status(self) -> str:
        return str((await self.info())["status"])

    async def _fetch(self, timeout: float | None, manifest_only: bool) -> Handle:
        deadline = None if not timeout else time.monotonic() + timeout
        wait, left = milliseconds(timeout, default=-1), timeout or None
        while True:
            asked = time.monotonic()
            try:
                return await self._client._perform(
                    operations.result(self._handle, wait, manifest_only), left)
            except ResultNotReadyError:
                if wait == 0:
                    raise
            except (TimeoutError, asyncio.TimeoutError) as failure:
                if timeout is None or isinstance(failure, QubusError) and time.monotonic() < (deadline or 0):
                    raise
                raise not_ended(self.id, timeout) from None
            now = time.monotonic()
            if deadline is not None:
                left = deadline - now
                if left <= 0:
                    raise not_ended(self.id, timeout or 0)
                wait = milliseconds(left, default=-1)
            if now - asked < _SHORTEST_WAIT:
                await asyncio.sleep(_SHORTEST_WAIT)

    async def result(self, timeout: float | None = None) -> Result:
        """See `Job.result`."""
        return Result.of_native(await self._fetch(timeout, False), self._request)

    async def wait(self, timeout: float | None = None) -> str:
        """See `Job.wait`."""
        try:
            native = await self._fetch(timeout, True)
        except (ResultNotReadyError, TimeoutError):
            raise
        except QubusError as failure:
            if is_about_the_call(failure):
                raise
            status = await self.status()
        else:
            status = status_in(native)
        if status not in TERMINAL_STATUSES:
            raise not_ended(self.id, timeout or 0)
        return status

    async def events(self, after: int = 0, timeout: float | None = None) -> AsyncIterator[Event]:
        """See `Job.events`: `async for event in job.events()`."""
        client = self._client
        tag, ready = client._new_stream()
        struct, error, stream = new_event_struct(), take_error(), None
        try:
            stream = open_stream(self._handle, after, tag)
            while True:
                ready.clear()  # before reading: a completion that comes meanwhile is not lost
                code = lib.qubus_stream_next(stream.pointer, 0, struct, error)
                if code == OK:
                    yield event_from(struct)
                elif code == END_OF_STREAM:
                    return
                elif code != DEADLINE_EXCEEDED:
                    raise exception_from(code, error)
                else:
                    try:
                        await asyncio.wait_for(ready.wait(), timeout)
                    except asyncio.TimeoutError:
                        raise of_name(
                            "deadline_exceeded", f"no event of job {self.id} in {timeout:g} s"
                        ) from None
        finally:
            del client._streams[tag]
            give_error(error)
            if stream is not None:
                stream.free()

    async def cancel(self, reason: str | None = None) -> records.CancelResult:
        """See `Job.cancel`."""
        return await self._client._perform(operations.cancel(self.id, reason))

    async def annotate(self, **annotations: Any) -> records.JobInfo:
        """See `Job.annotate`."""
        return await self._client._perform(
            operations.annotate(self.id, annotation_texts(annotations)))

    async def change(
        self, *, lane: str | None = None, priority: int | None = None, device: str | None = None,
        reason: str = "",
    ) -> records.JobInfo:
        """See `Job.change`."""
        return records.job_of(await self._client.call(
            "ChangeJob", records.change_request(self.id, lane, priority, device, reason)))

    async def resubmit(self, idempotency_key: str = "") -> AsyncJob:
        """See `Job.resubmit`."""
        info = records.job_of(await self._client.call(
            "ResubmitJob", {"job_id": self.id, "idempotency_key": idempotency_key}))
        return self._client.job(info.job_id)

    async def pause(self, reason: str = "") -> records.JobInfo:
        """See `Job.pause`."""
        return records.job_of(
            await self._client.call("PauseJob", {"job_id": self.id, "reason": reason}))

    async def resume(self, reason: str = "") -> records.JobInfo:
        """See `Job.resume`."""
        return records.job_of(
            await self._client.call("ResumeJob", {"job_id": self.id, "reason": reason}))

    async def hold(self, reason: str = "") -> records.JobInfo:
        """See `Job.hold`."""
        return records.job_of(
            await self._client.call("HoldJob", {"job_id": self.id, "reason": reason}))

    async def release(self, reason: str = "") -> records.JobInfo:
        """See `Job.release`."""
        return records.job_of(
            await self._client.call("ReleaseJob", {"job_id": self.id, "reason": reason}))

    async def explain(self) -> list[records.WaitConstraint]:
        """See `Job.explain`."""
        return records.constraints(await self._client.call("ExplainJob", {"job_id": self.id}))

    async def replay(self, timeout: float | None = None) -> records.Replay:
        """See `Job.replay`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        answer = await self._client._perform(operations.replay(self.id))
        while (outcome := operations.replay_outcome(answer)) is None:
            again = self._client.job(answer["replay"]["job_id"])
            await again.wait(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            answer = await self._client._perform(operations.replay(self.id, again.id))
        return outcome

    def __repr__(self) -> str:
        return f"<qubus.AsyncJob {self.id}>"


async def connect(
    endpoint: str | None = None, *, client_name: str | None = None,
    connect_timeout: float | None = None, call_timeout: float | None = None,
    server_key: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None, secret_key: str | None = None,
    token: str | None = None,
) -> AsyncClient:
    """Opens an `AsyncClient`; arguments as of `Client`.

    Only this blocks for the handshake, so it runs on the loop's executor.
    """
    handle = await asyncio.get_running_loop().run_in_executor(
        None, open_native, endpoint, client_name, connect_timeout, call_timeout,
        Credentials(server_key, key_file, secret_key, token))
    return AsyncClient(handle, call_timeout)
