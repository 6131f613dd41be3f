"""Attacks by members of one tenant, with keys that are known, on another tenant and on the service."""
from __future__ import annotations

import itertools
import uuid

import zmq

import wire
from attack import Attack
from raw_client import RawClient, Refusal
from wire import message

#: Seconds for an answer, on a machine that is busy with all this.
PATIENCE = 60.0
TOKEN_ERRORS = {"token_invalid", "token_expired", "rate_limited"}
#: The attachment of a step of one parameter, 0.
NUMBER = wire.descriptor(wire.FLOAT64, (1,), bytes(8))


class Intruder:
    """A connection of an attacker who is known as `name`."""

    def __init__(self, attack: Attack, name: str, **options: object):
        self.attack = attack
        self.context = zmq.Context()
        self.client = RawClient(
            attack.endpoint, self.context, (attack.server_key, *attack.facts["keys"][name]), **options)

    def __enter__(self) -> RawClient:
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.context.term()


def foreign_requests(ids: dict) -> list[tuple[str, bytes]]:
    """Everything that one can ask about what belongs to the tenant lab."""
    job, large = ids["job"], ids["large_job"]
    session, secret = ids["session"], bytes.fromhex(ids["session_secret"])
    binary = uuid.UUID(session).bytes
    entry = message({1: "stolen", 2: "yes"})
    grant = message({1: "viewer", 2: "rival", 3: "qc"})
    into = message({1: "viewer", 2: "lab", 3: "qc"})
    requests: list[tuple[str, dict]] = [
        ("GetJob", {1: job}), ("CancelJob", {1: job, 2: "mine"}),
        ("AnnotateJob", {1: job, 2: [entry]}), ("ReplayJob", {1: job}),
        ("ArchiveJob", {1: job, 2: "vault"}), ("RestoreJob", {1: job, 2: bytes(32), 5: b"mine"}),
        ("ReplayJob", {1: job, 3: large}),
        ("WatchJob", {1: job}), ("WatchJob", {1: job, 2: 1}), ("WatchJob", {1: job, 2: 1 << 40}),
        ("GetResult", {1: job}), ("GetResult", {1: job, 4: 1}), ("GetResult", {1: large}),
        ("GetResult", {1: large, 3: [message({1: 0, 2: [0]})]}),
        ("GetResult", {1: large, 3: [message({1: 0, 2: [1]})]}),
        ("GetResult", {1: large, 3: [message({1: 99, 2: [7]})]}),
        ("GetResult", {1: job, 2: 50}),
        ("GetSession", {1: session}), ("CloseSession", {1: session}),
        ("ResumeSession", {1: session, 2: secret}), ("ResumeSession", {1: session, 2: secret, 3: 1}),
        ("ResumeSession", {1: session, 2: bytes(len(secret))}),
        ("Optimize", {1: session, 2: ids["job"]}), ("CancelOptimize", {1: session, 2: ids["job"]}),
        ("ListProjects", {1: "lab"}), ("ListPrincipals", {1: "lab"}),
        ("ListPrincipals", {1: "lab", 2: "qc"}), ("ListKeys", {1: "lab/qc/ada"}),
        ("ListAudit", {3: "lab"}), ("CreateProject", {1: "lab", 2: "mine"}),
        ("UpdateProject", {1: "lab", 2: "qc", 3: 1}), ("CreatePrincipal", {1: "lab/qc/spy"}),
        ("UpdatePrincipal", {1: "lab/qc/ada", 2: 1}), ("AddKey", {1: "lab/qc/ada", 2: "0" * 40}),
        ("RevokeKey", {1: ids["key"]}), ("RevokeToken", {1: ids["token_id"]}),
        ("CreateInvitation", {1: "lab/qc/ada"}), ("GrantRole", {1: "lab/qc/ada", 2: grant}),
        ("GrantRole", {1: "rival/qc/mallory", 2: into}), ("RevokeRole", {1: "lab/qc/ada", 2: into}),
    ]
    return [(method, message(request)) for method, request in requests] + [
        ("Step", message({1: binary, 2: sequence})) for sequence in (1, 2, ids["next_sequence"])]


