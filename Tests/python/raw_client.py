"""A client that speaks the protocol by hand, so that it can also speak it wrongly."""
from __future__ import annotations

import dataclasses
import itertools

import zmq

import wire
from wire import message


@dataclasses.dataclass
class Refusal:
    """The error of a FINAL."""
    number: int
    name: str
    text: str
    action: str
    trace_id: str
    fields: list[str]
    limits: list[str]

    @classmethod
    def of(cls, detail: bytes) -> "Refusal":
        found = wire.fields(detail)

        def text(number: int, source: dict = found) -> str:
            return source.get(number, [b""])[0].decode()

        violations = [wire.fields(each) for each in found.get(9, [])]
        return cls(found.get(1, [0])[0], text(2), text(4), text(6), text(7),
                   [text(1, each) for each in violations], [text(3, each) for each in violations])


class RawClient:
    """One DEALER. `frames` sends anything; `call` a well-formed CALL around any body."""

    def __init__(self, endpoint: str, context: zmq.Context,
                 curve: tuple[str, str, str] | None = None, **options: object):
        """`curve`: the server's public key, and the client's public and secret ones. `options` are
        the socket's."""
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        if curve is not None:
            server, public, secret = (key.encode() for key in curve)
            self.socket.curve_serverkey = server
            self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint.replace("curve://", "tcp://"))
        self._ids = itertools.count(1)

    def close(self) -> None:
        self.socket.close()

    def frames(self, *parts: bytes) -> None:
        self.socket.send_multipart(list(parts))

    def receive(self, timeout: float = 10) -> tuple[dict, bytes]:
        """The next message: fields of its envelope, and its body."""
        if not self.socket.poll(int(timeout * 1000)):
            raise TimeoutError("the daemon did not answer")
        parts = self.socket.recv_multipart()
        return wire.fields(parts[0]), parts[1] if len(parts) > 1 else b""

    def send_call(
        self, method: str | bytes, body: bytes, *attachments: bytes, **extra: object
    ) -> int:
        number = next(self._ids)
        given: dict[int, object] = {1: 1, 2: wire.CALL, 3: number, 4: method, 6: 1 << 20}
        given.update({int(key[1:]): value for key, value in extra.items()})
        self.frames(message(given), body, *attachments)
        return number

    def call(self, method: str | bytes, body: bytes = b"", timeout: float = 10, **extra: object):
        """A Refusal, or the body of the answer."""
        return self.answer(self.send_call(method, body, **extra), timeout)

    def answer(self, number: int, timeout: float = 10):
        """That of a call that was sent: a Refusal, or the body."""
        while True:
            envelope, answer = self.receive(timeout)
            if envelope[2][0] == wire.FINAL and envelope.get(3, [0])[0] in (0, number):
                return self.outcome(envelope, answer)

    @staticmethod
    def outcome(envelope: dict, answer: bytes):
        status = wire.fields(envelope.get(7, [b""])[0])
        return Refusal.of(status[2][0]) if 2 in status else answer

    def is_served(self) -> bool:
        return isinstance(self.call("Health"), bytes)
