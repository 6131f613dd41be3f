"""What all attacks share: what they know, their dice, what they count and what they find."""
from __future__ import annotations

import collections
import random
import threading
import zlib


class Attack:
    """One attack client. `facts` is what `attack_service.Service.facts` wrote."""

    def __init__(self, kind: str, number: int, facts: dict, seed: int):
        self.kind, self.number, self.facts = kind, number, facts
        self.dice = random.Random(f"{seed}/{kind}/{number}")
        self.counts: collections.Counter[str] = collections.Counter()
        self.maxima: dict[str, float] = {}
        self.problems: list[str] = []
        self.ending = threading.Event()
        host, port = facts["curve"].removeprefix("curve://").rsplit(":", 1)
        self.address = (host, int(port))

    @property
    def source(self) -> str:
        """One of the addresses of this machine that are this attacker's."""
        kind = zlib.crc32(self.kind.encode()) % 250
        return f"127.{self.number}.{kind}.{self.dice.randint(2, 9)}"

    @property
    def endpoint(self) -> str:
        return self.facts["curve"]

    @property
    def server_key(self) -> str:
        return self.facts["server_key"]

    def goes_on(self) -> bool:
        return not self.ending.is_set()

    def pause(self, seconds: float) -> None:
        self.ending.wait(seconds)

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] += by

    def longest(self, what: str, value: float) -> None:
        self.maxima[what] = max(self.maxima.get(what, 0), round(value, 2))

    def problem(self, text: str) -> None:
        self.counts["problems"] += 1
        if len(self.problems) < 20:
            self.problems.append(f"{self.kind}: {text}")

    def report(self) -> dict:
        return {"kind": self.kind, "counts": dict(self.counts), "maxima": self.maxima,
                "problems": self.problems}
