"""One engine in a process of its own, spoken to in JSON lines."""
import json
import os
import pathlib
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
RUNNER = FOLDER.parent.parent / ".build/release/engine-bench"
TICK = os.sysconf("SC_CLK_TCK")
PEERS = ["qsim", "aer", "qulacs", "lightning"]


class EngineError(RuntimeError):
    """An engine that answered with an error, or not at all."""


class Engine:
    """A running engine. `qubus` is ours, the others are workers of `peers`."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        command = [str(RUNNER)] if name == "qubus" else [sys.executable, "-m", f"peers.{name}"]
        limits = {f"{library}_NUM_THREADS": str(threads)
                  for library in ("OMP", "OPENBLAS", "MKL", "QULACS")}
        self._process = subprocess.Popen(
            command, cwd=FOLDER, env={**os.environ, **limits}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def ask(self, task: str, **fields) -> dict:
        """Sends one request; the answer has at least one of its fields, `unsupported` or nothing.

        Raises EngineError for an answer with `error`.
        """
        try:
            self._process.stdin.write(json.dumps({"task": task, **fields}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise EngineError(f"{self.name} ended during {task}")
        answer = json.loads(line)
        if "error" in answer:
            raise EngineError(f"{self.name}, {task}: {answer['error']}")
        return answer

    def timed(self, task: str, **fields) -> dict:
        """`ask`, and under `others` the CPUs that other programs kept busy meanwhile."""
        start, busy, own = time.monotonic(), busy_ticks(), self._ticks()
        answer = self.ask(task, **fields)
        elapsed = max(time.monotonic() - start, 1 / TICK)
        others = (busy_ticks() - busy) - (self._ticks() - own)
        # The kernel counts in ticks, so short intervals say nothing.
        answer["others"] = max(0.0, others / TICK / elapsed) if elapsed > 0.1 else None
        return answer

    def _ticks(self) -> int:
        text = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def stop(self) -> None:
        """Ends the process; it leaves when its input ends."""
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def busy_ticks() -> int:
    """Ticks of all CPUs that were neither idle nor waiting for input and output."""
    with open("/proc/stat") as file:
        fields = [int(f) for f in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def start(names: list[str], threads: int) -> dict[str, Engine]:
    """Starts engines by name."""
    return {name: Engine(name, threads) for name in names}


def stop(engines: dict[str, Engine]) -> None:
    for engine in engines.values():
        engine.stop()
