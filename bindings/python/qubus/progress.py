"""A progress bar for long waits; tqdm is imported when the first one is drawn."""
from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from ._native import END_OF_STREAM, ffi, lib
from .records import parse

if TYPE_CHECKING:
    from .job import Job

#: Seconds of waiting before a bar appears, so that short jobs draw none.
PATIENCE = 0.5


class ProgressBar:
    """Follows the job's events beside a wait; call it after every slice of the wait.

    Draws nothing when tqdm is not installed: the bar is an ornament, the wait goes on.
    """

    def __init__(self, job: Job):
        self._job = job
        self._appears_at = time.monotonic() + PATIENCE
        self._stream: Any = None
        self._event: Any = None
        self._bar: Any = None
        self._is_over = False

    @staticmethod
    def is_wanted(choice: bool | None) -> bool:
        return sys.stderr is not None and sys.stderr.isatty() if choice is None else choice

    def __call__(self) -> None:
        if self._is_over or time.monotonic() < self._appears_at:
            return
        if self._stream is None:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self._is_over = True
                return
            self._stream = self._job._open_stream(0)
            self._event = ffi.new("qubus_event *")
            self._event.struct_size = ffi.sizeof("qubus_event")
            self._bar = tqdm(desc=self._job.id, unit="shot", leave=False, file=sys.stderr)
        while True:
            code = lib.qubus_stream_next(self._stream.pointer, 0, self._event, ffi.NULL)
            if code:
                self._is_over = code == END_OF_STREAM
                return
            self._show(parse(ffi.string(self._event.json)))

    def _show(self, event: Any) -> None:
        status = event.get("status", "")
        if event.get("queue_position"):
            status = f"{status}, position {event['queue_position']}"
        self._bar.set_postfix_str(status, refresh=False)
        progress = event.get("progress")
        if progress and progress.get("shots_total"):
            self._bar.total = progress["shots_total"]
            self._bar.n = progress.get("shots_done", 0)
        elif progress and progress.get("rows_total"):
            self._bar.unit = "row"
            self._bar.total = progress["rows_total"]
            self._bar.n = progress.get("rows_done", 0)
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._stream is not None:
            self._stream.free()
