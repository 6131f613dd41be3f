"""A server with canned answers: the binding is tested over the real library, without qubusd.

What becomes of a job follows its name: "bell" (or none) succeeds at once, "hold" stays queued until
`release`, "fail" fails, "canceled" ends canceled without a result, "sweep" has two rows of 70 bits.
A program with the word "wrong" is refused at line 3, column 5.
"""
from __future__ import annotations

import hashlib
import itertools
import struct
import threading
import time

import zmq

import wire
from scripted_sessions import ScriptedSessions
from wire import message

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELED = 2, 4, 6, 7, 8
NEVER = float("inf")
CODES = {"invalid": 3, "not_found": 5, "precondition": 9, "exists": 6}


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def f64(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


BELL_ITEMS = [
    ("counts.keys", wire.UINT64, (2,), u64(0, 3)),
    ("counts.values", wire.UINT64, (2,), u64(509, 515)),
    ("counts.offsets", wire.UINT64, (2,), u64(0, 2)),
    ("memory", wire.UINT8, (4, 1), bytes([0, 3, 3, 0])),
    ("probabilities", wire.FLOAT64, (4,), f64(0.5, 0, 0, 0.5)),
    ("statevector", wire.COMPLEX128, (4,), f64(0.5**0.5, 0, 0, 0, 0, 0, 0.5**0.5, 0)),
    ("expectation_values", wire.FLOAT64, (), f64(1.0)),
]
SWEEP_ITEMS = [
    ("counts.keys", wire.UINT64, (3, 2), u64(1, 0, 0, 32, 5, 1)),
    ("counts.values", wire.UINT64, (3,), u64(10, 20, 30)),
    ("counts.offsets", wire.UINT64, (3,), u64(0, 1, 3)),
    ("expectation_values", wire.FLOAT64, (2, 3), f64(*range(6))),
]


class Job:
    def __init__(self, number: int, request: dict):
        self.id = f"0199-{number:08d}"
        self.request = request
        experiment = wire.fields(request.get(6, [b""])[0])
        execution = wire.fields(request.get(5, [b""])[0])
        self.name = experiment.get(2, [b""])[0].decode()
        self.tags = [tag.decode() for tag in experiment.get(3, [])]
        self.seed = execution.get(12, [0])[0]
        self.pubs = [wire.fields(pub) for pub in request.get(4, [])]
        self.program = self.pubs[0].get(1, [b""])[0] if self.pubs else b""
        self.status = {"hold": QUEUED, "fail": FAILED, "canceled": CANCELED}.get(self.name, SUCCEEDED)
        self.annotations: dict[str, str] = {}

    def encode(self) -> bytes:
        given: dict[int, object] = {
            1: self.id, 3: self.status, 5: 1, 6: 1, 12: "interactive", 13: "sim.statevector",
            23: self.name, 24: self.tags, 27: len(self.events()), 30: self.seed,
            31: [message({1: k, 2: v}) for k, v in self.annotations.items()]}
        if self.status == FAILED:
            given[19] = error_detail(6007, "division_by_zero", "execution", "line 4 divides by 0")
        return message(given)

    def events(self) -> list[bytes]:
        def event(number: int, status: int, kind: str = "status.changed", **more: object) -> bytes:
            return message({1: self.id, 2: number, 3: 1_700_000_000_000_000 + number, 4: kind,
                            5: status, 7: 1, **{int(k[1:]): v for k, v in more.items()}})

        begun = [event(1, 1), event(2, QUEUED, f6="CALIBRATION")]
        if self.status == QUEUED:
            return begun
        entries = [message({1: "00", 2: 5}), message({1: "11", 2: 6})]
        return begun + [
            event(3, RUNNING), event(4, RUNNING, "progress", f8=message({1: 11, 2: 1024})),
            event(5, RUNNING, "counts.partial", f9=message({3: 11, 4: entries})),
            event(6, self.status)]


def error_detail(number: int, name: str, kind: str, text: str, **more: object) -> bytes:
    return message({1: number, 2: name, 3: kind, 4: text, 5: "fail_fast", 6: f"act on {name}",
                    7: "trace-1", **{int(k[1:]): v for k, v in more.items()}})


class Gate:
    """A ZAP handler (ZeroMQ RFC 27): lets in the public keys of a set, as bytes."""

    def __init__(self, context: zmq.Context, accepted: set[bytes]):
        self._accepted = accepted
        self._replier = context.socket(zmq.REP)
        self._replier.linger = 0
        self._replier.bind("inproc://zeromq.zap.01")
        self._control = context.socket(zmq.PAIR)
        self._control.bind(f"inproc://{id(self)}")
        self._commands = context.socket(zmq.PAIR)
        self._commands.connect(f"inproc://{id(self)}")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._replier, zmq.POLLIN)
        poller.register(self._commands, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._commands in ready:
                return
            version, number, _, _, _, mechanism, *credentials = self._replier.recv_multipart()
            is_known = mechanism == b"CURVE" and credentials[0] in self._accepted
            status = b"200" if is_known else b"400"
            self._replier.send_multipart([version, number, status, b"", b"", b""])

    def stop(self) -> None:
        self._control.send(b"")
        self._thread.join()
        for socket in (self._replier, self._control, self._commands):
            socket.close()


class ScriptedDaemon(ScriptedSessions):
    """Serves on an ipc endpoint in a thread of its own until `stop`.

    With `secret_key` it serves CURVE on a loopback port instead, for clients whose public keys are
    in `accepted`; then `endpoint` is its curve:// address. `tokens` are those of the calls, in order;
    HELLO and calls without one have b"".
    """

    def __init__(self, endpoint: str = "", secret_key: bytes | None = None):
        super().__init__()
        self.accepted: set[bytes] = set()
        self.tokens: list[tuple[str, bytes]] = []
        self.jobs: dict[str, Job] = {}
        self.calls: list[str] = []
        self.canceled_calls: list[int] = []
        self.corrupt_next_result = False
        self._numbers = itertools.count(1)
        self._held: list[tuple] = []
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.linger = 0
        self._gate = None if secret_key is None else Gate(self._context, self.accepted)
        if secret_key is not None:
            self._router.curve_server = True
            self._router.curve_secretkey = secret_key
            port = self._router.bind_to_random_port("tcp://127.0.0.1")
            endpoint = f"curve://127.0.0.1:{port}"
        else:
            self._router.bind(endpoint)
        self.endpoint = endpoint
        self._commands = self._context.socket(zmq.PAIR)
        self._commands.bind(f"inproc://{id(self)}")
        self._control = self._context.socket(zmq.PAIR)
        self._control.connect(f"inproc://{id(self)}")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def release(self, job_id: str) -> None:
        """Lets a held job succeed."""
        self._control.send(job_id.encode())

    def release_steps(self) -> None:
        """Answers the steps of sessions named "hold"."""
        self._control.send(b"steps")

    def stop(self) -> None:
        self._control.send(b"")
        self._thread.join()
        for socket in (self._router, self._commands, self._control):
            socket.close()
        if self._gate is not None:
            self._gate.stop()
        self._context.term()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._commands, zmq.POLLIN)
        while True:
            due = min((held[0] for held in self._held), default=NEVER)
            wait = None if due == NEVER else max(0, (due - time.monotonic()) * 1000)
            ready = dict(poller.poll(wait))
            if self._commands in ready:
                job_id = self._commands.recv().decode()
                if not job_id:
                    return
                if job_id == "steps":
                    self._release_steps()
                    continue
                self.jobs[job_id].status = SUCCEEDED
                self._answer_held(job_id)
            if self._router in ready:
                identity, head, *rest = self._router.recv_multipart()
                self._receive(identity, wire.fields(head), rest)
            self._expire_held()

    def _receive(self, identity: bytes, head: dict, rest: list[bytes]) -> None:
        kind, call = head.get(2, [0])[0], head.get(3, [0])[0]
        if kind == wire.PING:
            self._router.send_multipart([identity, wire.envelope(wire.PONG, call), b""])
        elif kind == wire.CANCEL:
            self.canceled_calls.append(call)
            self._held = [held for held in self._held if held[2] != call]
        elif kind == wire.CALL:
            method = head[4][0].decode()
            self.calls.append(method)
            self.tokens.append((method, head.get(9, [b""])[0]))
            self.attachments = rest[1:]
            getattr(self, f"_{method}")(identity, call, wire.fields(rest[0]) if rest else {})

    def _final(self, identity: bytes, call: int, body: bytes = b"", items: list = []) -> None:
        descriptors = [wire.descriptor(kind, shape, data) for _, kind, shape, data in items]
        frames = [data for *_, data in items]
        self._router.send_multipart(
            [identity, wire.envelope(wire.FINAL, call, attachments=descriptors), body, *frames])

    def _refuse(self, identity: bytes, call: int, code: int, detail: bytes) -> None:
        status = message({1: code, 2: detail})
        self._router.send_multipart([identity, wire.envelope(wire.FINAL, call, status=status), b""])

    def _job(self, identity: bytes, call: int, job_id: bytes) -> Job | None:
        job = self.jobs.get(job_id.decode())
        if job is None:
            self._refuse(identity, call, CODES["not_found"], error_detail(
                2003, "job_not_found", "auth", f"no job {job_id.decode()}"))
        return job

    # Methods

    def _Hello(self, identity: bytes, call: int, body: dict) -> None:
        self._final(identity, call, message({1: 1, 2: "scripted", 3: "scripted", 4: ["sessions"], 7: "uid:0"}))

    def _Health(self, identity: bytes, call: int, body: dict) -> None:
        self._final(identity, call, message({1: 1, 2: "scripted", 3: 5, 4: 0, 5: 0}))

    def _Version(self, identity: bytes, call: int, body: dict) -> None:
        self._final(identity, call, message({1: "0.1.0", 2: 1, 3: 1}))

    def _ListDevices(self, identity: bytes, call: int, body: dict) -> None:
        device = message({1: "sim.statevector", 3: 1, 4: 30, 7: 1, 8: 1, 14: [1, 5]})
        self._final(identity, call, message({1: [device]}))

    def _ErrorCatalogue(self, identity: bytes, call: int, body: dict) -> None:
        self._final(identity, call, message({1: 1, 2: [message({1: 1015, 2: "invalid_shots"})]}))

    def _accept(self, request: dict) -> tuple[Job | None, bytes]:
        """The job, or the status that refuses it."""
        job = Job(next(self._numbers), request)
        if b"wrong" in job.program:
            location = message({1: 3, 2: 5, 3: "wrong", 4: "    wrong q;\n    ^~~~~"})
            detail = error_detail(1023, "program_syntax_error", "validation", "no such word",
                                  f10=location)
            return None, message({1: CODES["invalid"], 2: detail})
        if any(pub.get(5) == [0] for pub in job.pubs):
            violation = message({1: "pubs[0].shots", 2: "shots are 0", 3: "1 to 10000000"})
            detail = error_detail(1015, "invalid_shots", "validation", "shots are 0",
                                  f9=[violation], f8=250)
            return None, message({1: CODES["invalid"], 2: detail})
        self.jobs[job.id] = job
        return job, b""

    def _Submit(self, identity: bytes, call: int, body: dict) -> None:
        job, status = self._accept(wire.fields(body[1][0]))
        if job is None:
            self._router.send_multipart([identity, wire.envelope(wire.FINAL, call, status=status), b""])
        else:
            self._final(identity, call, message({1: job.encode()}))

    def _SubmitBatch(self, identity: bytes, call: int, body: dict) -> None:
        items = []
        for request in body.get(1, []):
            job, status = self._accept(wire.fields(request))
            items.append(message({1: status} if job is None else {1: b"", 2: job.encode()}))
        self._final(identity, call, message({1: items}))

    def _Plan(self, identity: bytes, call: int, body: dict) -> None:
        self._final(identity, call, message({1: "sim.statevector", 2: "interactive", 4: 64, 6: 0.001}))

    def _GetJob(self, identity: bytes, call: int, body: dict) -> None:
        if job := self._job(identity, call, body[1][0]):
            self._final(identity, call, message({1: job.encode()}))

    def _ListJobs(self, identity: bytes, call: int, body: dict) -> None:
        size, token = body.get(2, [100])[0], body.get(3, [b"0"])[0]
        start = int(token or b"0")
        newest = sorted(self.jobs.values(), key=lambda job: job.id, reverse=True)
        more = str(start + size) if start + size < len(newest) else ""
        self._final(identity, call, message({
            1: [job.encode() for job in newest[start:start + size]], 2: more}))

    def _CancelJob(self, identity: bytes, call: int, body: dict) -> None:
        if job := self._job(identity, call, body[1][0]):
            outcome = 1 if job.status == QUEUED else 3
            if outcome == 1:
                job.status = CANCELED
                self._answer_held(job.id)
            self._final(identity, call, message({1: outcome, 3: job.encode()}))

    def _AnnotateJob(self, identity: bytes, call: int, body: dict) -> None:
        if job := self._job(identity, call, body[1][0]):
            for pair in body.get(2, []):
                entry = wire.fields(pair)
                key, value = (entry.get(n, [b""])[0].decode() for n in (1, 2))
                if value:
                    job.annotations[key] = value
                else:
                    job.annotations.pop(key, None)
            self._final(identity, call, message({1: job.encode()}))

    def _ReplayJob(self, identity: bytes, call: int, body: dict) -> None:
        if 3 in body and body[3][0]:
            job = self.jobs[body[3][0].decode()]
            self._final(identity, call, message(
                {1: job.encode(), 2: 1, 3: b"\x01" * 32, 4: b"\x01" * 32}))
        elif job := self._job(identity, call, body[1][0]):
            again, _ = self._accept(job.request)
            assert again is not None
            self._final(identity, call, message({1: again.encode()}))

    def _WatchJob(self, identity: bytes, call: int, body: dict, sent: int = 0) -> None:
        job = self._job(identity, call, body[1][0])
        if job is None:
            return
        after = body.get(2, [0])[0]
        events = job.events()[after:]
        for number, event in enumerate(events[sent:], sent + 1):
            self._router.send_multipart(
                [identity, wire.envelope(wire.PARTIAL, call, sequence=number), event])
        if job.status == QUEUED:
            self._held.append((NEVER, identity, call, job.id, body, len(events)))
        else:
            self._final(identity, call, message({1: job.encode()}))

    def _GetResult(self, identity: bytes, call: int, body: dict) -> None:
        job = self._job(identity, call, body[1][0])
        if job is None:
            return
        wait = body.get(2, [0])[0] / 1000
        if job.status == QUEUED and wait:
            self._held.append((time.monotonic() + wait, identity, call, job.id, body, None))
        elif job.status == QUEUED:
            self._not_ready(identity, call, job)
        elif job.status != SUCCEEDED:
            self._final(identity, call, message({1: job.encode()}))
        else:
            self._send_result(identity, call, body, job)

    def _not_ready(self, identity: bytes, call: int, job: Job) -> None:
        self._refuse(identity, call, CODES["precondition"], error_detail(
            4004, "result_not_ready", "conflict", f"job {job.id} is queued"))

    def _send_result(self, identity: bytes, call: int, body: dict, job: Job) -> None:
        items = SWEEP_ITEMS if job.name == "sweep" else BELL_ITEMS
        bits, shape = (70, [2]) if job.name == "sweep" else (2, [])
        listed = [
            message({1: name, 3: kind, 4: list(axes), 5: len(data),
                     6: hashlib.sha256(data).digest()}) for name, kind, axes, data in items]
        pub = message({2: 2, 3: bits, 4: shape, 5: 1024})
        manifest = message({1: 1, 2: job.id, 3: 1, 4: listed, 5: [pub], 7: b"\xab" * 32, 8: 1024})
        provenance = message({
            1: 1, 2: job.id, 3: "sim.statevector", 4: "ideal", 6: "scripted", 7: 1, 9: 1,
            14: [hashlib.sha256(pub.get(1, [b""])[0]).digest() for pub in job.pubs],
            17: 1024, 18: job.seed, 22: b"\xab" * 32})
        answer: dict[int, object] = {1: job.encode(), 2: manifest, 3: provenance}
        sent = [] if body.get(4, [0])[0] else items
        if self.corrupt_next_result:
            sent = [(n, k, s, bytes([d[0] ^ 1]) + d[1:]) for n, k, s, d in sent]
        answer[4] = [
            message({1: number, 2: 0, 3: hashlib.sha256(data).digest()})
            for number, (_, _, _, data) in enumerate(sent)]
        self._final(identity, call, message(answer), sent)

    # Held calls

    def _answer_held(self, job_id: str) -> None:
        waiting = [held for held in self._held if held[3] == job_id]
        self._held = [held for held in self._held if held[3] != job_id]
        for _, identity, call, _, body, sent in waiting:
            if sent is None:
                self._GetResult(identity, call, body)
            else:
                self._WatchJob(identity, call, body, sent)

    def _expire_held(self) -> None:
        now = time.monotonic()
        late = [held for held in self._held if held[0] <= now]
        self._held = [held for held in self._held if held[0] > now]
        for _, identity, call, job_id, _, _ in late:
            self._not_ready(identity, call, self.jobs[job_id])
