"""Rows as Markdown tables that also read well on a terminal."""
import statistics

import floor
from measure import QUIET, best_peer

ENGINES = ["qubus", "qsim", "aer", "qulacs", "lightning"]
DASH = "–"


def time_text(seconds: float) -> str:
    """Three digits with a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            break
    number = seconds / size
    digits = 0 if number >= 99.5 else 1 if number >= 9.95 else 2
    return f"{number:.{digits}f} {unit}"


def cell(row: dict | None) -> str:
    """Median and spread, or why there is none."""
    if row is None or "unsupported" in row:
        return DASH
    if "median" not in row:
        return "failed"
    busy = " !" if row["disturbed"] > QUIET else ""
    wide = row["high"] / max(row["low"], 1e-12)
    spread = f" (×{wide:.2f})" if row["count"] > 1 else " (once)"
    return time_text(row["median"]) + spread + busy


def markdown(heads: list[str], lines: list[list[str]]) -> str:
    """Aligned columns."""
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    show = lambda line: "| " + " | ".join(t.ljust(w) for t, w in zip(line, widths)) + " |"
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([show(heads), rule, *map(show, lines)])


def grouped(rows: list[dict], *fields: str) -> dict[tuple, dict[str, dict]]:
    """Rows of one circuit together, by engine."""
    found: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        found.setdefault(tuple(row[f] for f in fields), {})[row["engine"]] = row
    return found


def ratio_text(group: dict[str, dict]) -> tuple[str, float | None]:
    """Qubus against the best peer; marked, and no number for a mean, when any of them was disturbed."""
    peer, ours = best_peer(group), group.get("qubus", {})
    if not peer or "median" not in ours:
        return DASH, None
    ratio = ours["median"] / group[peer]["median"]
    if any(row.get("disturbed", 0) > QUIET for row in group.values()):
        return f"{ratio:.2f} × {peer} !", None
    return f"{ratio:.2f} × {peer}", ratio


def floor_cells(ours: dict, machine: dict | None) -> list[str]:
    """Seconds at the floor with what binds, and how far above it Qubus is."""
    if not machine or "median" not in ours or "plan_bytes" not in ours:
        return [DASH, DASH]
    seconds, binding = floor.seconds(
        machine, ours["plan_bytes"], ours.get("plan_flops", 0.0), ours["qubits"],
        ours["precision"])
    return [f"{time_text(seconds)} {binding}", f"×{ours['median'] / seconds:.2f}"]


def states(rows: list[dict], machine: dict | None) -> str:
    """The main table of one precision, and the geometric mean of every family."""
    names = [e for e in ENGINES if any(r["engine"] == e for r in rows)]
    lines, ratios = [], {}
    for (family, start, qubits), group in grouped(rows, "family", "start", "qubits").items():
        text, ratio = ratio_text(group)
        label = family + (" from \\|0⟩" if start == "zero" else "")
        if ratio:
            kind = "mqt" if family.startswith("mqt-") else label
            ratios.setdefault((kind, qubits), []).append(ratio)
        overlaps = [r["overlap"] for r in group.values() if "overlap" in r]
        off = f"{max(0.0, 1 - min(overlaps)):.0e}" if overlaps else DASH
        lines.append([label, str(qubits), *(cell(group.get(n)) for n in names), text,
                      *floor_cells(group.get("qubus", {}), machine), off])
    heads = ["circuit", "n", *names, "ratio to the best", "floor", "gap", "1 − overlap"]
    means = [f"{kind} at {qubits}: {statistics.geometric_mean(found):.2f} ({len(found)})"
             for (kind, qubits), found in ratios.items() if len(found) > 1]
    tail = "\n\nGeometric means of the ratio: " + "; ".join(means) if means else ""
    return markdown(heads, lines) + tail


def settings(rows: list[dict]) -> str:
    """What the engines chose, with the time to compile and plan, for one precision."""
    names = [e for e in ENGINES if any(r["engine"] == e and "settings" in r for r in rows)]
    lines = []
    for (family, start, qubits), group in grouped(rows, "family", "start", "qubits").items():
        cells = []
        for name in names:
            row = group.get(name, {})
            plan = f", plan {time_text(row['plan_seconds'])}" if row.get("plan_seconds") else ""
            cells.append(row.get("settings", DASH) + plan)
        label = family + (" from \\|0⟩" if start == "zero" else "")
        lines.append([label, str(qubits), *cells])
    return markdown(["circuit", "n", *names], lines)


def tasks(rows: list[dict]) -> str:
    """Energies, gradient and shots."""
    names = [e for e in ENGINES if any(r["engine"] == e for r in rows)]
    lines = [[family, str(qubits), *(cell(group.get(n)) for n in names), ratio_text(group)[0]]
             for (family, qubits), group in grouped(rows, "family", "qubits").items()]
    return markdown(["task", "n", *names, "ratio to the best"], lines)


def threads(rows: list[dict], machines: dict[int, dict]) -> str:
    """Speed-up from the second thread as a share of the machine's own."""
    one, two = machines[1], machines[2]
    pairs: dict[tuple, dict[int, dict]] = {}
    for row in rows:
        key = row["family"], row["qubits"], row["precision"]
        pairs.setdefault(key, {})[row["threads"]] = row
    lines = []
    for (family, qubits, precision), pair in pairs.items():
        if any("median" not in row for row in pair.values()):
            lines.append([family, str(qubits), precision] + [DASH] * 6)
            continue
        gain = pair[1]["median"] / pair[2]["median"]
        flops = (two[f"{precision}_flops_per_second"] / one[f"{precision}_flops_per_second"])
        memory = two["memory_bytes_per_second"] / one["memory_bytes_per_second"]
        binding, own = DASH, max(flops, memory)
        if "plan_bytes" in pair[2]:
            binding = floor.seconds(two, pair[2]["plan_bytes"], pair[2].get("plan_flops", 0.0),
                                    qubits, precision)[1]
            own = flops if binding == "flops" else memory
        lines.append([family, str(qubits), precision, cell(pair[1]), cell(pair[2]), f"{gain:.2f}",
                      f"flops {flops:.2f}, memory {memory:.2f}", binding, f"{gain / own:.2f}"])
    return markdown(["circuit", "n", "precision", "1 thread", "2 threads", "gain",
                     "the machine's", "binds", "share"], lines)
