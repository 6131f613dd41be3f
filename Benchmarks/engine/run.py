"""`scripts/bench engine`: Qubus's simulator beside its peers, on the same circuits in one run."""
import argparse
import pathlib
import signal
import sys
import tempfile
import time

import cases
import document
import floor
import history
import machine
import process
import table
from states import StateTable
from tasks import TaskTables

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HISTORY = ROOT / "Benchmarks/results/engine.jsonl"
CACHE = ROOT / "Benchmarks/engine/cache"
PAGE = ROOT / "docs/performance.md"
TASKS = ["energy", "gradient", "sample", "threads"]


def arguments() -> argparse.Namespace:
    words = lambda text: text.split(",")
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser(prog="scripts/bench engine", description=__doc__)
    parser.add_argument("--families", type=words, help="of " + ", ".join(cases.families.FAMILIES)
                        + ", mqt, mqt-NAME; NAME-zero starts from |0…0⟩")
    parser.add_argument("--qubits", type=numbers, help="sizes, 4 to 26")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", type=words, default=["single", "double"])
    parser.add_argument("--peers", type=words, default=process.PEERS)
    parser.add_argument("--tasks", type=words, help="of state, " + ", ".join(TASKS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--budget", type=float, help="seconds an engine may take in one row")
    parser.add_argument("--patience", type=float, default=0,
                        help="seconds to wait before a row until other programs are quiet")
    parser.add_argument("--quick", action="store_true", help="a minute: small sizes, two each")
    parser.add_argument("--document", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--compare", nargs=2, metavar=("BEFORE", "AFTER"),
                        help="two commits of the stored history")
    options = parser.parse_args()
    chosen = bool(options.families or options.qubits)
    options.tasks = options.tasks or (["state"] if chosen else ["state", *TASKS])
    options.budget = options.budget or (0.5 if options.quick else 4.0)
    if options.quick:
        options.repetitions = min(options.repetitions, 2)
    check(parser, options)
    return options


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuses what no row could be made of."""
    for word in options.precision:
        if word not in ("single", "double"):
            parser.error(f"precision '{word}' is not single or double")
    for word in options.peers:
        if word not in process.PEERS:
            parser.error(f"peer '{word}' is not one of {', '.join(process.PEERS)}")
    for word in options.tasks:
        if word not in ["state", *TASKS]:
            parser.error(f"task '{word}' is not one of state, {', '.join(TASKS)}")
    known = {*cases.families.FAMILIES, "mqt"} | {
        f"mqt-{name}" for name in cases.mqt_circuits.ALGORITHMS}
    for word in options.families or []:
        if word.removesuffix("-zero") not in known:
            parser.error(f"family '{word}' is not one of {', '.join(sorted(known))}")
    if any(not 4 <= size <= 26 for size in options.qubits or []):
        parser.error("sizes are 4 to 26 qubits")
    if options.threads < 1 or options.repetitions < 1 or options.budget <= 0:
        parser.error("threads, repetitions and budget are positive")


class Run:
    """One run: rows go to the history as they are made, tables are printed at the end of each."""

    def __init__(self, options: argparse.Namespace, folder: pathlib.Path) -> None:
        self.options, self.folder = options, folder
        self.common = {"time": int(time.time()), "commit": machine.commit(),
                       "machine": machine.description(), "threads": options.threads}
        self.tables: list[tuple[str, str]] = []
        self.problems: list[str] = []
        program = floor.build(folder)
        self.floors = {n: floor.measure(program, n) for n in sorted({1, 2, options.threads})}
        self.files = cases.CircuitFiles(folder, CACHE)
        self.engines = process.start(["qubus", *options.peers], options.threads)
        self.versions = {k: v for n, e in self.engines.items() if n != "qubus"
                         for k, v in e.ask("versions")["versions"].items()}

    def keep(self, rows: list[dict]) -> list[dict]:
        history.append(HISTORY, rows, self.common)
        return [{**self.common, **row} for row in rows]

    def show(self, title: str, text: str) -> None:
        self.tables.append((title, text))
        print(f"\n## {title}\n\n{text}", flush=True)

    def states(self, precision: str) -> None:
        """In single precision above 21 qubits qsim alone stands beside Qubus by default."""
        options, rows = self.options, []
        for case in cases.selected(options.families, options.qubits, options.quick, precision):
            engines = self.engines
            if precision == "single" and case.qubits > 21 and not options.families:
                engines = {n: e for n, e in engines.items() if n in ("qubus", "qsim")}
            print(f"{case.name}, {case.qubits} qubits, {precision}", file=sys.stderr, flush=True)
            process.wait_for_quiet(options.patience)
            states = StateTable(engines, self.files, self.folder)
            rows += self.keep(states.rows(
                case, precision, repetitions=options.repetitions, budget=options.budget))
            self.problems += states.problems
        kind = "complex64" if precision == "single" else "complex128"
        self.show(f"Whole final state, {kind}", table.states(rows, self.floors[options.threads]))
        self.tables.append((f"Settings, {kind}", table.settings(rows)))

    def tasks(self) -> None:
        """The rows beside the states'."""
        options = self.options
        small = TaskTables(self.engines, self.files, repetitions=options.repetitions,
                           budget=options.budget)
        rows = []
        if "energy" in options.tasks:
            for qubits in (4, 8) if options.quick else range(4, 13, 2):
                rows += self.keep(small.energy(qubits))
            rows += self.keep(small.light_cone(10 if options.quick else 20))
        if "gradient" in options.tasks:
            rows += self.keep(small.gradient(8 if options.quick else 16))
        if "sample" in options.tasks:
            rows += self.keep(small.sampling(10 if options.quick else 20))
        if rows:
            self.show("Energies, gradient and shots, complex128", table.tasks(rows))
        if "threads" in options.tasks:
            cases_ = [cases.Case(n, 12 if options.quick else 24) for n in ("qft", "qv", "random")]
            pairs = [self.keep(small.threads(case, precision))
                     for precision in options.precision for case in cases_]
            self.show("Two threads against one", table.threads(sum(pairs, []), self.floors))
        self.problems += small.problems


    def all_tables(self) -> list[tuple[str, str]]:
        """Tables of what the history holds of this commit on this machine, so that a page may be
        made in several runs; of a row that was run again the newest."""
        found = history.latest(history.read(HISTORY), self.common["commit"])
        rows = [row for engines in found.values() for row in engines.values()
                if row["machine"] == self.common["machine"]]
        threads, rows = ([r for r in rows if (r["table"] == "threads") == which]
                         for which in (True, False))
        rows = [r for r in rows if r["threads"] == self.options.threads]
        rows.sort(key=lambda r: (r["family"].startswith("mqt-"), r["family"], r["qubits"]))
        tables = []
        for precision, kind in (("single", "complex64"), ("double", "complex128")):
            states = [r for r in rows if r["table"] == "state" and r["precision"] == precision]
            if states:
                tables.append((f"Whole final state, {kind}",
                               table.states(states, self.floors[self.options.threads])))
                tables.append((f"Settings, {kind}", table.settings(states)))
        others = [r for r in rows if r["table"] != "state"]
        if others:
            tables.append(("Energies, gradient and shots, complex128", table.tasks(others)))
        if threads:
            tables.append(("Two threads against one", table.threads(threads, self.floors)))
        return tables


def main() -> int:
    options = arguments()
    if options.compare:
        try:
            print(history.compare(
                history.read(HISTORY), *map(machine.resolved, options.compare)))
        except ValueError as problem:
            print(f"bench: {problem}", file=sys.stderr)
            return 1
        return 0
    # A stopped run ends its workers and leaves no files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="qubus-engine-") as folder:
        run = Run(options, pathlib.Path(folder))
        try:
            floors = [floor.text(figures) for figures in run.floors.values()]
            print(run.common["machine"], *floors, sep="\n", flush=True)
            for precision in options.precision if "state" in options.tasks else []:
                run.states(precision)
            run.tasks()
        finally:
            process.stop(run.engines)
    if options.document:
        document.write(PAGE, machine=run.common["machine"], commit=run.common["commit"],
                       threads=options.threads, versions=run.versions, floors=floors,
                       tables=run.all_tables())
    for problem in run.problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
