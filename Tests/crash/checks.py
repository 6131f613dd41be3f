"""What the database must hold after a kill and at the end. Reads schema, not product code."""
import collections
import pathlib
import shutil
import sqlite3
import tempfile
import uuid

from clients import Ledger

STATES = {1: "accepted", 2: "queued", 3: "reserved", 4: "running", 5: "processing_results",
          6: "succeeded", 7: "failed", 8: "canceled", 9: "expired"}
TERMINAL = {"succeeded", "failed", "canceled", "expired"}


def states_after_kill(data: pathlib.Path, ledger: Ledger) -> dict[str, int]:
    """Jobs by state in a copy of the database as the kill left it; checks the copy's integrity.

    A copy, so that recovery of the log stays the daemon's own work.
    """
    with tempfile.TemporaryDirectory() as copy:
        for file in data.glob("*.sqlite*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
        files = list(pathlib.Path(copy).glob("*.sqlite"))
        if not files:
            return {}
        database = sqlite3.connect(files[0])
        try:
            verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                ledger.problem(f"integrity_check: {verdict}")
            if row := database.execute("PRAGMA foreign_key_check").fetchone():
                ledger.problem(f"foreign_key_check: {row}")
            return {STATES[status]: count for status, count in database.execute(
                "SELECT status, count(*) FROM jobs GROUP BY status")}
        finally:
            database.close()


def verify(data: pathlib.Path, ledger: Ledger) -> dict[str, int]:
    """Compares what clients were told with what the database holds; gives final states."""
    (path,) = data.glob("*.sqlite")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    stored: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
    for job, sequence, status in database.execute(
            "SELECT jobs.id, events.sequence, events.status FROM events "
            "JOIN jobs ON jobs.job = events.job ORDER BY events.job, events.sequence"):
        stored[str(uuid.UUID(bytes=job))].append((sequence, STATES[status]))
    finals: collections.Counter[str] = collections.Counter()
    for job, status, last, has_result in database.execute(
            "SELECT id, status, last_sequence, has_result FROM jobs"):
        job, state = str(uuid.UUID(bytes=job)), STATES[status]
        finals[state] += 1
        check_history(job, state, last, stored[job], ledger)
        if state == "succeeded" and not has_result:
            ledger.problem(f"{job}: succeeded without a result")
        if state in TERMINAL and job in ledger.canceled and state != "canceled":
            ledger.problem(f"{job}: its cancel was acknowledged, and it {state}")
    check_money(database, ledger)
    database.close()
    for job, kind in ledger.acknowledged.items():
        if job not in stored:
            ledger.lost.add(job)
            ledger.problem(f"acknowledged job {job} ({kind}) is lost")
            continue
        sequences = [sequence for sequence, _ in stored[job]]
        if stored[job][-1][1] not in TERMINAL:
            ledger.problem(f"{job}: acknowledged, and never came to an end")
        if ledger.seen[job] != sequences:
            ledger.problem(f"{job}: watcher saw {ledger.seen[job]}, stored are {sequences}")
    return dict(finals)


def check_money(database: sqlite3.Connection, ledger: Ledger) -> None:
    """Nothing is lost or made: movements sum to zero, balances are the sums of their entries, no job
    that ended holds anything, and what jobs were charged is what the accounts say."""
    queries = {
        "movements that do not sum to zero":
            "SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY movement HAVING SUM(amount) <> 0)",
        "balances that are not the sum of their entries":
            "SELECT count(*) FROM (SELECT 1 FROM ledger LEFT JOIN accounts ON name = account "
            "GROUP BY account HAVING SUM(amount) <> COALESCE(MAX(balance), 0))",
        "jobs that ended and hold": "SELECT count(*) FROM charges WHERE cost IS NULL",
        "held by nobody": "SELECT COALESCE(SUM(balance), 0) FROM accounts WHERE name LIKE 'held %'",
        "spent and not charged":
            "SELECT COALESCE((SELECT SUM(balance) FROM accounts WHERE name LIKE 'spent %'), 0) "
            "- COALESCE((SELECT SUM(cost) FROM jobs), 0)",
        "jobs without a charge":
            "SELECT count(*) FROM jobs WHERE cost_held IS NOT NULL AND cost IS NULL",
    }
    for what, query in queries.items():
        if count := database.execute(query).fetchone()[0]:
            ledger.problem(f"{what}: {count}")


def check_history(
    job: str, state: str, last: int, events: list[tuple[int, str]], ledger: Ledger
) -> None:
    """Events are numbered without gap or double, and only the last one is terminal.

    Nothing in a crash run annotates a job after its end, so that any second event with a terminal
    status is a second end.
    """
    sequences = [sequence for sequence, _ in events]
    if sequences != list(range(1, last + 1)):
        ledger.problem(f"{job}: events are numbered {sequences}, last_sequence is {last}")
    ends = [index for index, (_, status) in enumerate(events) if status in TERMINAL]
    if len(ends) > 1:
        ledger.problem(f"{job}: {len(ends)} terminal events")
    if ends and ends[0] != len(events) - 1:
        ledger.problem(f"{job}: events after the terminal one")
    if events and events[-1][1] != state:
        ledger.problem(f"{job}: is {state}, its last event says {events[-1][1]}")
