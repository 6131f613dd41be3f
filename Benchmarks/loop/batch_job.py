"""A batch job of many rows that runs until our input ends. usage: batch_job.py ENDPOINT QUBITS

Prints a line once it runs, and at the end the status in which it was canceled.
"""
from __future__ import annotations

import json
import sys

import numpy

import qubus
from case import program, rotations

qubits = int(sys.argv[2])
angles = {f"t{number}": 0.1 * number for number in range(len(rotations(qubits)))}
angles["t0"] = numpy.linspace(0, 1, 10_000)
with qubus.Client(sys.argv[1]) as client:
    job = client.submit(program(qubits), observables="Z" * qubits, parameters=angles,
                        priority="batch", name="beside the loop")
    for event in job.events(timeout=60):
        if event.status == "running":
            break
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()
    status = job.status()
    job.cancel()
print(json.dumps({"status_before_cancel": status}), flush=True)
