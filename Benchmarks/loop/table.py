"""Tables of one run of `scripts/bench loop`."""
from __future__ import annotations

import expected
from expected import mark
from sharing import Pairs

Rows = dict[tuple[str, int, str, str], dict]
CLIENTS = ("C", "Python", "Go", "C++")
PEERS = ("qulacs", "lightning", "aer")


def lines(head: list[str], body: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def microseconds(row: dict | None) -> str:
    if row is None or "p50_us" not in row:
        return "–"
    return f"{number(row['p50_us'])} ({number(row['p99_us'])})"


def number(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def steps(rows: Rows, sizes: list[int], task: str, scene: str = "idle") -> str:
    """One row a size: clients, then peers; p50 and, in brackets, p99."""
    present = [name for name in (*CLIENTS, *PEERS)
               if any((name, n, task, scene) in rows for n in sizes)]
    head = ["qubits", *(name if name in CLIENTS else f"*{name}*" for name in present)]
    body = []
    for n in sizes:
        cells = []
        for name in present:
            row, limit = rows.get((name, n, task, scene)), expected.MEDIAN.get((name, n))
            text = microseconds(row)
            if row and "p50_us" in row and limit and task == "energy" and scene == "idle":
                text += f" ≤ {limit:,}{mark(row['p50_us'], limit)}"
            cells.append(text)
        body.append([str(n), *cells])
    return lines(head, body)


def ratios(rows: Rows, sizes: list[int]) -> str:
    """Python's step against the peers, and its gradient against its step."""
    body = []
    for n in sizes:
        own = rows.get(("Python", n, "energy", "idle"))
        if own is None:
            continue
        cells = []
        for name in PEERS:
            other = rows.get((name, n, "energy", "idle"))
            if other is None or "p50_us" not in other:
                cells.append("–")
                continue
            ratio = own["p50_us"] / other["p50_us"]
            limit = expected.OF_QULACS[n] if name == "qulacs" else (
                expected.OF_OTHERS if n <= 12 else None)
            cells.append(f"{ratio:.3f}" + ("" if limit is None else f" ≤ {limit}{mark(ratio, limit)}"))
        both = rows.get(("Python", n, "gradient", "idle"))
        if both is None:
            cells.append("–")
        else:
            ratio = both["p50_us"] / own["p50_us"]
            limit = expected.GRADIENT_STEPS
            cells.append(f"{ratio:.2f} ≤ {limit}{mark(ratio, limit)}")
        body.append([str(n), *cells])
    return lines(["qubits", "of Qulacs", "of Lightning", "of Aer", "energy + gradient, in steps"], body)


def tenants(rows: Rows, sizes: list[int]) -> str:
    """Python's step idle and beside four tenants."""
    body = []
    for n in sizes:
        idle, row = (rows.get(("Python", n, "energy", scene)) for scene in ("idle", "tenants"))
        if idle is None or row is None:
            continue
        factors = " / ".join(f"{row[p] / idle[p]:.2f}" for p in ("p50_us", "p99_us"))
        body.append([str(n), microseconds(idle), f"{microseconds(row)}, {factors}"])
    return lines(["qubits", "idle", "four tenants beside: p50 (p99), factors"], body)


def batch(pairs: dict[int, Pairs], sizes: list[int]) -> str:
    """Python's step idle and beside a batch job, taken in turn; a chunk of this job is a row."""
    body = []
    for n in sizes:
        found = pairs[n].figures()
        idle, beside, chunk = found["idle"], found["beside"], 1e3 * found["row_ms"]
        factors = [beside[p] / idle[p] for p in ("p50_us", "p99_us")]
        later = [beside[p] - idle[p] for p in ("p50_us", "p99_us")]
        body.append([str(n), microseconds(idle), microseconds(beside),
                     f"{factors[0]:.2f} / {factors[1]:.2f}" + mark(max(factors), expected.BESIDE_BATCH),
                     f"{later[0]:,.0f} / {later[1]:,.0f}" + mark(max(later), chunk), f"{chunk:,.0f}"])
    return lines(["qubits", "idle", "beside", "factors ≤ 2", "later by, ≤ one chunk",
                  "one chunk of the job"], body)


def adam(row: dict) -> str:
    rate = row["iterations_per_second"]
    floor = 1e6 / row["floor_us"] if row["floor_us"] else float("nan")
    return (f"Adam in the daemon, H2, {row['parameters']} parameters: {rate:,.0f} iterations/s "
            f"(expected ≥ {expected.ADAM:,}{mark(rate, expected.ADAM, at_least=True)}). "
            f"One evaluation with its gradient takes {row['floor_us']:.1f} µs of the device, a floor "
            f"of {floor:,.0f}/s; an iteration {row['device_us_per_iteration']:.1f} µs. "
            f"Ended with {row['ending']} at {row['value']:.6f} Ha, exact {row['exact']:.6f}.")