def _sees(ids: dict, data: bytes) -> bool:
    marks = [ids["mark"], ids["job"], ids["large_job"], ids["session"]]
    return any(mark.encode() in data for mark in marks) or (
        uuid.UUID(ids["session"]).bytes in data or bytes.fromhex(ids["session_secret"]) in data)


def foreign_ids(attack: Attack) -> None:
    """The administrator and auditor of one tenant asks for everything of the other."""
    requests = foreign_requests(attack.facts["lab"])
    attack.dice.shuffle(requests)
    with Intruder(attack, "mallory") as client:
        for method, body in itertools.cycle(requests):
            if not attack.goes_on():
                return
            arrays = ([bytes(8)], {"_12": [NUMBER]}) if method == "Step" else ([], {})
            number = client.send_call(method, body, *arrays[0], **arrays[1])
            answer = client.answer(number, PATIENCE)
            if isinstance(answer, Refusal) and answer.name.endswith("_not_found"):
                attack.count(f"{method} not found")
            else:
                attack.problem(f"{method} of the other tenant was answered: {answer!r:.200}")


def lists(attack: Attack) -> None:
    """Lists and searches: nothing of the other tenant is in them."""
    ids = attack.facts["lab"]
    asks = [("ListJobs", {2: 1000}), ("ListJobs", {2: 5, 4: [ids["mark"]]}), ("ListJobs", {5: ids["mark"]}),
            ("ListSessions", {1: 1, 2: 1000}), ("ListTenants", {}), ("ListProjects", {}),
            ("ListPrincipals", {}), ("ListKeys", {}), ("ListAudit", {2: 1000}), ("ListDevices", {}),
            ("Health", {}), ("Hello", {}), ("WhoAmI", {})]
    after = 0
    with Intruder(attack, "mallory") as client:
        for method, request in itertools.cycle(asks):
            if not attack.goes_on():
                return
            if method == "ListAudit":
                request = {**request, 1: after}
            answer = client.call(method, message(request), PATIENCE)
            if isinstance(answer, Refusal):
                attack.problem(f"{method} was refused: {answer}")
                continue
            attack.count(f"{method} answered")
            records = wire.fields(answer).get(1, []) if method == "ListAudit" else []
            for record in map(wire.fields, records):
                after = max(after, record[1][0])
                if record.get(9, [b""])[0] != b"rival":
                    attack.problem(f"a record of another tenant: {record!r:.300}")
            # What an attacker asked for stands in the records of the attacker's own tenant.
            if method != "ListAudit" and _sees(ids, answer):
                attack.problem(f"{method} shows what is the other tenant's")


def tokens(attack: Attack) -> None:
    """Tokens that are stolen, expired, of the future, unsigned, altered or for somebody else."""
    bad = dict(attack.facts["tokens"])
    unchanged = bad.pop("unchanged")
    with Intruder(attack, "notebook") as client:
        answer = client.call("WhoAmI", timeout=PATIENCE, _9=unchanged)
        if isinstance(answer, Refusal):
            attack.problem(f"signed by the same means and unchanged, a token is refused: {answer}")
        attack.count("good token taken")
        while attack.goes_on():
            kind = attack.dice.choice(list(bad))
            method = attack.dice.choice(["WhoAmI", "ListJobs", "GetJob", "Submit", "CreateTenant"])
            body = message({1: attack.facts["lab"]["job"]}) if method == "GetJob" else b""
            answer = client.call(method, body, PATIENCE, _9=bad[kind])
            if isinstance(answer, Refusal) and answer.name in TOKEN_ERRORS:
                attack.count(f"token {kind} refused")
            else:
                attack.problem(f"a token that is {kind} was taken for {method}: {answer!r:.200}")


