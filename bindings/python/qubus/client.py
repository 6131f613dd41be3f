"""The blocking client."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import operations, records
from ._native import (
    DEADLINE_EXCEEDED, SLICE_MILLISECONDS, UNSET, Handle, check, exception_from, ffi, give_error,
    job_handle, lib, milliseconds, take_error, text_at)
from .credentials import Credentials, set_native_token
from .errors import QubusError, of_name
from .job import Job
from .operations import Operation
from .packing import fill, text_argument
from .result import Estimate
from .spec import JobSpec
from .version import __version__

if TYPE_CHECKING:
    import datetime

    from typing_extensions import Unpack

    from .session import Session
    from .session_spec import SessionOptions
    from .spec import EstimateOptions, SubmitOptions

T = TypeVar("T")


def open_native(
    endpoint: str | None, client_name: str | None, connect_timeout: float | None,
    call_timeout: float | None, credentials: Credentials = Credentials(),
) -> Handle:
    """Connects; blocks up to the connect time-out."""
    options, keep = ffi.new("qubus_client_options *"), []  # type: tuple[Any, list[Any]]
    options.struct_size = ffi.sizeof("qubus_client_options")
    options.abi_version = lib.QUBUS_ABI_VERSION
    if endpoint is not None:
        options.endpoint = text_argument(endpoint, "endpoint", keep)
    options.client_name = text_argument(
        client_name or f"qubus-python/{__version__}", "client_name", keep)
    options.connect_timeout_milliseconds = milliseconds(connect_timeout, default=UNSET)
    options.call_timeout_milliseconds = milliseconds(call_timeout, default=UNSET)
    options.reconnect_minimum_milliseconds = UNSET
    options.reconnect_maximum_milliseconds = UNSET
    options.stream_credit_bytes = UNSET
    options.submit_retries = UNSET
    credentials.fill(options, keep)
    client, error = Handle(ffi.new("qubus_client **"), lib.qubus_client_free), take_error()
    check(lib.qubus_client_open(options, client.out, error), error)
    return client


def attach_native(client: Handle, job_id: str) -> Handle:
    """A handle on a job by its id, without asking the server."""
    keep: list[Any] = []
    job, error = job_handle(), take_error()
    check(lib.qubus_job_attach(
        client.pointer, text_argument(job_id, "job_id", keep), job.out, error), error)
    return job


def call_outcome(call: Handle) -> QubusError | None:
    """How an ended call ended."""
    error = take_error()
    code = lib.qubus_call_wait(call.pointer, 0, error)
    failure = None
    if code:
        failure = exception_from(code, error)
        failure.idempotency_key = text_at(lib.qubus_call_idempotency_key(call.pointer)) or None
    give_error(error)
    return failure


def timed_out(seconds: float, what: str) -> QubusError:
    return of_name("deadline_exceeded", f"{what} after {seconds:g} s")


def status_filter(status: str | Iterable[str] | None) -> str:
    if status is None:
        return ""
    return status if isinstance(status, str) else ",".join(status)


def tag_filter(tags: str | Iterable[str]) -> str:
    return tags if isinstance(tags, str) else ",".join(tags)


class Client:
    """A connection to a daemon; thread-safe; a context manager.

    Args:
        endpoint: for example "ipc:///run/qubus/qubus.sock"; None takes `QUBUS_ENDPOINT`, then the
            default sockets.
        client_name: shown in provenance.
        connect_timeout: seconds, default 5.
        call_timeout: seconds for a call without a time-out of its own, default 30.
        server_key: of "curve://host:port", the server's public key: 40 Z85 characters, or the
            path of a file with them; None takes `QUBUS_SERVER_KEY`.
        key_file: of "curve://host:port", this client's key pair, made by `qubus keygen` or
            `qubus.generate_key`; None takes `QUBUS_KEY_FILE`.
        secret_key: in place of `key_file`, the secret key's 40 Z85 characters.
        token: bearer token that goes with every call; None takes `QUBUS_TOKEN`.
    Raises:
        ConnectionFailedError: no daemon answers there, or `server_key` is not its key.
        AuthError: the server does not know this client's key.
        ValidationError: `invalid_key`: a key is malformed, or others may read its file.
    """

    def __init__(
        self, endpoint: str | None = None, *, client_name: str | None = None,
        connect_timeout: float | None = None, call_timeout: float | None = None,
        server_key: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None, secret_key: str | None = None,
        token: str | None = None,
    ):
        self._handle = open_native(
            endpoint, client_name, connect_timeout, call_timeout,
            Credentials(server_key, key_file, secret_key, token))
        self._call_timeout = milliseconds(call_timeout, default=30_000)

    def close(self) -> None:
        """Ends open calls with `client_closed`. Jobs go on at the server."""
        lib.qubus_client_close(self._handle.pointer)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        return text_at(lib.qubus_client_endpoint(self._handle.pointer))

    def _perform(
        self, operation: Operation[T], deadline: float | None = None,
        tick: Callable[[], None] | None = None,
    ) -> T:
        """Starts, waits in slices, finishes. `tick` is called after every slice.

        Raises:
            TimeoutError: the moment `deadline` (monotonic seconds) passed.
        """
        call = operation.start(self._handle.pointer, 0)
        pointer, error = call.pointer, take_error()
        wait = SLICE_MILLISECONDS
        try:
            while True:
                if deadline is not None:
                    left = (deadline - time.monotonic()) * 1000
                    if left <= 0:
                        raise TimeoutError
                    wait = int(min(SLICE_MILLISECONDS, left + 1))
                code = lib.qubus_call_wait(pointer, wait, error)
                if code == 0:
                    return operation.finish(call)
                if code != DEADLINE_EXCEEDED:
                    break
                if lib.qubus_call_is_done(pointer):
                    failure = call_outcome(call)  # it may have ended after the wait timed out
                    if failure is None:
                        return operation.finish(call)
                    raise failure
                if tick is not None:
                    tick()
            failure = exception_from(code, error)
            failure.idempotency_key = text_at(lib.qubus_call_idempotency_key(pointer)) or None
            raise failure
        finally:
            give_error(error)
            call.free()

    # Jobs

    def submit(self, source: Any, **options: Unpack[SubmitOptions]) -> Job:
        """Submits a job and returns once it is durably accepted.

        Args:
            source: OpenQASM as text or bytes, the path of a file, or a list of pubs.
            options: shots, seed, name, parameters, observables, memory, probabilities,
                statevector, idempotency_key, device, …: see `qubus.JobSpec`.
        Raises:
            ProgramError: with line, column and a caret, for a program that is wrong.
            ValidationError, QuotaError, ConflictError, BackendError: see docs/errors.md.
        """
        spec = JobSpec(source, **options)
        return Job(self, self._perform(operations.submit(spec)), spec)

    @overload
    def submit_batch(self, specs: Iterable[Any]) -> list[Job]: ...

    @overload
    def submit_batch(
        self, specs: Iterable[Any], *, return_exceptions: bool
    ) -> list[Job | QubusError]: ...

    def submit_batch(
        self, specs: Iterable[Any], *, return_exceptions: bool = False
    ) -> list[Job] | list[Job | QubusError]:
        """Submits many jobs in one message; each is accepted or refused by itself.

        Those that are accepted are a batch: `info().batch_id` of each, which `cancel_batch` takes.

        Args:
            specs: `JobSpec`s, or mappings with the arguments of `submit` (and `source`).
            return_exceptions: True puts the exception of a refused job in its place; else the
                first one is raised, with all outcomes in its attribute `batch`.
        """
        jobs = as_specs(specs)
        count = len(jobs)
        if count == 0:
            return []
        keep: list[Any] = []
        packed = ffi.new("qubus_job_spec[]", count)
        for target, spec in zip(packed, jobs):
            fill(target, spec, keep)
        out, errors = ffi.new("qubus_job *[]", count), ffi.new("qubus_error[]", count)
        for entry in errors:
            entry.struct_size = ffi.sizeof("qubus_error")
        error = take_error()
        check(lib.qubus_job_submit_batch(
            self._handle.pointer, packed, count, self._call_timeout, out, errors,
            error), error)
        outcomes: list[Any] = []
        for number, spec in enumerate(jobs):
            if out[number]:
                handle = job_handle()
                handle.out[0] = out[number]
                outcomes.append(Job(self, handle, spec))
            else:
                outcomes.append(exception_from(errors[number].code, errors[number]))
        return batch_outcomes(outcomes, return_exceptions)

    def cancel_batch(self, batch_id: str, reason: str = "") -> records.BatchCancelResult:
        """Cancels all jobs of a batch, those that wait first; idempotent."""
        return records.canceled_batch(
            self.call("CancelBatch", {"batch_id": batch_id, "reason": reason}))

    def plan(self, source: Any, **options: Unpack[SubmitOptions]) -> records.Record:
        """Dry run: device, lane, memory, time and cost of a job (message PlanResponse)."""
        return self._perform(operations.plan(JobSpec(source, **options)))

    def estimate(
        self, source: Any, observables: Any, parameters: Any = None, *,
        timeout: float | None = None, **options: Unpack[EstimateOptions],
    ) -> Estimate:
        """Expectation values: submits a job and waits for it.

        Exact unless `shots` or `target_precision` is given. `.values` has the shape to which
        parameters and observables broadcast.
        """
        job = self.submit(source, observables=observables, parameters=parameters, **options)
        return Estimate(job.result(timeout=timeout))

    def job(self, job_id: str) -> Job:
        """A job by its id; does not ask the server."""
        return Job(self, attach_native(self._handle, job_id))

    def jobs(
        self, status: str | Iterable[str] | None = None, *, tags: str | Iterable[str] = (),
        name: str | None = None, batch: str | None = None, limit: int | None = None,
        page_size: int = 100,
    ) -> Iterator[Job]:
        """Jobs that the caller may see, newest first; pages are fetched as they are needed.

        Each has its `listed` set to what the server told about it.
        """
        token, found = "", 0
        while limit is None or found < limit:
            page = self._perform(operations.list_jobs(
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

    def session(
        self, source: Any, *, timeout: float | None = None, **options: Unpack[SessionOptions]
    ) -> Session:
        """Compiles a program and keeps it in the daemon, to be evaluated by steps.

        Args:
            source: OpenQASM as text or bytes, or the path of a file; its `input`s, in order, are
                the parameters of a step.
            observables: one observable or a list of them; see `qubus.observables`.
            outputs: what steps may ask for, of "values", "gradients", "counts", "statevector";
                None: values and gradients with observables, else counts.
            shots: of each step; None is exact.
            target_error: standard error at which a step stops taking shots.
            shares_random_numbers: every step draws the same random numbers.
            seed: 0 … 2^64-1; drawn by the server when None.
            precision: "double" (default) or "single".
            idle_seconds, wall_seconds, max_steps, max_device_seconds, memory_bytes: limits that
                end the session; None takes the server's.
            device, name, tags: as of a job.
            idempotency_key: an open repeated under it gives the same session.
            timeout: seconds for the call; None takes the client's.
        Returns:
            A context manager that closes the session.
        """
        from .session import Session, open_session
        from .session_spec import pack_session

        spec, keep = pack_session(source, options)
        wait = milliseconds(timeout, default=self._call_timeout)
        return Session(self, open_session(self._handle, spec, keep, wait))

    def resume_session(
        self, session_id: str, secret: bytes, *, last_sequence: int = 0,
        timeout: float | None = None,
    ) -> Session:
        """Takes a session over: from another process, or after a restart of this one.

        Args:
            secret: `session.secret` of the session that was opened.
            last_sequence: of the last step that was answered; 0 when unknown.
        """
        from .session import Session, resume_native

        return Session(self, resume_native(
            self._handle, session_id, secret, last_sequence,
            milliseconds(timeout, default=self._call_timeout)))

    def sessions(
        self, *, include_ended: bool = False, timeout: float | None = None
    ) -> list[records.SessionInfo]:
        """Sessions of the caller, newest first; `include_ended` adds those of the last day."""
        from .session import list_native

        return list_native(
            self._handle, include_ended, milliseconds(timeout, default=self._call_timeout))

    # Identity and administration

    def set_token(self, token: str | None) -> None:
        """Replaces the token of the calls to come; None: they go without one."""
        set_native_token(self._handle, token)

    def call(
        self, method: str, request: Mapping[str, Any] | None = None, *,
        timeout: float | None = None,
    ) -> records.Record:
        """Calls any method of `proto/` that sends one message and gets one.

        Args:
            method: its name, for example "CreateTenant".
            request: the request's fields, named as in `proto/`; enumerations by name
                ("operator"), bytes in hex.
            timeout: seconds for the call; None takes the client's.
        Returns:
            The fields of the answer.
        Raises:
            ClientError: `invalid_argument`, naming the field that is wrong; nothing was sent.
            AuthError: the caller may not do this.
        """
        return self._perform(operations.call(
            method, request, milliseconds(timeout, default=self._call_timeout)))

    # The calendars of devices

    def reserve(
        self, device: str, seconds: float, *, start: datetime.datetime | None = None,
        shared: bool = False, holder: str = "", reason: str = "",
    ) -> records.Reservation:
        """Reserves a device: in its window it runs the holder's jobs alone, or first with `shared`.

        Args:
            seconds: its length; the tenant's quota reserved_seconds bounds it.
            start: when it begins; one without a time zone is UTC. None: now.
            holder: "tenant/project" or "tenant/project/name"; empty: the caller's project.
            reason: kept by the audit.
        Raises:
            ConflictError: `reservation_conflict`: the device is taken in a part of that time.
            QuotaError: `quota_exceeded`.
        """
        return records.reservation_of(self.call(
            "CreateReservation", records.window(device, seconds, start, shared, holder, reason)))

    def reservations(self, device: str = "") -> list[records.Reservation]:
        """What has not ended, of one device or of all; of others' only the time is told."""
        found: list[records.Reservation] = []
        token = ""
        while True:
            page = self.call("ListReservations", {"device": device, "page_token": token})
            found += [records.Reservation(each) for each in page.get("reservations") or ()]
            token = page.get("next_page_token") or ""
            if not token:
                return found

    def extend_reservation(
        self, reservation_id: str, seconds: float, *, reason: str = "",
    ) -> records.Reservation:
        """Lets a window end so many seconds later."""
        return records.reservation_of(self.call("ExtendReservation", {
            "reservation_id": reservation_id, "seconds": records.checked_seconds(seconds),
            "reason": reason}))

    def cancel_reservation(
        self, reservation_id: str, *, reason: str = "",
    ) -> records.Reservation:
        """Takes a window away, also one that has begun; answers what it was."""
        return records.reservation_of(self.call("CancelReservation", {
            "reservation_id": reservation_id, "reason": reason}))

    # The daemon

    def devices(self) -> list[records.Record]:
        """Messages Device: name, state, qubit_count, native_gates, …"""
        return self._perform(operations.devices())

    def device(self, name: str) -> records.Record:
        return self._perform(operations.device(name))

    def queue_policy(self) -> records.QueuePolicy:
        """Lanes, weights and rules by which the daemon orders its queue; of weights one's own."""
        return records.QueuePolicy(self.call("GetQueuePolicy"))

    def eta_report(self) -> records.Record:
        """Message GetEtaReportResponse: how the start times held that waiting jobs were told.

        `confidence` is the part of the starts that bands are to hold; `scores` has a record of all
        lanes together, then one of each: lane, quotes, scored, covered, mean_width_seconds,
        mean_error_seconds.
        """
        return self.call("GetEtaReport", {})

    def health(self) -> records.Record:
        """Message HealthResponse: state ("serving", …), jobs_queued, jobs_running, …"""
        return self._perform(operations.health())

    def version(self) -> records.Record:
        """Message VersionResponse, and the versions of this package and of libqubus."""
        return with_client_versions(self._perform(operations.version()))

    def hello(self) -> records.Record:
        """Message HelloResponse: features, limits, and who the server takes the caller for."""
        return self._perform(operations.hello())

    def errors(self) -> list[records.Record]:
        """The server's error catalogue."""
        return self._perform(operations.error_catalogue())

    def __repr__(self) -> str:
        return f"<qubus.Client {self.endpoint}>"


def with_client_versions(record: records.Record) -> records.Record:
    record["client_version"] = __version__
    record["library_version"] = text_at(lib.qubus_version())
    return record


def as_specs(specs: Iterable[Any]) -> list[JobSpec]:
    return [
        spec if isinstance(spec, JobSpec)
        else JobSpec(**spec) if isinstance(spec, dict) else JobSpec(spec)
        for spec in specs]


def batch_outcomes(outcomes: list[Any], return_exceptions: bool) -> list[Any]:
    if not return_exceptions:
        for outcome in outcomes:
            if isinstance(outcome, QubusError):
                outcome.batch = outcomes
                raise outcome
    return outcomes
