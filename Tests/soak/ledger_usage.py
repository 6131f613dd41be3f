"""What `qubus usage` has to tell, from the entries of jobs and sessions, and whether it does."""
from __future__ import annotations

import collections
import math
from typing import Any, Iterator, Mapping, NamedTuple

from ledger_check import SUCCEEDED, Job, Rows, frame, name


class Sums:
    """The sums of one moment."""

    COLUMNS = ("jobs", "jobs_succeeded", "sessions", "cost", "held")

    def __init__(self, rows: Rows, spent: collections.Counter[str]):
        self.rows, self.spent = rows, spent
        self.held: collections.Counter[str] = collections.Counter()
        for movement in rows.movements:
            if movement.subject:
                self.held[movement.subject] += movement.amount("held ")
        self.session_times: dict[str, set[int]] = collections.defaultdict(set)
        for subject, _, _, _, held_at, *_ in rows.charges:
            if name(subject) in rows.sessions:
                self.session_times[name(subject)].add(held_at)

    def priced_jobs(self) -> Iterator[Job]:
        return (job for job in self.rows.jobs.values() if job.cost_held is not None)

    def by(self, group: str, since: int = 0, until: int | None = None) -> dict[str, dict[str, int]]:
        """The sums by the keys of a group. Sessions of several days are left out of windows."""
        found: dict[str, dict[str, int]] = collections.defaultdict(
            lambda: dict.fromkeys(self.COLUMNS, 0))
        for job in self.priced_jobs():
            if job.accepted_at < since or (until is not None and job.accepted_at >= until):
                continue
            for each in self.keys(group, job):
                row = found[each]
                row["jobs"] += 1
                row["jobs_succeeded"] += job.status == SUCCEEDED
                row["cost"] += self.spent[job.id]
                row["held"] += self.held[job.id]
        for id, (place, principal, device) in self.rows.sessions.items():
            times = self.session_times.get(id)
            if not times or min(times) < since or (until is not None and max(times) >= until):
                continue
            each = {"session": id, "project": place, "principal": f"{place}/{principal}",
                    "device": device, "class": "", "total": ""}.get(group)
            if each is None:
                continue
            found[each]["sessions"] += 1
            found[each]["cost"] += self.spent[id]
        return dict(found)

    def keys(self, group: str, job: Job) -> list[str]:
        match group:
            case "job": return [job.id]
            case "tag": return sorted(self.rows.tags[job.id])
            case "project": return [job.place]
            case "principal": return [f"{job.place}/{job.principal}"]
            case "device": return [job.device]
            case "class": return [frame(job.key)[0]]
            case "total": return [""]
        return []

    def denominators(self) -> dict[str, Any]:
        """Those of the metrics, by their names."""
        done = [job for job in self.priced_jobs() if job.status == SUCCEEDED]

        def experiments(jobs: list[Job]) -> int:
            return len({(job.place, frame(job.key)[1] or job.id) for job in jobs})

        waited = sum(
            max(0, job.started_at - job.queued_at) for job in self.priced_jobs()
            if not job.is_live and job.started_at is not None and job.queued_at is not None)
        return {
            "cost_per_queue_minute": waited / 60e6, "cost_per_successful_job": len(done),
            "cost_per_successful_experiment": experiments(done),
            "cost_per_validated_benchmark": experiments(
                [job for job in done if frame(job.key)[0] == "validation"])}


class Answer(NamedTuple):
    """What `qubus usage` told."""

    group: str
    form: str
    since: int
    until: int | None
    told: Any


class Comparison:
    """What `qubus usage` told beside what the rows say."""

    def __init__(self, sums: Sums):
        self.sums = sums
        self.problems: list[str] = []

    def all(self, answers: list[Answer]) -> list[str]:
        for answer in answers:
            if answer.group == "metrics":
                self.metrics(answer.told)
            else:
                self.rows(answer)
        return self.problems

    def rows(self, answer: Answer) -> None:
        what = f"usage by {answer.group} ({answer.form}, {answer.since} to {answer.until})"
        is_list = isinstance(answer.told, list)
        title = answer.group if is_list else "key"
        expected = self.sums.by(answer.group, answer.since, answer.until)
        found = {row.get(title, ""): self.figures(row)
                 for row in (answer.told if is_list else answer.told.get("rows", []))}
        for each in expected.keys() | found.keys():
            if expected.get(each) != found.get(each):
                self.problems.append(f"{what}: {each!r} is {found.get(each)}, not {expected.get(each)}")
        if not is_list:
            total = self.figures(answer.told.get("total", {}))
            wanted = self.sums.by("total", answer.since, answer.until).get("", self.figures({}))
            if total != wanted:
                self.problems.append(f"{what}: the total is {total}, not {wanted}")

    @staticmethod
    def figures(row: Mapping[str, Any]) -> dict[str, int]:
        return {name: int(row.get(name, 0)) for name in Sums.COLUMNS}

    def metrics(self, told: Mapping[str, Any]) -> None:
        cost = sum(self.sums.spent.values())
        if int(told.get("cost", -1)) != cost:
            self.problems.append(f"metrics: the cost is {told.get('cost')}, not {cost}")
        wanted = self.sums.denominators()
        for metric in told.get("metrics", []):
            denominator = wanted.pop(metric["name"], 0)
            value = cost / denominator if denominator else None
            if not (self.agree(metric["denominator"], denominator)
                    and self.agree(metric["value"], value)):
                self.problems.append(f"metrics: {metric}, not {value} of {denominator}")
        if wanted:
            self.problems.append(f"metrics without {', '.join(wanted)}")

    @staticmethod
    def agree(told: float | None, wanted: float | None) -> bool:
        if told is None or wanted is None:
            return told is wanted
        return math.isclose(told, wanted, rel_tol=1e-9, abs_tol=1e-9)
