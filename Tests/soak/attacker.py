"""One attack client of a soak: a process.

usage: attacker.py KIND NUMBER FACTS SEED      says "ready", attacks from "go" to the end of its input
"""
from __future__ import annotations

import json
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import attacks_inside  # noqa: E402
import attacks_outside  # noqa: E402
from attack import Attack  # noqa: E402

ATTACKS = {**attacks_outside.ATTACKS, **attacks_inside.ATTACKS}
WANTED = attacks_outside.WANTED + attacks_inside.WANTED


def main(kind: str, number: str, facts: str, seed: str) -> None:
    attack = Attack(kind, int(number), json.loads(pathlib.Path(facts).read_text()), int(seed))
    print("ready", flush=True)
    sys.stdin.readline()

    def listen() -> None:
        sys.stdin.read()
        attack.ending.set()

    threading.Thread(target=listen, daemon=True).start()
    while attack.goes_on():
        try:
            ATTACKS[kind](attack)
        except TimeoutError:
            attack.count(f"{kind}: calls without an answer")
        except Exception as error:
            attack.problem(f"broke: {type(error).__name__}: {error}")
            attack.pause(1)
    print(json.dumps(attack.report()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # whatever a socket still waits for
