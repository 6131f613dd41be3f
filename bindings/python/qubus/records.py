"""Plain data from the server: mappings whose fields are attributes too, and events."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import datetime


class Record(dict[str, Any]):
    """A message of the protocol: `record["device"]` is `record.device`.

    Field names are those of proto/*.proto. A field that is not set is absent from the mapping, and
    None as an attribute when the protocol knows it as optional.
    """

    _optional: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            if name in self._optional:
                return None
            raise AttributeError(f"{type(self).__name__} has no field {name!r}") from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self, *self._optional})


class JobInfo(Record):
    """The message Job: status, phases, device, cost; times in microseconds UTC."""

    _optional = frozenset({
        "queue_position", "estimated_start_at", "estimated_start_p10_at", "estimated_start_p90_at",
        "estimate_confidence", "estimated_end_p10_at", "estimated_end_at", "estimated_end_p90_at",
        "cost_held", "cost", "phases", "error", "shots_done", "shots_total",
        "results_expire_at", "events_expire_at"})


class WaitConstraint(Record):
    """Why a job does not run now: kind, since (microseconds UTC), detail and remedy.

    `delay_microseconds` is how much later it makes the start, None when that is not known.
    """

    _optional = frozenset({"delay_microseconds"})

    def __str__(self) -> str:
        return f"{self.get('detail', '')} ({self.get('kind', '')}); what ends that: {self.get('remedy', '')}"


class QueuePolicy(Record):
    """The message GetQueuePolicyResponse: lanes, the caller's own standings, slots and rules.

    `usage_half_life_seconds`, `overdue_stretch` and `max_run_seconds` are None where there is none.
    """

    _optional = frozenset({"usage_half_life_seconds", "overdue_stretch", "max_run_seconds"})


class Reservation(Record):
    """A window of a device's calendar: device, kind, starts_at and ends_at in microseconds UTC, …

    `reservation_id`, `holder` and `created_by` are empty for reservations of others.
    """


class SessionInfo(Record):
    """The message Session: state, limits in force, steps, device_microseconds, memory_bytes, …"""

    _optional = frozenset({"shots", "target_error", "closed_at"})


class Provenance(Record):
    """Everything needed to replay a result; hashes are hexadecimal."""

    _optional = frozenset({"calibration_age_seconds", "phases"})


def parse(text: bytes | str, kind: type[Record] = Record) -> Any:
    """JSON to records; the outermost object becomes a `kind`."""
    value = json.loads(text, object_hook=Record)
    return kind(value) if kind is not Record and isinstance(value, dict) else value


def job_of(answer: Record) -> JobInfo:
    """The job of an answer that has one."""
    return JobInfo(answer["job"])


def constraints(answer: Record) -> list[WaitConstraint]:
    """Those of an ExplainJobResponse."""
    return [WaitConstraint(each) for each in answer.get("constraints") or ()]


def change_request(
    job_id: str, lane: str | None, priority: int | None, device: str | None, reason: str,
) -> dict[str, Any]:
    """A ChangeJobRequest; what is None stays as it is."""
    changes = {"lane": lane, "priority": priority, "device": device}
    return {
        "job_id": job_id, "reason": reason,
        **{name: value for name, value in changes.items() if value is not None}}


def canceled_batch(answer: Record) -> BatchCancelResult:
    """Of a CancelBatchResponse."""
    return BatchCancelResult(*(answer.get(name, 0) for name in BatchCancelResult._fields))


def reservation_of(answer: Record) -> Reservation:
    """The reservation of an answer that has one."""
    return Reservation(answer["reservation"])


def checked_seconds(seconds: float) -> float:
    """JSON has no word for what is no finite number."""
    import math

    from .errors import of_name

    if not math.isfinite(seconds):
        raise of_name(
            "invalid_reservation", f"{seconds} is no length of time", field="seconds",
            limit="a finite number")
    return seconds


def window(
    device: str, seconds: float, start: datetime.datetime | None, shared: bool, holder: str,
    reason: str,
) -> dict[str, Any]:
    """The fields of a CreateReservationRequest."""
    checked_seconds(seconds)
    microseconds = 0
    if start is not None:
        import datetime

        utc = datetime.timezone.utc
        start = start if start.tzinfo else start.replace(tzinfo=utc)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=utc)
        microseconds = (start - epoch) // datetime.timedelta(microseconds=1)
    return {
        "device": device, "seconds": seconds, "starts_at": microseconds, "is_shared": shared,
        "holder": holder, "reason": reason}


def key_values(entries: Any) -> dict[str, str]:
    """A list of KeyValue messages as a dictionary."""
    return {entry["key"]: entry.get("value", "") for entry in entries or ()}


class CancelResult(NamedTuple):
    """What a cancel did: "before_start", "during_run" or "too_late", and the shots done by then."""

    outcome: str
    shots_done: int


class BatchCancelResult(NamedTuple):
    """How many jobs of a batch were canceled before their start, during their run, or too late."""

    before_start: int
    during_run: int
    too_late: int


class ReplayHashes(NamedTuple):
    original: str
    replay: str


class Replay(NamedTuple):
    """Outcome of a replay: "identical", "mismatch" or "not_comparable"."""

    outcome: str
    hashes: ReplayHashes
    job_id: str
    explanation: str
    total_variation_distance: float | None


class Event:
    """One event of a job; ordered by `sequence`, without gaps."""

    __slots__ = ("status", "sequence", "type", "reason", "attempt", "time_microseconds", "_text", "_record")

    def __init__(
        self, status: str, sequence: int, type: str, reason: str, attempt: int,
        time_microseconds: int, text: bytes,
    ):
        self.status = status
        self.sequence = sequence
        self.type = type
        self.reason = reason
        self.attempt = attempt
        self.time_microseconds = time_microseconds
        self._text = text
        self._record: Record | None = None

    @property
    def record(self) -> Record:
        """The whole message JobEvent."""
        if self._record is None:
            self._record = parse(self._text)
        return self._record

    @property
    def time(self) -> Any:
        """When it happened: a `datetime.datetime` in UTC."""
        import datetime

        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return epoch + datetime.timedelta(microseconds=self.time_microseconds)

    @property
    def progress(self) -> Record | None:
        """shots_done, shots_total, rows_done, rows_total, evolution; None for events without it."""
        return self.record.get("progress")

    @property
    def partial_counts(self) -> Record | None:
        """The message PartialCounts of a counts.partial event: pub, row, shots_done, counts, truncated."""
        return self.record.get("counts")

    @property
    def counts(self) -> dict[str, int] | None:
        """Counts so far of a counts.partial event; None for other events."""
        partial = self.partial_counts
        if partial is None:
            return None
        return {entry["bits"]: entry["count"] for entry in partial.get("counts", ())}

    @property
    def queue_position(self) -> int | None:
        return self.record.get("queue_position")

    @property
    def device(self) -> str | None:
        return self.record.get("device") or None

    @property
    def error(self) -> Record | None:
        """The message ErrorDetail of a failed job."""
        return self.record.get("error")

    @property
    def details(self) -> dict[str, str]:
        return key_values(self.record.get("details"))

    def __repr__(self) -> str:
        reason = f", reason={self.reason!r}" if self.reason else ""
        return f"Event({self.sequence}, {self.type!r}, status={self.status!r}{reason})"
