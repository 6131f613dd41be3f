"""The exceptions: one tree with `QubusError` at its root, one class per class of the registry.

Branch on the class, on `.name` or on `.code`; never on the message. The registry is published in
docs/errors.md.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._errors_generated import CLASSES, ERRORS


class QubusError(Exception):
    """What went wrong, as the registry names it.

    Attributes:
        code: number of the registry, the same in every language.
        name: its stable name, for example "invalid_shots".
        message: what was wrong, where, what the limit is.
        retryable: True when the same call may succeed later.
        retry_after: seconds to wait before that; None when unknown.
        action: what to do.
        trace_id: found again in the server's log; None for errors of the client side.
        violations: fields that break a rule: mappings with field, explanation, limit.
        line, column: place in the program's source, from 1; None when there is none.
        text: the offending text of the program; excerpt: its source line and a caret line.
        details: further names and values.
        idempotency_key: of a submit that failed; a new submit under it makes no second job.
        batch: outcomes of the whole batch, when one of its jobs was refused.
    """

    idempotency_key: str | None = None
    batch: list[Any] | None = None

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        name: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        action: str | None = None,
        trace_id: str | None = None,
        violations: Iterable[Mapping[str, str]] = (),
        line: int | None = None,
        column: int | None = None,
        text: str | None = None,
        excerpt: str | None = None,
        details: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.code = code
        self.name = name or "unknown"
        self.retryable = retryable
        self.retry_after = retry_after
        self.action = action
        self.trace_id = trace_id
        self.violations = tuple(dict(v) for v in violations)
        self.line = line
        self.column = column
        self.text = text
        self.excerpt = excerpt
        self.details = dict(details or {})

    def __str__(self) -> str:
        parts = [f"{self.name} ({self.code}): {self.message}"]
        if self.line and f"line {self.line}" not in self.message:
            parts.append(f"at line {self.line}, column {self.column}")
        if self.excerpt and self.excerpt not in self.message:
            parts.append(self.excerpt.rstrip("\n"))
        for violation in self.violations:
            field, explanation = violation.get("field", ""), violation.get("explanation", "")
            if field and explanation and explanation not in self.message:
                parts.append(f"{field}: {explanation}")
        if self.action:
            parts.append(self.action)
        if self.trace_id:
            parts.append(f"trace id {self.trace_id}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {k: v for k, v in self.__dict__.items() if k != "message"}
        return (_rebuild, (type(self), self.message, fields))


def _rebuild(kind: type[QubusError], message: str, fields: dict[str, Any]) -> QubusError:
    error = kind(message)
    error.__dict__.update(fields)
    return error


class ValidationError(QubusError):
    """The request or the program is wrong; nothing was run."""


class AuthError(QubusError):
    """The caller is not known, lacks a role, or names what it cannot see."""


class QuotaError(QubusError):
    """A limit on rate, number or budget was reached."""


class ConflictError(QubusError):
    """The request does not fit the present state of the job, the key or the call."""


class BackendError(QubusError):
    """A device, the daemon or its storage cannot do the work now."""


class ExecutionError(QubusError):
    """The job was accepted and ended without a result."""


class PostProcessingError(QubusError):
    """The execution ended, but its result cannot be assembled, stored or delivered."""


class InternalError(QubusError):
    """A fault of Qubus, not of the request."""


class ClientError(QubusError):
    """Raised in the client: connection, time-out, or the way the library was called."""


class ProgramError(ValidationError):
    """The program is wrong at a place of its source: see `.line`, `.column`, `.excerpt`."""


class JobNotFoundError(AuthError, LookupError):
    """No such job, or none that the caller may see."""


class SessionNotFoundError(AuthError, LookupError):
    """No such session: closed, ended by one of its limits, or of another principal."""


class OptimizationNotFoundError(AuthError, LookupError):
    """No such optimization in this session."""


class ResultNotReadyError(ConflictError, TimeoutError):
    """The job has not ended yet; the message tells its state."""


class DeadlineExceededError(ClientError, TimeoutError):
    """The time-out of the call passed; a job that was submitted goes on."""


class ConnectionFailedError(ClientError, ConnectionError):
    """The server could not be reached."""


class ConnectionLostError(ClientError, ConnectionError):
    """The connection broke while the call was open."""


def detached(job_id: str) -> KeyboardInterrupt:
    """Ctrl-C while waiting for a job: the job goes on, and the message tells how to resume.

    A plain KeyboardInterrupt, with the attribute `job_id`: for a subclass Python would not end the
    process as shells expect of Ctrl-C.
    """
    interrupt = KeyboardInterrupt(
        f'detached from job {job_id}; it goes on. Resume with: client.job("{job_id}").result()')
    interrupt.job_id = job_id  # type: ignore[attr-defined]
    return interrupt


_OF_CLASS: dict[str, type[QubusError]] = {
    name: globals()[entry[2]] for name, entry in CLASSES.items()}
_OF_NAME: dict[str, type[QubusError]] = {
    "job_not_found": JobNotFoundError,
    "session_not_found": SessionNotFoundError,
    "optimization_not_found": OptimizationNotFoundError,
    "result_not_ready": ResultNotReadyError,
    "deadline_exceeded": DeadlineExceededError,
    "connection_failed": ConnectionFailedError,
    "connection_lost": ConnectionLostError,
    "program_syntax_error": ProgramError,
    "program_semantic_error": ProgramError,
    "undeclared_identifier": ProgramError,
    "index_out_of_range": ProgramError,
    "duplicate_qubit": ProgramError,
    "unsupported_program_feature": ProgramError,
    "program_too_deep": ProgramError,
}
_REGISTRY = {entry[0]: entry for entry in ERRORS}
_CODES = {entry[1]: entry[0] for entry in ERRORS}


def _kind(code: int, name: str | None) -> type[QubusError]:
    if name in _OF_NAME:
        return _OF_NAME[name]
    for kind, (first, last, _, _) in CLASSES.items():
        if first <= code <= last:
            return _OF_CLASS[kind]
    return QubusError


def make(code: int, message: str, *, name: str | None = None, **fields: Any) -> QubusError:
    """The exception of a code; what is not given comes from the registry."""
    entry = _REGISTRY.get(code)
    if entry is not None:
        name = name or entry[1]
        fields.setdefault("retryable", entry[5] == "retry")
        if fields.get("action") is None:
            fields["action"] = entry[6]
    return _kind(code, name)(message, code=code, name=name, **fields)


def of_name(name: str, message: str, *, field: str = "", limit: str = "", **fields: Any) -> QubusError:
    """An error found on this side, by its name in the registry."""
    if field:
        fields["violations"] = ({"field": field, "explanation": message, "limit": limit},)
    return make(_CODES[name], message, **fields)
