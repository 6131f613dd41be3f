"""Client of Qubus, a self-hosted multi-tenant quantum job service.

    import qubus

    with qubus.Client() as client:
        job = client.submit(source, shots=1024, seed=7)
        print(job.result(timeout=30).counts)

`await qubus.connect()` gives the same as coroutines. Errors are exceptions of one tree with
`qubus.QubusError` at its root.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import Client
from .credentials import generate_key
from .errors import (
    AuthError, BackendError, ClientError, ConflictError, ConnectionFailedError,
    ConnectionLostError, DeadlineExceededError, ExecutionError, InternalError, JobNotFoundError,
    OptimizationNotFoundError, PostProcessingError, ProgramError, QubusError, QuotaError,
    ResultNotReadyError, SessionNotFoundError, ValidationError)
from .job import Job
from .records import (
    BatchCancelResult, CancelResult, Event, JobInfo, Provenance, QueuePolicy, Record, Replay,
    ReplayHashes, Reservation, SessionInfo, WaitConstraint)
from .result import Estimate, PubResult, Result
from .spec import JobSpec, Pub
from .version import __version__

if TYPE_CHECKING:
    from .asynchronous import AsyncClient, AsyncJob, connect
    from .asynchronous_session import AsyncOptimization, AsyncSession
    from .bundle import load_bundle
    from .optimization import Iteration, Optimization, Optimum
    from .session import Session
    from .step import StepResult

_LATER = {
    "AsyncClient": "asynchronous",
    "AsyncJob": "asynchronous",
    "AsyncOptimization": "asynchronous_session",
    "AsyncSession": "asynchronous_session",
    "Iteration": "optimization",
    "Optimization": "optimization",
    "Optimum": "optimization",
    "Session": "session",
    "StepResult": "step",
    "connect": "asynchronous",
    "load_bundle": "bundle",
}

__all__ = [
    "AsyncClient", "AsyncJob", "AsyncOptimization", "AsyncSession", "AuthError", "BackendError",
    "BatchCancelResult", "CancelResult", "Client", "ClientError", "ConflictError",
    "ConnectionFailedError",
    "ConnectionLostError", "DeadlineExceededError", "Estimate", "Event", "ExecutionError",
    "InternalError", "Iteration", "Job", "JobInfo", "JobNotFoundError", "JobSpec", "Optimization",
    "OptimizationNotFoundError", "Optimum", "PostProcessingError", "ProgramError", "Provenance",
    "Pub", "PubResult", "QubusError", "QueuePolicy", "QuotaError", "Record", "Replay",
    "ReplayHashes", "Reservation", "Result",
    "ResultNotReadyError", "Session", "SessionInfo", "SessionNotFoundError", "StepResult",
    "ValidationError", "WaitConstraint", "__version__", "connect", "generate_key", "load_bundle",
]


def __getattr__(name: str) -> Any:
    """Imports what most programs do not need when it is first asked for."""
    if name in _LATER:
        from importlib import import_module

        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