def routing_ids(attack: Attack) -> None:
    """Two peers of different keys claim one routing id, also one of the form of ZeroMQ's own."""
    names = ["mallory", "notebook"]
    while attack.goes_on():
        identity = attack.dice.choice(
            [b"twin", b"\0" + attack.dice.randbytes(4), attack.dice.randbytes(20)])
        if identity.startswith(b"\0") and len(identity) != 5:
            continue
        twins = [Intruder(attack, name, routing_id=identity) for name in names]
        for twin in twins:
            for _ in range(3):
                twin.client.send_call("WhoAmI", b"")
        attack.pause(0.1)
        for name, twin in zip(names, twins, strict=True):
            while twin.client.socket.poll(20):
                envelope, body = twin.client.receive()
                answer = twin.client.outcome(envelope, body)
                attack.count("claims of a routing id answered")
                if isinstance(answer, Refusal):
                    continue
                told = wire.fields(answer)[1][0].decode()
                if told != f"rival/qc/{name}":
                    attack.problem(f"{name} was answered as {told}")
            twin.__exit__()
        attack.count("claims of a routing id", len(twins))


def replayed_frames(attack: Attack) -> None:
    """The frames of calls again: under an id in flight, a submit with its key, a step that was taken."""
    watch = [message({1: 1, 2: wire.CALL, 3: 1, 4: "WatchJob"}), message({1: attack.facts["rival"]["job"]})]
    bell = message({1: attack.facts["bell"], 5: 10})
    submit = [message({1: 1, 2: wire.CALL, 3: 2, 4: "Submit"}),
              message({1: message({1: 1, 3: f"replay-{attack.number}", 4: [bell]})})]
    opening = message({1: 1, 2: attack.facts["turn"], 3: [message({1: [message({1: "Z", 2: 1.0})]})]})
    jobs, taken = set(), 0
    with Intruder(attack, "mallory") as client:
        opened = client.call("OpenSession", opening, PATIENCE)
        session = wire.fields(wire.fields(opened)[1][0])[1][0].decode()
        while attack.goes_on():
            for _ in range(5):  # no credit: it stays in flight
                client.frames(*watch)
            for _ in range(4):
                answer = client.answer(1, PATIENCE)
                if not isinstance(answer, Refusal) or answer.name != "duplicate_call_id":
                    attack.problem(f"a call in flight was taken again: {answer!r:.200}")
                attack.count("calls in flight sent again")
            client.frames(message({1: 1, 2: wire.CANCEL, 3: 1}))
            client.answer(1, PATIENCE)
            for _ in range(3):
                client.frames(*submit)
                answer = client.answer(2, PATIENCE)
                if isinstance(answer, Refusal):
                    attack.problem(f"a submit with its key was refused: {answer}")
                    continue
                jobs.add(wire.fields(wire.fields(answer)[1][0])[1][0])
                attack.count("submits sent again")
            taken += 1
            body = message({1: uuid.UUID(session).bytes, 2: taken})
            answers = [client.answer(client.send_call("Step", body, bytes(8), _12=[NUMBER]), PATIENCE)
                       for _ in range(3)]
            if any(isinstance(answer, Refusal) for answer in answers):
                attack.problem(f"a step again: {answers!r:.300}")
            attack.count("steps sent again", 2)
        shown = client.call("GetSession", message({1: session}), PATIENCE)
        charged = wire.fields(wire.fields(shown)[1][0]).get(21, [0])[0]
        if charged != taken:
            attack.problem(f"{taken} steps were charged as {charged}")
    if len(jobs) > 1:
        attack.problem(f"one submit sent again and again made {len(jobs)} jobs")


