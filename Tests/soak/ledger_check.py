"""What the ledger of a run must be. Reads the rows of a copy of the database, not product code.

Every job's key tells its class and experiment (`key` and `frame`), so that sums by class and the
denominators of the metrics follow from jobs, sessions and entries of the ledger alone.
"""
from __future__ import annotations

import collections
import datetime
import pathlib
import shutil
import sqlite3
import uuid
from typing import Any, Iterator, NamedTuple

SUCCEEDED, FAILED, CANCELED, EXPIRED = 6, 7, 8, 9
ENDED = {SUCCEEDED: "succeeded", FAILED: "failed", CANCELED: "canceled", EXPIRED: "expired"}
#: Failures by which what was used is charged; any other is free.
STOPPED = {"budget_exceeded", "cost_limit_exceeded", "execution_timed_out"}
DAY = 86_400_000_000
#: How much longer than the mean of its job one chunk may take.
SLOW_CHUNK = 8


def key(number: str, experiment_class: str, experiment: str) -> str:
    return f"{number}|{experiment_class}|{experiment}"


def frame(idempotency_key: str) -> tuple[str, str]:
    """Class and experiment that a key was made for."""
    _, experiment_class, experiment = idempotency_key.split("|")
    return experiment_class, experiment


class Price(NamedTuple):
    per_job: int
    per_shot: int
    per_second: int

    def cost(self, shots: int, microseconds: int) -> int:
        return self.per_job + self.per_shot * shots - (-self.per_second * microseconds // 1_000_000)


class Stall(NamedTuple):
    """A time for which the daemon was stopped; microseconds UTC."""

    begin: int
    end: int


class Job(NamedTuple):
    id: str
    place: str
    principal: str
    device: str
    key: str
    status: int
    attempt: int
    accepted_at: int
    queued_at: int | None
    started_at: int | None
    finished_at: int | None
    device_us: int
    shots: int
    cost_held: int | None
    cost: int | None
    error: int

    @property
    def is_live(self) -> bool:
        return self.status not in ENDED


class Movement:
    """The lines of one movement: they have time, kind and subject in common."""

    def __init__(self, time: int, kind: str, subject: str | None):
        self.time, self.kind, self.subject = time, kind, subject
        self.lines: list[tuple[str, int]] = []

    def amount(self, account: str) -> int:
        """Of the accounts that begin so."""
        return sum(amount for name, amount in self.lines if name.startswith(account))


def copied(data: pathlib.Path, folder: pathlib.Path) -> sqlite3.Connection:
    """A copy, so that what a kill left stays the daemon's own to recover."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in data.glob("*.sqlite*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, folder)
    (path,) = folder.glob("*.sqlite")
    return sqlite3.connect(path)


class Rows:
    """Everything that a check reads, as of one moment."""

    def __init__(self, database: sqlite3.Connection):
        self.database = database
        self.integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
        self.balances: dict[str, int] = dict(database.execute("SELECT name, balance FROM accounts"))
        self.jobs = {job.id: job for job in self.read_jobs()}
        self.sessions = {
            name(id): (f"{tenant}/{project}", principal, device)
            for id, tenant, project, principal, device in database.execute(
                "SELECT id, tenant, project, principal, device FROM sessions")}
        self.movements = self.read_movements()
        self.charges = list(database.execute(
            "SELECT subject, day, tenant || '/' || project, class, held_at, held, cost, per_job, "
            "per_shot, per_device_second FROM charges"))
        #: Place, class, period and hard cap.
        self.budgets: list[tuple[str, str, str, int | None]] = list(database.execute(
            "SELECT tenant || '/' || project, class, period, hard_cap FROM budgets"))
        self.prices = {name(row[0]): Price(*row[7:]) for row in self.charges}
        self.tags = collections.defaultdict(set)
        for id, tag in database.execute("SELECT id, tag FROM job_tags"):
            self.tags[name(id)].add(tag)

    def read_jobs(self) -> Iterator[Job]:
        for id, *rest, error in self.database.execute(
                "SELECT id, tenant || '/' || project, principal, device, idempotency_key, status, "
                "attempt, accepted_at, queued_at, started_at, finished_at, COALESCE(device_us, 0), "
                "shots_done, cost_held, cost, error FROM jobs"):
            yield Job(name(id), *rest, error=error_number(error))

    def read_movements(self) -> list[Movement]:
        found: dict[int, Movement] = {}
        for number, time, kind, subject, account, amount in self.database.execute(
                "SELECT movement, time, kind, subject, account, amount FROM ledger "
                "ORDER BY movement, line"):
            if number not in found:
                found[number] = Movement(time, kind, subject and name(subject))
            found[number].lines.append((account, amount))
        return list(found.values())


def window_of(period: str, time: int) -> Any:
    """What all times of one period of a budget have in common; weeks begin on Monday."""
    date = datetime.datetime.fromtimestamp(time / 1e6, datetime.UTC)
    return {"always": 0, "day": time // DAY, "week": date.isocalendar()[:2],
            "month": (date.year, date.month)}[period]


def name(id: bytes) -> str:
    return str(uuid.UUID(bytes=id))


def error_number(blob: bytes | None) -> int:
    """Field 1 of an encoded ErrorDetail; 0 without one."""
    if not blob:
        return 0
    if blob[0] != 0x08:
        raise ValueError(f"an error begins with {blob[:8].hex()}")
    number = shift = 0
    for byte in blob[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number


class Check:
    """Collects what is wrong."""

    def __init__(
        self, rows: Rows, errors: dict[int, str], chunks: dict[str, int], stalls: list[Stall],
        raised: set[tuple[str, str]]
    ):
        """
        Args:
            errors: names by number.
            chunks: shots of a chunk, by the first word of a job's key.
            stalls: when the daemon was stopped for a while.
            raised: budgets (place, class) whose caps were changed, which no replay can judge.
        """
        self.rows, self.errors, self.chunks = rows, errors, chunks
        self.stalls, self.raised = stalls, raised
        self.problems: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()

    def all(self) -> list[str]:
        if self.rows.integrity != "ok":
            self.problems.append(f"integrity_check: {self.rows.integrity}")
        self.entries()
        self.subjects()
        self.accounts()
        self.costs()
        self.caps()
        return self.problems

    def entries(self) -> None:
        """Movements sum to zero, balances are the sums of their entries, no credit is overdrawn."""
        sums: collections.Counter[str] = collections.Counter()
        for movement in self.rows.movements:
            if sum(amount for _, amount in movement.lines):
                self.problems.append(f"a {movement.kind} of {movement.subject} does not sum to zero")
            for account, amount in movement.lines:
                sums[account] += amount
                if account.startswith("credit ") and sums[account] < 0:
                    self.problems.append(f"{account} is overdrawn: {sums[account]}")
        for account in sums.keys() | self.rows.balances.keys():
            balance = self.rows.balances.get(account, 0)
            if sums[account] != balance:
                self.problems.append(f"{account} is {balance}, its entries sum to {sums[account]}")
            sign = -1 if account.split()[0] in ("issued", "invoice") else 1
            if balance * sign < 0:
                self.problems.append(f"{account} is {balance}")
        if total := sum(self.rows.balances.values()):
            self.problems.append(f"all accounts together are {total}")

    def subjects(self) -> None:
        """Held and settled: each once for a job that ended, held alone for one that lives."""
        holds: collections.Counter[str] = collections.Counter()
        settled: collections.Counter[str] = collections.Counter()
        held: collections.Counter[str] = collections.Counter()
        spent: collections.Counter[str] = collections.Counter()
        for movement in self.rows.movements:
            if movement.subject is None:
                continue
            holds[movement.subject] += movement.kind == "hold"
            settled[movement.subject] += movement.kind == "settle"
            held[movement.subject] += movement.amount("held ")
            spent[movement.subject] += movement.amount("spent ")
        for id in holds.keys() | settled.keys():
            if id not in self.rows.jobs and id not in self.rows.sessions:
                self.problems.append(f"entries of {id}, which is neither job nor session")
            if id in self.rows.sessions and held[id]:
                self.problems.append(f"session {id} holds {held[id]}")
        for id, job in self.rows.jobs.items():
            if job.cost_held is None:
                if holds[id] or settled[id]:
                    self.problems.append(f"job {id} is free and has entries")
                continue
            self.counts["jobs with extended holds"] += holds[id] > 1
            if not 1 <= holds[id] <= 2:
                self.problems.append(f"job {id} was held for {holds[id]} times")
            if job.is_live:
                if settled[id] or held[id] != job.cost_held or job.cost is not None:
                    self.problems.append(f"job {id} lives, {held[id]} of {job.cost_held} are held")
                continue
            if settled[id] != 1:
                self.problems.append(f"job {id} ended and was settled {settled[id]} times")
            if held[id]:
                self.problems.append(f"job {id} ended and holds {held[id]}")
            if spent[id] != job.cost:
                self.problems.append(f"job {id} cost {job.cost}, {spent[id]} were spent")
        self.spent = spent

    def accounts(self) -> None:
        """What is held and spent by place is what its jobs and sessions hold and were charged."""
        held: collections.Counter[str] = collections.Counter()
        spent: collections.Counter[str] = collections.Counter()
        for subject, _, place, _, _, amount, cost, *_ in self.rows.charges:
            held[place] += amount if cost is None else 0
            spent[place] += cost or 0
            id = name(subject)
            job = self.rows.jobs.get(id)
            if job and (job.cost is None) != (cost is None):
                self.problems.append(f"the charge of job {id} ended before or after it")
            if job and job.cost is not None and job.cost != cost:
                self.problems.append(f"job {id} cost {job.cost}, its charge is {cost}")
        for kind, sums in (("held", held), ("spent", spent)):
            names = {f"{kind} {place}" for place in sums}
            names |= {each for each in self.rows.balances if each.startswith(f"{kind} ")}
            for account in names:
                place = account.split(" ", 1)[1]
                if self.rows.balances.get(account, 0) != sums[place]:
                    self.problems.append(
                        f"{account} is {self.rows.balances.get(account, 0)}, its charges are "
                        f"{sums[place]}")

    def costs(self) -> None:
        """What was used at the price of the acceptance, or nothing, by how the job ended."""
        for job in self.rows.jobs.values():
            if job.cost_held is None or job.is_live:
                continue
            error = self.errors.get(job.error, "")
            self.counts[" ".join(filter(None, (ENDED[job.status], error)))] += 1
            self.counts["jobs refunded in full"] += job.cost == 0
            self.counts["jobs refunded in part"] += 0 < (job.cost or 0) < job.cost_held
            used = self.rows.prices[job.id].cost(job.shots, job.device_us)
            is_free = job.status == FAILED and error not in STOPPED
            if job.attempt > 1:
                # Device time is that of all attempts, the charge that of the last.
                if not 0 <= (job.cost or 0) <= (0 if is_free else used):
                    self.problems.append(f"job {job.id} cost {job.cost}, used were {used}")
                continue
            wanted = 0 if is_free or job.started_at is None else used
            if job.cost != wanted:
                self.problems.append(
                    f"job {job.id} ({ENDED[job.status]} {error}) cost {job.cost}, not {wanted}")

    def chunk(self, job: Job) -> int:
        """The most that one chunk of the job costs, with the time that the daemon was stopped."""
        price = self.rows.prices[job.id]
        size = self.chunks.get(job.key.split("-")[0], 0) or job.shots
        share = min(1.0, SLOW_CHUNK * size / max(1, job.shots))
        stalled = sum(
            max(0, min(stall.end, job.finished_at or stall.end) - max(stall.begin, job.started_at))
            for stall in self.stalls if job.started_at is not None)
        return price.per_shot * size - int(
            -price.per_second * (job.device_us * share + stalled) // 1_000_000) + 1

    def caps(self) -> None:
        """Follows each budget through the movements: no acceptance passes a cap, and a job that runs
        passes it by one chunk at most, a session with its last charge at most."""
        for place, experiment_class, period, cap in self.rows.budgets:
            if cap is None or (place, experiment_class) in self.raised:
                continue
            self.cap(place, experiment_class, period, cap)

    def cap(self, place: str, experiment_class: str, period: str, cap: int) -> None:
        used: collections.Counter[Any] = collections.Counter()
        accepted: dict[str, int] = {}
        beyond: collections.Counter[str] = collections.Counter()
        what = f"the cap {cap} of {place} {experiment_class}".strip()
        for movement in self.rows.movements:
            id = movement.subject
            if id is None or not any(line.endswith(f" {place}") for line, _ in movement.lines):
                continue
            job = self.rows.jobs.get(id)
            if experiment_class and (job is None or frame(job.key)[0] != experiment_class):
                continue
            change = movement.amount("held ") + movement.amount("spent ")
            is_acceptance = job is not None and id not in accepted
            time = movement.time if job is None else accepted.setdefault(id, job.accepted_at)
            window = window_of(period, time)
            before = used[window]
            used[window] += change
            if used[window] <= max(cap, before):
                continue
            over = used[window] - max(cap, before)
            self.counts["movements beyond a cap"] += 1
            if is_acceptance:
                self.problems.append(f"{what} was passed by the acceptance of {id}: {used[window]}")
            elif job is None:
                beyond[id] += 1
                if beyond[id] > 2:
                    self.problems.append(f"{what}: session {id} went on beyond it")
            elif over > self.chunk(job):
                self.problems.append(
                    f"{what} was passed by {over} by job {id}, a chunk is {self.chunk(job)}")
