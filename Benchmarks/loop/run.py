"""`scripts/bench loop`: steps of a session, round trip included, beside peers in-process."""
from __future__ import annotations

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "engine"))

import document  # noqa: E402  (that of this folder: it comes first on the path)
import engines  # noqa: E402
import expected  # noqa: E402
import sharing  # noqa: E402
import table  # noqa: E402
from case import Case  # noqa: E402

ROOT = engines.ROOT
HISTORY = ROOT / "Benchmarks/results/loop.jsonl"
PAGE = ROOT / "docs/performance-loop.md"
SIZES = [4, 8, 12, 16, 20]
TASKS = ["energy", "gradient"]
TENANTS, TENANT_QUBITS, BATCH_QUBITS = 4, 8, 22


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench loop", description=__doc__)
    parser.add_argument("--qubits", type=lambda text: [int(n) for n in text.split(",")],
                        default=SIZES, help="of " + ",".join(map(str, SIZES)))
    parser.add_argument("--peers", type=lambda text: [n for n in text.split(",") if n],
                        default=list(engines.PEERS), help='of qulacs,lightning,aer; "" for none')
    parser.add_argument("--seconds", type=float, default=1.5, help="of each figure in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round up to 12 qubits")
    parser.add_argument("--adam-iterations", type=int, default=20_000)
    parser.add_argument("--daemon", type=pathlib.Path, default=ROOT / ".build/release/qubusd")
    parser.add_argument("--document", action="store_true", help=f"write docs/{PAGE.name}")
    options = parser.parse_args()
    if any(n not in SIZES for n in options.qubits):
        parser.error(f"sizes are {SIZES}")
    if any(name not in engines.PEERS for name in options.peers):
        parser.error(f"peers are {', '.join(engines.PEERS)}")
    if options.seconds <= 0 or options.rounds < 1 or options.adam_iterations < 1:
        parser.error("seconds, rounds and iterations are positive")
    if options.quick:
        options.qubits = [n for n in options.qubits if n <= 12]
        options.seconds, options.rounds = min(options.seconds, 0.5), 1
    return options


class Native:
    """A client program of another language: `program ENDPOINT CASE TASK SECONDS` prints a line."""

    def __init__(self, command: list[str], endpoint: str):
        self._command, self._endpoint = command, endpoint

    def ask(self, case: str, task: str, seconds: float) -> dict:
        told = subprocess.run(
            [*self._command, self._endpoint, case, task, str(seconds)], capture_output=True,
            text=True, timeout=engines.PATIENCE)
        if told.returncode:
            raise engines.Stopped(f"{self._command}: {told.stderr.strip()}")
        return json.loads(told.stdout.splitlines()[-1])

    def finish(self) -> None:
        """Nothing runs between two figures."""


class Run:
    """One run: of every figure the round with the least median, so that other programs count little."""

    def __init__(self, options: argparse.Namespace, folder: pathlib.Path):
        self.options, self.folder = options, folder
        self.rows: table.Rows = {}
        self.problems: list[str] = []
        self.daemon = engines.Daemon(folder, options.daemon)
        if not self.daemon.has_sessions():
            raise engines.Stopped("this daemon serves no sessions")
        self.cases = {n: Case(n).write(folder / f"case-{n}")
                      for n in sorted({*options.qubits, TENANT_QUBITS})}
        self.clients: dict[str, engines.Worker | Native] = {
            name: Native(command, self.daemon.endpoint)
            for name, command in engines.native_clients(folder).items()}
        self.clients["Python"] = engines.python_client(self.daemon.endpoint)
        self.peers = {name: engines.peer(name) for name in options.peers}
        self.floors: list[dict] = []
        self.sharing: dict[int, sharing.Pairs] = {}

    def measure(self, name: str, worker: engines.Worker | Native, n: int, task: str, scene: str) -> None:
        answer = worker.ask(case=str(self.cases[n]), task=task, seconds=self.options.seconds)
        if "unsupported" in answer:
            return
        key = (name, n, task, scene)
        before = self.rows.get(key)
        if before is None or answer["p50_us"] < before["p50_us"]:
            self.rows[key] = answer
        self.compare(key, answer)

    def compare(self, key: tuple, answer: dict) -> None:
        """Values and gradients against those that came first for this size."""
        for what in ("value", "gradient"):
            own = answer.get(what)
            if own is None:
                continue
            mine = [own] if what == "value" else own
            first = self.rows.setdefault(("first", key[1], what, ""), {"numbers": mine, "of": key[0]})
            worst = max(abs(a - b) for a, b in zip(mine, first["numbers"], strict=True))
            if worst > expected.AGREEMENT:
                self.problems.append(
                    f"{what} of {key[0]} at {key[1]} qubits differs from {first['of']}'s by {worst:.1e}")

    def idle(self) -> None:
        for number in range(self.options.rounds):
            self.floors.append(engines.floor(self.folder))
            for n in self.options.qubits:
                for task in TASKS:
                    print(f"round {number + 1}: {n} qubits, {task}", file=sys.stderr, flush=True)
                    for name, worker in {**self.peers, **self.clients}.items():
                        self.measure(name, worker, n, task, "idle")

    def beside_tenants(self) -> list[dict]:
        """What the tenants did meanwhile."""
        others = engines.tenants(self.daemon, self.cases[TENANT_QUBITS], TENANTS)
        try:
            for n in self.options.qubits:
                self.measure("Python", self.clients["Python"], n, "energy", "tenants")
        finally:
            told = [other.finish() for other in others]
        return [each for each in told if each]

    def beside_batch(self) -> None:
        for n in self.options.qubits:
            print(f"beside a batch job: {n} qubits", file=sys.stderr, flush=True)
            pairs = self.sharing[n] = sharing.measure(
                self.daemon, self.clients["Python"], self.cases[n], BATCH_QUBITS,
                self.options.seconds, 1 if self.options.quick else sharing.ROUNDS)
            self.problems += pairs.problems

    def adam(self) -> dict:
        told = subprocess.run(
            [str(engines.CLIENT_PYTHON), str(engines.HERE / "adam.py"), self.daemon.endpoint,
             str(self.options.adam_iterations)], capture_output=True, text=True, check=True)
        return json.loads(told.stdout)

    def stop(self) -> None:
        for worker in {**self.peers, **self.clients}.values():
            worker.finish()
        self.daemon.stop()


