"""Changes of rows that the checks of a ledger soak have to find, each on a copy of its own."""
from __future__ import annotations

import sqlite3

#: For the check of the entries.
ALTERATIONS = {
    "an entry is one unit larger":
        "UPDATE ledger SET amount = amount + 1 WHERE movement = "
        "(SELECT MAX(movement) FROM ledger WHERE kind = 'settle') AND line = 0",
    "two entries of a movement are a unit larger and smaller":
        "UPDATE ledger SET amount = amount + CASE line WHEN 0 THEN 1 ELSE -1 END WHERE line < 2 AND "
        "movement = (SELECT MAX(movement) FROM ledger WHERE kind = 'settle')",
    "a balance is one unit larger":
        "UPDATE accounts SET balance = balance + 1 WHERE name = "
        "(SELECT MAX(name) FROM accounts WHERE name LIKE 'spent %')",
    "a settlement is missing":
        "DELETE FROM ledger WHERE movement = "
        "(SELECT MAX(movement) FROM ledger WHERE kind = 'settle')",
    "a settlement is there twice":
        "INSERT INTO ledger SELECT movement + 1000000000, line, time, kind, subject, account, amount "
        "FROM ledger WHERE movement = (SELECT MAX(movement) FROM ledger WHERE kind = 'settle')",
    "a charge is one unit larger":
        "UPDATE charges SET cost = cost + 1 WHERE subject = "
        "(SELECT MAX(subject) FROM charges WHERE cost > 0)",
    "a job cost one unit more, with its charge, entries and balances":
        "consistent",
    "a cap was passed":
        "UPDATE budgets SET hard_cap = 1 WHERE project = 'capped' AND class = ''",
}
#: For the comparison with `qubus usage`.
USAGE_ALTERATIONS = {
    "a job has lost its tags":
        "DELETE FROM job_tags WHERE id = (SELECT MAX(job_tags.id) FROM job_tags "
        "JOIN jobs ON jobs.id = job_tags.id WHERE cost > 0)",
    "a job is of another principal":
        "UPDATE jobs SET principal = principal || 'a' WHERE id = (SELECT MAX(id) FROM jobs WHERE cost > 0)",
    # One of several jobs of its experiment, so that there is one experiment more.
    "an experiment has another name":
        "UPDATE jobs SET idempotency_key = idempotency_key || 'x' WHERE id = (SELECT MAX(id) FROM jobs "
        "WHERE status = 6 AND cost > 0 AND project = 'open' AND idempotency_key LIKE '%|e_')",
}


def alter(database: sqlite3.Connection, statement: str) -> None:
    """The product's own triggers are dropped first: whoever edits the file can do so too."""
    for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {trigger}")
    if statement != "consistent":
        if database.execute(statement).rowcount < 1:
            raise ValueError(f"nothing to alter: {statement}")
        return
    movement, subject = database.execute(
        "SELECT movement, subject FROM ledger JOIN jobs ON jobs.id = subject "
        "WHERE kind = 'settle' AND account LIKE 'spent %' AND jobs.status = 6 LIMIT 1").fetchone()
    (source,) = database.execute(
        "SELECT account FROM ledger WHERE subject = ? AND kind = 'hold' AND amount < 0",
        (subject,)).fetchone()
    (spent,) = database.execute(
        "SELECT account FROM ledger WHERE movement = ? AND account LIKE 'spent %'",
        (movement,)).fetchone()
    for line, (account, change) in enumerate(((spent, 1), (source, -1)), 100):
        database.execute(
            "INSERT INTO ledger SELECT movement, ?, time, kind, subject, ?, ? FROM ledger "
            "WHERE movement = ? LIMIT 1", (line, account, change, movement))
        database.execute(
            "UPDATE accounts SET balance = balance + ? WHERE name = ?", (change, account))
    database.execute("UPDATE charges SET cost = cost + 1 WHERE subject = ?", (subject,))
    database.execute("UPDATE jobs SET cost = cost + 1 WHERE id = ?", (subject,))
