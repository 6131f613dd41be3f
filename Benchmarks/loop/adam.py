"""Adam in the daemon on H2 with 28 parameters: iterations a second. usage: adam.py ENDPOINT ITERATIONS

The floor under an iteration is one evaluation with its gradient, as a step of the same session
charges it.
"""
from __future__ import annotations

import json
import pathlib
import sys
import time

import numpy

import qubus
from case import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
molecule = json.loads((ROOT / "bindings/python/examples/data/h2.json").read_text())
iterations = int(sys.argv[2])
with qubus.Client(sys.argv[1]) as client:
    with client.session(program(4, last_layer=True), observables=molecule["terms"]) as session:
        start = numpy.random.default_rng(7).uniform(-0.1, 0.1, len(session.parameters))
        floors = sorted(
            session.evaluate(start + n / 1000, outputs=["values", "gradients"]).device_nanoseconds
            for n in range(min(2000, iterations)))
        rates, optimum = [], None
        for _ in range(3):
            began = time.perf_counter()
            optimum = session.minimize(
                "adam", initial=start, max_iterations=iterations,
                options={"gradient_tolerance": 0.0}).result(120)
            rates.append(optimum.iterations / (time.perf_counter() - began))
print(json.dumps({
    "parameters": len(start), "iterations": optimum.iterations, "ending": optimum.ending,
    "iterations_per_second": max(rates), "value": optimum.value,
    "exact": molecule["ground_energy"], "floor_us": floors[len(floors) // 2] / 1000,
    "device_us_per_iteration": optimum.device_microseconds / max(1, optimum.iterations)}))
