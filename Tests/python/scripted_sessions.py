"""Sessions of the scripted server, evaluated by numpy (see dense.py).

What a session does follows its name: "hold" answers steps when it is released, "limited" ends after
three steps. With shots its values come with standard errors of 0.25. The optimizer is plain gradient
descent, whatever method is asked for; "refused" is no method, and an optimization with
max_iterations 1000 runs until it is canceled.
"""
from __future__ import annotations

import collections
import struct
import uuid

import numpy

import dense
import wire
from wire import message

VALUES, GRADIENTS, COUNTS, STATEVECTOR, STANDARD_ERRORS = 1, 2, 4, 8, 16
NEVER_ENDING = 1000


def number_of(raw) -> float:
    return struct.unpack("<d", raw)[0]


class Session:
    """One resident program."""

    def __init__(self, request: dict, owner: bytes):
        self.id, self.secret, self.owner = uuid.uuid4(), b"s" * 32, owner
        self.program = dense.Program(request[2][0].decode())
        self.observables = [
            [(wire.fields(t)[1][0].decode(), number_of(wire.fields(t)[2][0]))
             for t in wire.fields(each).get(1, [])] for each in request.get(3, [])]
        packed = request.get(4, [])  # repeated enums come packed
        numbers = list(packed[0]) if packed and isinstance(packed[0], bytes) else packed
        self.outputs = numbers or ([1, 2] if self.observables else [3])
        self.shots = request.get(5, [0])[0]
        self.seed = request.get(8, [7])[0]
        self.name = request.get(16, [b""])[0].decode()
        self.is_open, self.reason = True, ""
        self.steps = self.last_sequence = 0
        self.stored: tuple[bytes, list] | None = None
        self.optimizations: dict[str, list] = {}

    def encode(self) -> bytes:
        given: dict[int, object] = {
            1: str(self.id), 2: 1 if self.is_open else 2, 3: self.reason,
            4: self.program.parameters, 5: len(self.observables), 6: self.program.qubits,
            7: self.program.bits, 8: self.outputs, 12: self.seed, 13: "sim.statevector",
            14: "double", 15: 60.0, 21: self.steps, 22: self.last_sequence, 29: self.name}
        if self.shots:
            given[9] = self.shots
        return message(given)

    def evaluate(self, mask: int, rows: numpy.ndarray, shots: int) -> tuple[int, list]:
        """Mask of the arrays, and the arrays as items."""
        states = [self.program.state(row) for row in rows]
        items: list[tuple] = []

        def add(bit: int, kind: int, array: numpy.ndarray) -> int:
            items.append(("", kind, array.shape, array.tobytes()))
            return bit

        told = 0
        if mask & VALUES:
            values = numpy.array([[dense.expectation(s, o) for o in self.observables] for s in states])
            told |= add(VALUES, wire.FLOAT64, values)
            if shots:
                told |= add(STANDARD_ERRORS, wire.FLOAT64, numpy.full(values.shape, 0.25))
        if mask & GRADIENTS:
            told |= add(GRADIENTS, wire.FLOAT64, numpy.array(
                [[dense.gradient(self.program, row, o) for o in self.observables] for row in rows]))
        if mask & COUNTS:
            told |= COUNTS
            tables = []
            for number, state in enumerate(states):
                dice = numpy.random.default_rng([self.seed, number])
                drawn = dice.choice(state.size, shots, p=numpy.abs(state) ** 2)
                tables.append(sorted(collections.Counter(drawn.tolist()).items()))
            add(COUNTS, wire.UINT64, numpy.cumsum([0, *map(len, tables)]).astype(numpy.uint64))
            flat = numpy.array([pair for table in tables for pair in table], numpy.uint64)
            add(COUNTS, wire.UINT64, flat[:, :1].copy())
            add(COUNTS, wire.UINT64, flat[:, 1].copy())
        if mask & STATEVECTOR:
            told |= add(STATEVECTOR, wire.COMPLEX128, numpy.array(states))
        return told, items


