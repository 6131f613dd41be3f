"""Sessions and optimizations as coroutines; see `Session` and `Optimization`."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import numpy

from . import records
from ._native import (
    DEADLINE_EXCEEDED, END_OF_STREAM, OK, Handle, exception_from, give_error, lib, milliseconds,
    take_error, text_at)
from .errors import QubusError, of_name
from .optimization import (
    Iteration, Optimum, attach_optimization, cancel_native, iteration_from, new_iteration_struct,
    optimum_of, pack_optimization, start_optimization)
from .session import SessionFacts, close_native, describe_native
from .session_spec import OUTPUT_BITS
from .step import StepResult, asked_outputs

if TYPE_CHECKING:
    from .asynchronous import AsyncClient
    from .optimization import Bounds

_VALUES, _GRADIENTS = OUTPUT_BITS["values"], OUTPUT_BITS["gradients"]


class AsyncSession(SessionFacts):
    """A session, as coroutines; an asynchronous context manager that closes it.

    Steps that are started together travel together and are answered in order. Arrays of their
    results are views of the memory of the library.
    """

    def __init__(self, client: AsyncClient, handle: Handle):
        super().__init__(handle)
        self._client = client

    async def _perform(
        self, parameters: Any, mask: int, shots: int | None, target_error: float | None,
        timeout: float | None,
    ) -> StepResult:
        operation = self._starting(parameters, mask, shots, target_error)
        try:
            return await self._client._perform(operation, timeout)
        except (TimeoutError, asyncio.TimeoutError) as failure:
            if isinstance(failure, QubusError):
                raise
            raise of_name("deadline_exceeded", f"no answer after {timeout:g} s") from None

    async def step(
        self, parameters: Any = None, gradient: bool = False, *, shots: int | None = None,
        target_error: float | None = None, timeout: float | None = None,
    ) -> Any:
        """See `Session.step`."""
        found = await self._perform(
            parameters, _VALUES | _GRADIENTS if gradient else _VALUES, shots, target_error, timeout)
        return (found.values, found.gradients) if gradient else found.values

    async def evaluate(
        self, parameters: Any = None, *, outputs: str | Iterable[str] = "values",
        shots: int | None = None, target_error: float | None = None, timeout: float | None = None,
    ) -> StepResult:
        """See `Session.evaluate`."""
        return await self._perform(
            parameters, asked_outputs(outputs), shots, target_error, timeout)

    async def gradient(
        self, parameters: Any = None, *, shots: int | None = None,
        target_error: float | None = None, timeout: float | None = None,
    ) -> numpy.ndarray[Any, Any]:
        """See `Session.gradient`."""
        found = await self._perform(parameters, _GRADIENTS, shots, target_error, timeout)
        array: numpy.ndarray[Any, Any] = found.gradients
        return array

    async def batch(self, rows: Any, gradient: bool = False, **options: Any) -> Any:
        """See `Session.batch`."""
        return await self.step(self._rows_of(rows), gradient, **options)

    async def counts(
        self, parameters: Any = None, shots: int | None = None, *, timeout: float | None = None
    ) -> Any:
        """See `Session.counts`."""
        return (await self.evaluate(
            parameters, outputs="counts", shots=shots, timeout=timeout)).counts

    async def statevector(
        self, parameters: Any = None, *, timeout: float | None = None
    ) -> numpy.ndarray[Any, Any]:
        """See `Session.statevector`."""
        found = await self.evaluate(parameters, outputs="statevector", timeout=timeout)
        state: numpy.ndarray[Any, Any] = found.statevector
        return state

    async def minimize(
        self, method: str = "adam", initial: Any = None, *, bounds: Bounds = None,
        options: dict[str, float] | None = None, observable: int = 0,
        max_iterations: int | None = None, max_evaluations: int | None = None,
        max_shots: int | None = None, max_cost: int | None = None,
        max_seconds: float | None = None, max_device_seconds: float | None = None,
        shots: int | None = None, target_error: float | None = None, seed: int | None = None,
    ) -> AsyncOptimization:
        """See `Session.minimize`; gives `async for iteration in …`."""
        spec, keep = pack_optimization(
            self.parameters, method, initial, bounds, options, observable, shots, target_error, seed,
            {"max_iterations": max_iterations, "max_evaluations": max_evaluations,
             "max_shots": max_shots, "max_cost": max_cost},
            {"max_seconds": max_seconds, "max_device_seconds": max_device_seconds})
        tag, ready = self._client._new_stream()
        started = start_optimization(self._handle, spec, tag)
        del keep
        return AsyncOptimization(self, started, tag, ready)

    async def optimization(self, optimization_id: str, *, after: int = 0) -> AsyncOptimization:
        """See `Session.optimization`."""
        tag, ready = self._client._new_stream()
        watched = attach_optimization(self._handle, optimization_id, after, tag)
        return AsyncOptimization(self, watched, tag, ready)

    async def info(self, *, timeout: float | None = None) -> records.SessionInfo:
        """See `Session.info`."""
        return await self._client._in_thread(
            describe_native, self._handle, timeout, self._client._call_timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """See `Session.close`."""
        await self._client._in_thread(
            close_native, self._handle, timeout, self._client._call_timeout)

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self._is_detached:
            return
        try:
            await self.close()
        except QubusError:
            if kind is None:  # else the exception on its way tells more
                raise


class AsyncOptimization:
    """A running optimization, as coroutines; `async for iteration in optimization`."""

    __slots__ = ("_session", "_handle", "_tag", "_ready")

    def __init__(self, session: AsyncSession, handle: Handle, tag: int, ready: asyncio.Event):
        self._session = session
        self._handle = handle
        self._tag = tag
        self._ready = ready

    @property
    def id(self) -> str:
        """See `Optimization.id`."""
        return text_at(lib.qubus_optimization_id(self._handle.pointer))

    def __aiter__(self) -> AsyncIterator[Iteration]:
        return self.iterations()

    async def _next(self, struct: Any, error: Any, timeout: float | None) -> int:
        """The next iteration into `struct`; the code of the call."""
        while True:
            self._ready.clear()  # before reading: a completion that comes meanwhile is not lost
            code: int = lib.qubus_optimization_next(self._handle.pointer, 0, struct, error)
            if code != DEADLINE_EXCEEDED:
                return code
            try:
                await asyncio.wait_for(self._ready.wait(), timeout)
            except asyncio.TimeoutError:
                raise of_name("deadline_exceeded", f"no iteration in {timeout:g} s") from None

    async def iterations(self, timeout: float | None = None) -> AsyncIterator[Iteration]:
        """See `Optimization.iterations`."""
        struct, error = new_iteration_struct(), take_error()
        try:
            while (code := await self._next(struct, error, timeout)) == OK:
                yield iteration_from(struct)
            if code != END_OF_STREAM:
                raise exception_from(code, error)
        finally:
            give_error(error)

    async def result(self, timeout: float | None = None) -> Optimum:
        """See `Optimization.result`."""
        struct, error = new_iteration_struct(), take_error()

        async def read_to_the_end() -> None:
            while (code := await self._next(struct, error, None)) == OK:
                pass
            if code != END_OF_STREAM:
                raise exception_from(code, error)

        try:
            try:
                await asyncio.wait_for(read_to_the_end(), timeout)
            except asyncio.TimeoutError as failure:
                if isinstance(failure, QubusError):
                    raise
                raise of_name(
                    "deadline_exceeded",
                    f"the optimization has not ended after {timeout:g} s; it goes on") from None
            code, found = optimum_of(self._handle, 0, error)
            if found is None:
                raise exception_from(code, error)
            return found
        finally:
            give_error(error)

    async def cancel(self, *, timeout: float | None = None) -> bool:
        """See `Optimization.cancel`."""
        return await self._session._client._in_thread(
            cancel_native, self._handle, milliseconds(timeout, default=30_000))

    def __del__(self) -> None:
        self._session._client._streams.pop(self._tag, None)

    def __repr__(self) -> str:
        return f"<qubus.AsyncOptimization {self.id or 'starting'}>"
