"""What to run: publication units and job specifications."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Union

from ._native import lib
from .errors import of_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import TypeAlias

    Source: TypeAlias = Union[str, bytes, "os.PathLike[str]", "Pub"]
    Parameters: TypeAlias = Mapping[str, ArrayLike]


class HasID(Protocol):
    """A job, by its id: `Job`, `AsyncJob`."""

    @property
    def id(self) -> str: ...


class EstimateOptions(TypedDict, total=False):
    """Keyword arguments of `estimate`; see `JobSpec`."""

    shots: int | None
    seed: int | None
    name: str | None
    idempotency_key: str | None
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
    after: Iterable[str | HasID]
    after_ok: Iterable[str | HasID]


class SubmitOptions(EstimateOptions, total=False):
    """Keyword arguments of `submit`, `plan` and `JobSpec`; see `JobSpec`."""

    parameters: Any
    observables: Any


def program_bytes(source: Any) -> bytes:
    """UTF-8 of a program given as text, bytes or the path of a file."""
    if isinstance(source, str):
        return utf8(source, "program")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, os.PathLike):
        with open(source, "rb") as file:
            return file.read()
    raise TypeError(
        f"a program is OpenQASM source as str or bytes, or the path of a file, not {type(source).__name__}")


def utf8(text: str, field: str) -> bytes:
    """Encodes a text; `field` names it when it cannot be encoded."""
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


def _job_ids(jobs: Iterable[str | HasID], field: str) -> tuple[str, ...]:
    if isinstance(jobs, str) or not isinstance(jobs, Iterable):
        raise TypeError(f"{field} is a list of jobs or of their ids")
    ids = tuple(job if isinstance(job, str) else getattr(job, "id", None) for job in jobs)
    for number, found in enumerate(ids):
        if not isinstance(found, str):
            raise TypeError(f"{field}[{number}] is neither a job nor the id of one")
    return ids


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
        after: jobs, or their ids, that have to end first, in whatever way.
        after_ok: jobs, or their ids, that have to succeed first; if one does not, this one is
            canceled with the error `dependency_failed`.
    """

    __slots__ = ("pubs", "options", "seed", "after", "after_ok")

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
        client_job_id: str | None = None, after: Iterable[str | HasID] = (),
        after_ok: Iterable[str | HasID] = (),
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
        self.after = _job_ids(after, "after")
        self.after_ok = _job_ids(after_ok, "after_ok")
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
