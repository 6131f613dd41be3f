"""Interleaved timing of one row: warm-up, then one repetition of each engine in turn."""
import statistics
import sys
import time

from process import Engine, EngineError

# A request lasts at least so long, so that short circuits are timed in batches.
BATCH_SECONDS = 0.02
# Repetitions during which other programs were in the way for more than this of one CPU are left out
# of the median as long as one quiet repetition remains, and done again up to as often as planned.
QUIET = 0.15


class Row(dict):
    """One engine's figures in one row, as it goes into the history."""


def prepare(engine: Engine, files: dict, precision: str) -> dict:
    """Loads the circuit; `unsupported` comes back as such."""
    return engine.ask("prepare", precision=precision, threads=engine.threads, **files)


def interleaved(
    engines: dict, task: str | dict, fields: dict, *, repetitions: int, budget: float,
) -> dict:
    """Times one task of prepared engines, by name. An engine may stand under several names, each
    with a task of its own: what is to be compared must see the same minutes of the machine.

    - task: of all, or by name.
    - fields: of the request, by name.
    - budget: seconds an engine may take here beside its warm-up; at least one repetition is timed.
    - Returns a row for each, `unsupported` where the engine does not do the task.
    """
    tasks = task if isinstance(task, dict) else dict.fromkeys(engines, task)
    rows, plans = {}, {}
    for name, engine in engines.items():
        try:
            first = engine.timed(tasks[name], repetitions=1, **fields[name])
        except EngineError as problem:
            rows[name] = failed(problem)
            continue
        if "unsupported" in first:
            rows[name] = Row(unsupported=first["unsupported"])
            continue
        wall = first.get("call_seconds", first["seconds"])[0]
        if wall < 1:
            second = engine.ask(tasks[name], repetitions=1, **fields[name])
            wall = min(wall, second.get("call_seconds", second["seconds"])[0])
        batch = max(1, min(500, int(BATCH_SECONDS / max(wall, 1e-7))))
        plans[name] = batch, max(1, min(repetitions, int(budget / max(wall * batch, 1e-6))))
        rows[name] = Row(samples=[], value=first.get("value"), gradient=first.get("gradient"),
                         outcomes=first.get("outcomes"))
    for turn in range(2 * max((count for _, count in plans.values()), default=0)):
        for name, (batch, count) in plans.items():
            samples = rows[name]["samples"]
            if turn >= 2 * count or sum(s[2] <= QUIET for s in samples) >= count:
                continue
            time.sleep(0.01)
            done = engines[name].timed(tasks[name], repetitions=batch, **fields[name])
            call = done.get("call_seconds", done["seconds"])
            samples.append(
                (statistics.median(done["seconds"]), statistics.median(call), done["disturbed"]))
    for name in plans:
        summarise(rows[name])
    return rows


def summarise(row: Row) -> None:
    """Replaces the samples by median and spread."""
    samples = row.pop("samples")
    used = [s for s in samples if s[2] <= QUIET] or samples
    seconds = sorted(s[0] for s in used)
    row.update(
        median=statistics.median(seconds), low=percentile(seconds, 0.1),
        high=percentile(seconds, 0.9), call_median=statistics.median(s[1] for s in used),
        count=len(used), left_out=len(samples) - len(used),
        disturbed=statistics.mean(s[2] for s in used))


def percentile(ordered: list[float], fraction: float) -> float:
    """By linear interpolation."""
    place = fraction * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def best_peer(rows: dict[str, dict]) -> str | None:
    """The fastest of the others."""
    timed = {n: r["median"] for n, r in rows.items() if n != "qubus" and "median" in r}
    return min(timed, key=timed.get) if timed else None


def failed(problem: EngineError) -> Row:
    """The row of an engine that failed, which is named on standard error."""
    print(problem, file=sys.stderr)
    return Row(error=str(problem).strip().splitlines()[-1])


def prepared(engines: dict[str, Engine], files: dict, precision: str) -> tuple[dict, dict]:
    """Loads one circuit everywhere: the answers, and the engines that have it."""
    answers, ready = {}, {}
    for name, engine in engines.items():
        try:
            answers[name] = prepare(engine, files, precision)
            if "unsupported" not in answers[name]:
                ready[name] = engine
        except EngineError as problem:
            answers[name] = failed(problem)
    return answers, ready


def release(engines: dict[str, Engine]) -> None:
    """Frees the circuits and states."""
    for engine in engines.values():
        try:
            engine.ask("release")
        except EngineError as problem:
            print(problem, file=sys.stderr)
