"""A batch job of many rows that runs until our input ends. usage: batch_job.py ENDPOINT QUBITS

Prints a line once some rows are done, with the seconds of one, and at the end the status in which it
was canceled.
"""
from __future__ import annotations

import json
import sys

import numpy

import qubus
from case import program, rotations

#: Rows between two reports of progress that are enough to tell how long one takes.
ROWS = 3


def row_seconds(job: qubus.Job) -> float:
    first = None
    for event in job.events(timeout=60):
        if not event.progress or not event.progress.rows_done:
            continue
        now = (event.time.timestamp(), event.progress.rows_done)
        first = first or now
        if now[1] - first[1] >= ROWS:
            return (now[0] - first[0]) / (now[1] - first[1])
    raise SystemExit("the batch job ended")


qubits = int(sys.argv[2])
angles = {f"t{number}": 0.1 * number for number in range(len(rotations(qubits)))}
angles["t0"] = numpy.linspace(0, 1, 10_000)
with qubus.Client(sys.argv[1]) as client:
    job = client.submit(program(qubits), observables="Z" * qubits, parameters=angles,
                        priority="batch", name="beside the loop")
    print(json.dumps({"row_seconds": row_seconds(job)}), flush=True)
    sys.stdin.read()
    status = job.status()
    job.cancel()
print(json.dumps({"status_before_cancel": status}), flush=True)