def keep(run: Run, common: dict, others: list[dict]) -> None:
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    with HISTORY.open("a") as file:
        for (name, n, task, scene), row in run.rows.items():
            if name != "first":
                figures = {k: v for k, v in row.items() if k.endswith("_us") or k == "count"}
                file.write(json.dumps({**common, "engine": name, "qubits": n, "task": task,
                                       "scene": scene, **figures}) + "\n")
        for n, pairs in run.sharing.items():
            file.write(json.dumps({**common, "scene": "batch", "qubits": n, **pairs.figures()}) + "\n")
        for row in [*run.floors, *others]:
            file.write(json.dumps({**common, **row}) + "\n")


def tables(run: Run, adam: dict, shares: list[dict]) -> list[tuple[str, str]]:
    sizes, rows = run.options.qubits, run.rows
    floor = min(run.floors, key=lambda row: row["median_us"])
    found = [
        ("Energy: p50 (p99) in µs",
         table.steps(rows, sizes, "energy")
         + f"\n\nBare ZeroMQ echo of two processes in the same run: {floor['median_us']} µs "
           f"({floor['p99_us']})."),
        ("Energy and gradient: p50 (p99) in µs", table.steps(rows, sizes, "gradient")),
        ("Python against the peers, p50", table.ratios(rows, sizes)),
        ("Sharing: a step from Python beside four tenants", table.tenants(rows, sizes)),
        ("Sharing: a step from Python beside a 22-qubit batch job on all cores",
         table.batch(run.sharing, sizes))]
    if shares:
        counts = ", ".join(f"{share['steps']:,}" for share in shares)
        spread = max(s["device_microseconds"] for s in shares) / max(
            1, min(s["device_microseconds"] for s in shares))
        found.append(("Shares", f"Steps of the {len(shares)} tenants: {counts}; the largest share of "
                                f"device time is {spread:.2f} of the smallest."))
    found.append(("The loop in the daemon", table.adam(adam)))
    return found


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    import machine  # of Benchmarks/engine

    common = {"time": int(time.time()), "commit": machine.commit(), "machine": machine.description()}
    print(common["machine"], flush=True)
    with tempfile.TemporaryDirectory(prefix="qubus-loop.") as folder:
        try:
            run = Run(options, pathlib.Path(folder))
        except engines.Stopped as reason:
            print(f"bench loop: {reason}", file=sys.stderr)
            return 1
        try:
            run.idle()
            shares = run.beside_tenants()
            run.beside_batch()
            adam = run.adam()
        finally:
            run.stop()
        keep(run, common, [{"figure": "adam", **adam}, *shares])
        found = tables(run, adam, shares)
    for title, text in found:
        print(f"\n## {title}\n\n{text}", flush=True)
    if options.document:
        document.write(PAGE, common, found)
    for problem in run.problems:
        print(f"bench loop: {problem}", file=sys.stderr)
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
