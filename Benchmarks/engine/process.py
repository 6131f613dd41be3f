"""One engine in a process of its own, spoken to in JSON lines."""
import contextlib
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
        """`ask`, and under `disturbed` how much other programs were in the way meanwhile: CPUs that
        they kept busy, or this engine's threads that waited for one, whichever is more."""
        start, busy, own, waited = time.monotonic(), busy_ticks(), self._ticks(), self._waited()
        answer = self.ask(task, **fields)
        elapsed = time.monotonic() - start
        disturbed = (self._waited() - waited) / elapsed
        if elapsed > 0.1:  # ticks say nothing of shorter intervals
            others = (busy_ticks() - busy) - (self._ticks() - own)
            disturbed = max(disturbed, others / TICK / elapsed)
        answer["disturbed"] = max(0.0, disturbed)
        return answer

    def _ticks(self) -> int:
        """CPU time of all threads so far, in ticks."""
        text = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def _waited(self) -> float:
        """Seconds that threads alive now could have run but had no CPU."""
        total = 0
        for path in pathlib.Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread has ended
        return total / 1e9

    def stop(self) -> None:
        """Ends the process: it leaves when its input ends, or is killed within a long task."""
        with contextlib.suppress(BrokenPipeError):  # it ended by itself
            self._process.stdin.close()
        try:
            self._process.wait(5)
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


def wait_for_quiet(patience: float) -> None:
    """Returns when other programs leave the CPUs alone for a second, or patience ends, seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        busy = busy_ticks()
        time.sleep(1)
        if busy_ticks() - busy < 0.15 * TICK:
            return