class ScriptedSessions:
    """The methods of sessions; a part of the scripted server, whose answers it sends."""

    def __init__(self) -> None:
        self.sessions: dict[uuid.UUID, Session] = {}
        self.evaluations: list[tuple[uuid.UUID, int]] = []
        self.attachments: list[bytes] = []
        self._held_steps: list[tuple] = []
        self._watched: list[tuple] = []

    def _deny(self, identity: bytes, call: int, status: int, *detail: object) -> None:
        from scripted_daemon import error_detail

        self._refuse(identity, call, status, error_detail(*detail))

    def _session_of(self, identity: bytes, call: int, key: uuid.UUID) -> Session | None:
        session = self.sessions.get(key)
        if session is None or not session.is_open:
            reason = f": {session.reason}" if session else ""
            self._deny(identity, call, 5, 2004, "session_not_found", "auth", f"no session {key}{reason}")
            return None
        return session

    def _OpenSession(self, identity: bytes, call: int, body: dict) -> None:
        if b"wrong" in body[2][0]:
            self._deny(identity, call, 3, 1023, "program_syntax_error", "validation", "no such word")
            return
        session = Session(body, identity)
        self.sessions[session.id] = session
        self._final(identity, call, message({1: session.encode(), 2: session.secret}))

    def _ResumeSession(self, identity: bytes, call: int, body: dict) -> None:
        session = self._session_of(identity, call, uuid.UUID(body[1][0].decode()))
        if session is None:
            return
        if body[2][0] != session.secret:
            self._deny(identity, call, 5, 2004, "session_not_found", "auth", "no such session")
            return
        session.owner = identity
        self._final(identity, call, message({1: session.encode(), 2: session.last_sequence + 1}))

    def _CloseSession(self, identity: bytes, call: int, body: dict) -> None:
        session = self.sessions[uuid.UUID(body[1][0].decode())]
        session.is_open = False
        self._final(identity, call, message({1: session.encode()}))

    def _GetSession(self, identity: bytes, call: int, body: dict) -> None:
        if session := self._session_of(identity, call, uuid.UUID(body[1][0].decode())):
            self._final(identity, call, message({1: session.encode()}))

    def _ListSessions(self, identity: bytes, call: int, body: dict) -> None:
        listed = [s.encode() for s in reversed(self.sessions.values()) if s.is_open or body.get(1)]
        self._final(identity, call, message({1: listed}))

    # Steps

    def _Step(self, identity: bytes, call: int, body: dict) -> None:
        session = self._session_of(identity, call, uuid.UUID(bytes=body[1][0]))
        if session is None:
            return
        if identity != session.owner:
            self._deny(identity, call, 9, 4011, "session_held_elsewhere", "conflict", "taken over")
        elif session.name == "hold":
            self._held_steps.append((identity, call, session, body, self.attachments))
        else:
            self._answer_step(identity, call, session, body, self.attachments)

    def _answer_step(self, identity, call, session: Session, body: dict, attachments: list) -> None:
        sequence = body[2][0]
        if sequence == session.last_sequence and session.stored is not None:
            told, items = session.stored
            self._final(identity, call, told + message({5: 1}), items)
            return
        if sequence != session.last_sequence + 1:
            self._deny(identity, call, 9, 4010, "step_out_of_order", "conflict",
                       f"step {sequence}, expected is {session.last_sequence + 1}")
            return
        data = attachments[0] if attachments else b""
        count = len(session.program.parameters)
        rows = numpy.frombuffer(data).reshape(-1, count) if count else numpy.empty((1, 0))
        if not numpy.isfinite(rows).all():
            self._deny(identity, call, 3, 1017, "invalid_parameter_value", "validation",
                       "parameter 0 of row 0 is not finite")
            return
        mask = body.get(3, [0])[0] or (VALUES if session.observables else COUNTS)
        shots = body.get(4, [0])[0] or session.shots
        arrays, items = session.evaluate(mask, rows, shots)
        self.evaluations.append((session.id, sequence))
        session.steps += 1
        session.last_sequence = sequence
        if session.name == "limited" and session.steps == 3:
            session.is_open, session.reason = False, "MAX_STEPS"
        told = message({1: sequence, 2: arrays, 3: shots * len(rows), 4: 1000 * len(rows)})
        session.stored = told, items
        self._final(identity, call, told, items)

    def _release_steps(self) -> None:
        held, self._held_steps = self._held_steps, []
        for identity, call, session, body, attachments in held:
            self._answer_step(identity, call, session, body, attachments)

    # Optimizations

    def _Optimize(self, identity: bytes, call: int, body: dict) -> None:
        session = self._session_of(identity, call, uuid.UUID(body[1][0].decode()))
        if session is None:
            return
        known = body.get(2, [b""])[0].decode()
        if known:
            if known not in session.optimizations:
                self._deny(identity, call, 5, 2005, "optimization_not_found", "auth", f"no {known}")
                return
            self._stream(identity, call, session, known, body.get(3, [0])[0])
            return
        if body[4][0] == b"refused":
            self._deny(identity, call, 3, 1043, "invalid_optimizer", "validation", "no such method")
            return
        given = [wire.fields(option) for option in body.get(5, [])]
        options = {o[1][0]: number_of(o[2][0]) if 2 in o else 0.0 for o in given}
        rate = options.get(b"learning_rate", 0.1)
        at = numpy.frombuffer(self.attachments[0]).copy()
        bounds = [numpy.frombuffer(a) for a in self.attachments[1:]] if body.get(7) else None
        objective = session.observables[body.get(6, [0])[0]]
        wanted = body.get(8, [100])[0]
        trace = []
        for _ in range(3 if wanted == NEVER_ENDING else wanted):
            slope = dense.gradient(session.program, at, objective)
            at = at - rate * slope
            if bounds:
                at = numpy.clip(at, *bounds)
            value = dense.expectation(session.program.state(at), objective)
            trace.append((value, float(numpy.linalg.norm(slope)), at))
        name = str(uuid.uuid4())
        session.optimizations[name] = [trace, wanted == NEVER_ENDING]
        self._stream(identity, call, session, name, 0)

    def _stream(self, identity: bytes, call: int, session: Session, name: str, after: int) -> None:
        trace, is_running = session.optimizations[name]
        sent = trace[after:]
        for number in range(0, len(sent), 10):
            part = sent[number:number + 10]
            arrays = [numpy.array([p[0] for p in part]), numpy.array([p[1] for p in part]),
                      numpy.array([p[2] for p in part])]
            descriptors = [wire.descriptor(wire.FLOAT64, a.shape, a.tobytes()) for a in arrays]
            body = message({1: name, 2: after + number + 1, 3: len(part), 4: after + number + len(part)})
            envelope = wire.envelope(wire.PARTIAL, call, sequence=number // 10 + 1,
                                     attachments=descriptors)
            self._router.send_multipart([identity, envelope, body, *(a.tobytes() for a in arrays)])
        if is_running:
            self._watched.append((identity, call, session, name))
        else:
            self._end_optimization(identity, call, session, name)

    def _end_optimization(self, identity, call, session: Session, name: str) -> None:
        trace, was_canceled = session.optimizations[name]
        best, last = min(trace, key=lambda entry: entry[0]), trace[-1]
        items = [("", wire.FLOAT64, entry[2].shape, entry[2].tobytes()) for entry in (best, last)]
        self._final(identity, call, message({
            1: name, 2: "canceled" if was_canceled else "max_iterations", 3: float(best[0]),
            4: float(last[0]), 5: len(trace), 6: len(trace)}), items)

    def _CancelOptimize(self, identity: bytes, call: int, body: dict) -> None:
        name = body[2][0].decode()
        watched = [entry for entry in self._watched if entry[3] == name]
        self._watched = [entry for entry in self._watched if entry[3] != name]
        for entry in watched:
            self._end_optimization(*entry)
        self._final(identity, call, message({1: 1 if watched else 0}))
