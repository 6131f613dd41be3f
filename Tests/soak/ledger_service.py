"""The daemon of a ledger soak, whoever administers it, and the jobs that are driven into a cap."""
from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import threading
import time

import qubus
from ledger_check import Stall, key
from ledger_clients import LONG, LONG_SHOTS, Counts

DEVICE = "sim.statevector"
PRICE = {"device": DEVICE, "per_job": 1000, "per_shot": 7, "per_device_second": 1_234_567}
PLACES = ("lab/open", "lab/prepaid", "lab/capped", "rival/subscribed", "lab/tight")
#: Project and class of the jobs that are driven into a cap while they run, one after the other.
TIGHT = ("lab/tight", "calibration")
#: Seconds for which the daemon is stopped under such a job.
STALL = 0.4
#: What the run has to meet.
STOPPED = "stopped by a cap with its counts kept"
#: Seconds that a start may take.
START_LIMIT = 30


class Daemon:
    """qubusd on one data directory, started again on it after it was stopped."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path):
        self.binary, self.folder, self.data = binary, folder, folder / "data"
        self.data.mkdir(mode=0o700)
        self.ipc, self.curve, self.server_key = f"ipc://{folder}/q.sock", "curve://127.0.0.1:0", ""
        #: Held by whoever stops the process, for a moment or for good.
        self.lock = threading.Lock()

    def start(self) -> None:
        with open(self.folder / "qubusd.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--data-dir", self.data, "--listen", self.ipc, "--listen", self.curve,
                 "--log-level", "warning"], stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(START_LIMIT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            raise RuntimeError(f"qubusd did not start; see {log.name}")
        ready = json.loads(line)
        # The port of the first start is that of all others.
        self.curve = next(each for each in ready["endpoints"] if each.startswith("curve://"))
        self.server_key = ready["server_keys"][self.curve]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def stall(self, seconds: float) -> Stall:
        """Stops the process for a while, as a machine does that is too busy."""
        begin = time.time_ns() // 1000
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)
        return Stall(begin, time.time_ns() // 1000 + 50_000)


class Operator:
    """Sets everything up, and tops up credit that ran out."""

    def __init__(self, daemon: Daemon, folder: pathlib.Path):
        self.daemon, self.folder = daemon, folder
        self.client = qubus.Client(daemon.ipc, connect_timeout=60)
        self.keys: dict[str, pathlib.Path] = {}

    def set_up(self, jobs: int) -> None:
        self.client.call("SetPrice", {"price": PRICE, "reason": "soak"})
        for tenant in ("lab", "rival"):
            self.client.call("CreateTenant", {"name": tenant})
        for place in PLACES:
            tenant, project = place.split("/")
            self.client.call("CreateProject", {"tenant": tenant, "name": project})
            for name in ("ada", "bob"):
                self.member(f"{place}/{name}")
        mean = 8000 * jobs // len(PLACES)
        self.credit("lab/prepaid", mean // 8, valid_seconds=max(5, jobs // 400))
        self.credit("lab/prepaid", mean // 4)
        self.credit("rival/subscribed", mean // 12, period_seconds=4)
        self.budget("lab/capped", "", "month", soft=mean // 8, hard=mean // 2)
        self.budget("lab/capped", "demo", "day", hard=mean // 20)
        self.budget("lab/capped", "validation", "always", soft=mean // 40)

    def member(self, principal: str) -> None:
        tenant, project, _ = principal.split("/")
        self.client.call("CreatePrincipal", {
            "principal": principal,
            "grants": [{"role": "submitter", "tenant": tenant, "project": project}]})
        path = self.folder / f"{principal.replace('/', '-')}.key"
        self.client.call("AddKey", {"principal": principal, "key": qubus.generate_key(path)})
        self.keys[principal] = path

    def connect(self, principal: str) -> qubus.Client:
        return qubus.Client(
            self.daemon.curve, server_key=self.daemon.server_key, key_file=self.keys[principal],
            connect_timeout=60, call_timeout=60)

    def credit(self, place: str, amount: int, **options: float) -> None:
        tenant, project = place.split("/")
        self.client.call("GrantCredit", {
            "tenant": tenant, "project": project, "amount": amount, **options})

    def budget(
        self, place: str, experiment_class: str, period: str, soft: int | None = None,
        hard: int | None = None
    ) -> None:
        tenant, project = place.split("/")
        caps = {"soft_cap": soft, "hard_cap": hard}
        self.client.call("SetBudget", {
            "tenant": tenant, "project": project, "experiment_class": experiment_class,
            "period": period, **{name: cap for name, cap in caps.items() if cap is not None}})

    def used(self, place: str, experiment_class: str) -> int:
        tenant, project = place.split("/")
        for budget in self.client.call(
                "ListBudgets", {"tenant": tenant, "project": project}).get("budgets", []):
            if budget.get("experiment_class", "") == experiment_class:
                return int(budget.get("used", 0))
        return 0


class Squeezer(threading.Thread):
    """Jobs whose budget is what is held for them, on a daemon that stands still for a moment while
    they run: they reach the cap, stop behind the chunk, and keep what they did."""

    def __init__(self, operator: Operator, counts: Counts, stalls: list[Stall]):
        super().__init__(name="squeezer", daemon=True)
        self.operator, self.counts, self.stalls = operator, counts, stalls
        #: Cap of the budget when the job was submitted, less what was used before it.
        self.room: dict[str, int] = {}

    def run(self) -> None:
        number = 0
        # A short run goes on until one was stopped, as long as that is to be expected.
        while number < 20 if not self.counts.met[STOPPED] else not self.counts.is_enough:
            number += 1
            try:
                with self.operator.connect(f"{TIGHT[0]}/ada") as client:
                    self.squeeze(client, number)
            except qubus.QubusError as error:
                self.counts.note(f"squeezer: {error.name}")
            time.sleep(0.5)

    def squeeze(self, client: qubus.Client, number: int) -> None:
        options = {"shots": 3 * LONG_SHOTS, "experiment_class": TIGHT[1]}
        held = int(client.plan(LONG, **options)["cost_held"])
        used = self.operator.used(*TIGHT)
        self.operator.budget(*TIGHT, "always", hard=used + held + 1)
        # One thread alone submits here, so that what is used does not change in between.
        job = client.submit(
            LONG, seed=number, idempotency_key=key(f"long-{number}", TIGHT[1], ""), **options)
        self.counts.accept(1)
        self.room[job.id] = held + 1
        for event in job.events(timeout=60):
            if event.status == "running":
                with self.operator.daemon.lock:
                    if self.operator.daemon.process.poll() is None:
                        self.stalls.append(self.operator.daemon.stall(STALL))
                break
        status = job.wait(timeout=60)
        info = job.info()
        name = (info.get("error") or {}).get("name", "")
        self.counts.note(f"squeezed: {status} {name}".strip())
        if name == "budget_exceeded":
            result = job.result(timeout=60)
            done = int(info.get("shots_done", 0))
            if sum(result.counts.values()) != done or not 0 < done < options["shots"]:
                self.counts.problem(
                    f"{job.id} was stopped by its cap after {done} shots and kept "
                    f"{sum(result.counts.values())}")
            self.counts.note(STOPPED)
