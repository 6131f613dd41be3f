"""The loop of a worker: JSON lines in, JSON lines out, with the tasks of runner/Request.swift.

An adapter subclasses `Worker`, and says with `Unsupported` what its simulator does not do.
"""
import ctypes
import json
import os
import sys
import time
import traceback

import numpy

from circuit import Circuit

_libc = ctypes.CDLL(None)


class Unsupported(Exception):
    """The simulator has no such thing; the table shows a dash."""


class Worker:
    """One loaded circuit at most; `evolve` goes from |0…0⟩ to the whole final state."""

    circuit: Circuit
    precision: str
    threads: int

    def load(self, tuning: Circuit | None) -> dict:
        """Translates `self.circuit`; finds the best settings, on `tuning` if it is given (the same
        family with fewer qubits). Returns `settings` and whatever else is worth a note."""
        raise NotImplementedError

    def evolve(self) -> tuple[float, float]:
        """One evolution: seconds of the evolution alone, and of the whole call."""
        raise NotImplementedError

    def state(self) -> numpy.ndarray:
        """The last final state, qubit 0 the lowest bit of the index."""
        raise NotImplementedError

    def energy(self, observable: list[dict]):
        """A function of no arguments: one evolution and the exact expectation value."""
        raise Unsupported("energy")

    def gradient(self, observable: list[dict]):
        """A function of no arguments: the derivatives by the marked angles, in order."""
        raise Unsupported("gradient")

    def sample(self, shots: int, seed: int) -> tuple[float, int]:
        """Seconds for shots with counts beyond the state's, and the number of outcomes."""
        raise Unsupported("sample")

    def release(self) -> None:
        """Frees the state."""

    def versions(self) -> dict:
        """What the note under the table names."""
        return {}


def answer(worker: Worker, request: dict) -> dict:
    """Does one task."""
    task, repetitions = request["task"], request.get("repetitions", 1)
    if task == "versions":
        return {"versions": worker.versions()}
    if task == "prepare":
        worker.circuit = Circuit.read(request["circuit"])
        worker.precision, worker.threads = request["precision"], request["threads"]
        tuning = Circuit.read(request["tuning"]) if request.get("tuning") else None
        start = time.perf_counter()
        found = worker.load(tuning)
        return {"compile_seconds": time.perf_counter() - start, **found}
    if task == "state":
        pairs = [worker.evolve() for _ in range(repetitions)]
        return {"seconds": [p[0] for p in pairs], "call_seconds": [p[1] for p in pairs]}
    if task == "dump":
        worker.state().tofile(request["path"])
        return {}
    if task == "energy":
        values, seconds = timed(worker.energy(request["observable"]), repetitions)
        return {"seconds": seconds, "value": float(values)}
    if task == "gradient":
        values, seconds = timed(worker.gradient(request["observable"]), repetitions)
        return {"seconds": seconds, "gradient": [float(v) for v in values]}
    if task == "sample":
        pairs = [worker.sample(request["shots"], request["seed"] + i) for i in range(repetitions)]
        return {"seconds": [p[0] for p in pairs], "outcomes": pairs[-1][1]}
    if task == "release":
        worker.release()
        return {}
    raise ValueError(f"task {task} is not known")


def timed(body, repetitions: int) -> tuple:
    """The last result, and the seconds of each call."""
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = body()
        seconds.append(time.perf_counter() - start)
    return result, seconds


class Output:
    """Standard output belongs to the answers; what libraries print goes to a file and can be read."""

    def __init__(self) -> None:
        self.answers = os.fdopen(os.dup(1), "w", buffering=1)
        self._printed = os.memfd_create("printed")
        os.dup2(self._printed, 1)

    def take_printed(self) -> str:
        """What was printed since the last call."""
        sys.stdout.flush()
        _libc.fflush(None)
        size = os.lseek(self._printed, 0, os.SEEK_CUR)
        text = os.pread(self._printed, size, 0).decode(errors="replace")
        os.ftruncate(self._printed, 0)
        os.lseek(self._printed, 0, os.SEEK_SET)
        return text


def serve(make) -> None:
    """Runs until standard input ends. `make` builds the worker from its output."""
    output = Output()
    worker = make(output)
    for line in sys.stdin:
        try:
            result = answer(worker, json.loads(line))
        except Unsupported as missing:
            result = {"unsupported": str(missing)}
        except Exception:  # the driver decides; the process stays
            result = {"error": traceback.format_exc(limit=4)}
        output.take_printed()
        print(json.dumps(result), file=output.answers)


def best_of(candidates: list, seconds_of):
    """The fastest candidate: one run each, and a second of those within 1.5 times the best."""
    first = [(seconds_of(c), i) for i, c in enumerate(candidates)]
    close = [(s, i) for s, i in first if s <= 1.5 * min(first)[0]]
    if len(close) > 1:
        close = [(min(s, seconds_of(candidates[i])), i) for s, i in close]
    return candidates[min(close)[1]]
