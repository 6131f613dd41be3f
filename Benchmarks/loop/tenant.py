"""Another tenant: steps a session without a pause until its input ends. usage: tenant.py ENDPOINT CASE

Prints a line once it steps, and at the end how many steps it took.
"""
from __future__ import annotations

import json
import sys
import threading

import qubus
from case import Case

case = Case.read(sys.argv[2])
ending = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
steps = 0
with qubus.Client(sys.argv[1]) as client:
    with client.session(case.program, observables=case.terms) as session:
        session.step(case.parameters[0])
        print(json.dumps({"ready": True}), flush=True)
        while not ending.is_set():
            session.step(case.parameters[steps % len(case.parameters)])
            steps += 1
        device = session.info().device_microseconds
print(json.dumps({"steps": steps, "device_microseconds": device}), flush=True)
