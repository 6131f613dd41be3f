"""Times one call after the other, and serves requests over standard input.

A request is a line of JSON: case (a folder), task ("energy" or "gradient"), seconds, and at will most,
the calls that are enough. The answer has p50_us, p99_us, minimum_us, count, and the value and gradient
at the first row of parameters.
"""
from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

MOST = 4000


def timed(call: Callable[[Any], Any], rows: Any, seconds: float, most: int = MOST) -> dict:
    """`call` on one row after the other for `seconds`; every row differs in every number."""
    for row in rows[:3]:
        call(row)
        if seconds < 1:
            break
    samples = []
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    try:
        while len(samples) < most:
            row = rows[len(samples) % len(rows)]
            start = time.perf_counter()
            call(row)
            end = time.perf_counter()
            samples.append(end - start)
            if end - began > seconds and len(samples) >= 3:
                break
    finally:
        gc.enable()
    return figures(samples)


def figures(samples: list[float]) -> dict:
    ordered = sorted(samples)
    count = len(ordered)
    return {"p50_us": 1e6 * ordered[count // 2], "p99_us": 1e6 * ordered[int(count * 0.99)],
            "minimum_us": 1e6 * ordered[0], "count": count}


def serve(prepare: Callable[[str, str], tuple[Callable[[Any], Any], Any, Callable]]) -> None:
    """`prepare(folder, task)` gives the call, the rows, and what value and gradient are at a row."""
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            call, rows, told = prepare(request["case"], request["task"])
            value, gradient = told(rows[0])
            answer = timed(call, rows, request["seconds"], request.get("most", MOST))
            answer["value"] = float(value)
            answer["gradient"] = None if gradient is None else [float(g) for g in gradient]
        except NotImplementedError as reason:
            answer = {"unsupported": str(reason)}
        print(json.dumps(answer), file=out, flush=True)
