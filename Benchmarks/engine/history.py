"""The stored history: one JSON line an engine and row, and the comparison of two commits."""
import json
import pathlib
import statistics

from measure import best_peer

KEY = ("table", "family", "qubits", "start", "precision", "threads")


def append(path: pathlib.Path, rows: list[dict], common: dict) -> None:
    """Adds rows; `common` (time, commit, machine, threads) goes into each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for row in rows:
            file.write(json.dumps({**common, **row}) + "\n")


def read(path: pathlib.Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def latest(rows: list[dict], commit: str) -> dict[tuple, dict[str, dict]]:
    """Of a commit (or a beginning of its name) the newest run of every row, by engine."""
    found: dict[tuple, dict[str, dict]] = {}
    newest: dict[tuple, int] = {}
    for row in rows:
        # Rows of a changed checkout carry a `+` and are found only when it is asked for.
        if not matches(row["commit"], commit):
            continue
        key = tuple(row[k] for k in KEY)
        if row["time"] > newest.get(key, -1):
            newest[key], found[key] = row["time"], {}
        if row["time"] == newest[key]:
            found[key][row["engine"]] = row
    return found


def matches(stored: str, asked: str) -> bool:
    if stored.endswith("+") != asked.endswith("+"):
        return False
    return stored.rstrip("+").startswith(asked.rstrip("+")[:10])


def compare(rows: list[dict], before: str, after: str) -> str:
    """A table of Qubus at two commits. The best peer's own change stands beside it: a machine that
    was busy in one run shows there. Raises ValueError when the runs share no row."""
    first, second = latest(rows, before), latest(rows, after)
    lines = [f"{'row':52} {before:>12} {after:>12} {'ratio':>7} {'peer':>7}"]
    ratios = []
    for key in sorted(first.keys() & second.keys(), key=str):
        old, new = first[key].get("qubus", {}), second[key].get("qubus", {})
        if "median" not in old or "median" not in new:
            continue
        ratio = new["median"] / old["median"]
        ratios.append(ratio)
        peer = best_peer(first[key])
        drift = (f"{second[key][peer]['median'] / first[key][peer]['median']:7.2f}"
                 if peer and "median" in second[key].get(peer, {}) else f"{'–':>7}")
        table, family, qubits, start, precision, threads = key
        name = (f"{table} {family} {qubits} {precision} ×{threads}"
                + (" from |0⟩" if table == "state" and start == "zero" else ""))
        lines.append(f"{name:52} {old['median']:12.3e} {new['median']:12.3e} {ratio:7.2f} {drift}")
    if not ratios:
        raise ValueError(f"no row was measured at both {before} and {after}")
    mean = statistics.geometric_mean(ratios)
    return "\n".join([*lines, f"{'geometric mean':52} {'':12} {'':12} {mean:7.2f}"])