def noise(attack: Attack) -> None:
    """Random, changed and shortened messages; what comes back shows nothing of others."""
    ids, own = attack.facts["lab"], attack.facts["rival"]
    bodies = foreign_requests(ids) + [("GetResult", message({1: own["large_job"]})),
                                      ("ListJobs", message({2: 3})), ("Submit", b""), ("Plan", b"")]
    dice = attack.dice
    while attack.goes_on():
        with Intruder(attack, "mallory") as client:
            for number in range(1, 400):
                method, body = dice.choice(bodies)
                envelope = message({1: 1, 2: dice.choice([1, 1, 1, 2, 3, 4, 5, 9]), 3: number, 4: method,
                                    6: 1 << 20})
                frames = [bytearray(envelope), bytearray(body)][:dice.choice([1, 2, 2, 2])]
                for _ in range(dice.randint(0, 4)):
                    _change(dice, dice.choice(frames))
                if dice.random() < 0.1:
                    frames = [bytearray(dice.randbytes(dice.randint(0, 300)))
                              for _ in range(dice.randint(1, 70))]
                client.frames(*map(bytes, frames))
                attack.count("random messages")
                while client.socket.poll(0):
                    parts = client.socket.recv_multipart()
                    attack.count("answers to random messages")
                    if any(_sees(ids, part) for part in parts[1:]):
                        attack.problem("an answer shows what is the other tenant's")
                if number % 20 == 0:
                    attack.pause(0.001)


def _change(dice, frame: bytearray) -> None:
    if not frame:
        return
    at = dice.randrange(len(frame))
    kind = dice.randrange(4)
    if kind == 0:
        frame[at] = dice.randrange(256)
    elif kind == 1:
        del frame[at]
    elif kind == 2:
        frame.insert(at, dice.randrange(256))
    else:
        del frame[at:]


def no_credit(attack: Attack) -> None:
    """Streams that are opened and given no credit: none of their elements comes."""
    own = attack.facts["rival"]
    while attack.goes_on():
        with Intruder(attack, "mallory") as client:
            for index in range(200):
                method, job = [("WatchJob", own["job"]), ("GetResult", own["large_job"])][index % 2]
                client.send_call(method, message({1: job}), _6=0)
            attack.pause(1.0)
            while client.socket.poll(0):
                envelope, _ = client.receive()
                if envelope[2][0] == wire.PARTIAL:
                    attack.problem("a stream without credit was sent")
                attack.count("other answers to streams without credit")
            attack.count("streams without credit", 200)


def never_reads(attack: Attack) -> None:
    """Calls by the thousand, their answers never read; half of the time it goes without a word."""
    own = attack.facts["rival"]
    while attack.goes_on():
        with Intruder(attack, "mallory", rcvhwm=1, rcvbuf=4096, sndtimeo=1000) as client:
            try:
                for index in range(3000):
                    if index % 10 == 0:
                        client.send_call("GetResult", message({1: own["large_job"]}), _6=1 << 30)
                    else:
                        client.send_call("ErrorCatalogue", b"")
                    attack.count("calls whose answers are never read")
                    if not attack.goes_on():
                        break
            except zmq.Again:
                attack.count("calls that found no room")
            attack.pause(attack.dice.choice([0, 3]))


ATTACKS = {each.__name__: each for each in (
    foreign_ids, lists, tokens, routing_ids, replayed_frames, noise, no_credit, never_reads)}
#: What must have happened, or the attack was none.
WANTED = [
    *(f"{method} not found" for method in (
        "GetJob", "CancelJob", "AnnotateJob", "ReplayJob", "WatchJob", "GetResult", "ArchiveJob", "RestoreJob",
        "GetSession", "CloseSession", "ResumeSession", "Step", "Optimize", "CancelOptimize", "ListAudit", "ListKeys",
        "ListPrincipals", "ListProjects", "RevokeKey", "RevokeToken")),
    "ListJobs answered", "ListSessions answered", "ListAudit answered", "good token taken",
    *(f"token {kind} refused" for kind in (
        "stolen", "expired", "future", "wrong audience", "unsigned", "altered")),
    "claims of a routing id", "calls in flight sent again", "submits sent again", "steps sent again",
    "random messages",
    "streams without credit", "calls whose answers are never read"]
