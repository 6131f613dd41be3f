"""A peer that speaks CurveZMQ (RFC 26) by hand, so that it can stop in the middle of anything.

libzmq sends nothing of a message before its last frame: what never ends has to be written here.
"""
from __future__ import annotations

import socket
import struct

from zmq.utils import z85

import sodium

GREETING = (b"\xff" + bytes(8) + b"\x7f" + bytes([3, 1]) + b"CURVE".ljust(20, b"\0") + bytes(32))
_MORE, _LONG, _COMMAND = 1, 2, 4


def _frame(flags: int, body: bytes) -> bytes:
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | _LONG]) + struct.pack(">Q", len(body)) + body


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + struct.pack(">Q", number)


class Refused(OSError):
    """The server has answered the handshake with an error."""


class CurvePeer:
    """Connected, and past the handshake; raises Refused when the server does not let it in."""

    def __init__(self, address: tuple[str, int], server_key: str, public: str, secret: str,
                 source: str = "127.0.0.1"):
        self.socket = socket.create_connection(address, timeout=20, source_address=(source, 0))
        self._number = 0
        try:
            self._shake_hands(*map(z85.decode, (server_key, public, secret)))
        except BaseException:
            self.socket.close()
            raise

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _shake_hands(self, server: bytes, public: bytes, secret: bytes) -> None:
        self.socket.sendall(GREETING)
        self._read(64)
        own, own_secret = sodium.box_keys()
        number = self._next()
        proof = sodium.seal(
            bytes(64), _nonce(b"CurveZMQHELLO---", number), sodium.shared(server, own_secret))
        self.socket.sendall(_frame(_COMMAND, b"\5HELLO" + bytes([1, 0]) + bytes(72) + own
                                   + struct.pack(">Q", number) + proof))
        welcome = self._read_frame()
        if not welcome.startswith(b"\7WELCOME"):
            raise OSError(f"no welcome but {welcome[:16]!r}")
        opened = sodium.unseal(
            welcome[24:], b"WELCOME-" + welcome[8:24], sodium.shared(server, own_secret))
        theirs, cookie = opened[:32], opened[32:]
        self._key = sodium.shared(theirs, own_secret)
        vouch_nonce = sodium.random_bytes(16)
        vouch = sodium.seal(own + server, b"VOUCH---" + vouch_nonce, sodium.shared(theirs, secret))
        number = self._next()
        text = (public + vouch_nonce + vouch + _property(b"Socket-Type", b"DEALER")
                + _property(b"Identity", b""))
        sealed = sodium.seal(text, _nonce(b"CurveZMQINITIATE", number), self._key)
        self.socket.sendall(_frame(
            _COMMAND, b"\x08INITIATE" + cookie + struct.pack(">Q", number) + sealed))
        ready = self._read_frame()
        if not ready.startswith(b"\5READY"):
            raise Refused(f"not let in: {ready[:16]!r}")

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the server has closed the connection")
            data += more
        return data

    def _read_frame(self) -> bytes:
        flags = self._read(1)[0]
        size = struct.unpack(">Q", self._read(8))[0] if flags & _LONG else self._read(1)[0]
        return self._read(size)

    def send(self, payload: bytes, more: bool) -> None:
        """One frame of a message; OSError once the server has closed the connection."""
        number = self._next()
        sealed = sodium.seal(
            bytes([_MORE if more else 0]) + payload, _nonce(b"CurveZMQMESSAGEC", number), self._key)
        self.socket.sendall(_frame(0, b"\7MESSAGE" + struct.pack(">Q", number) + sealed))

    def is_closed(self, seconds: float) -> bool:
        """Whether the server closes the connection within that time; what it says is passed over."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 16):
                continue
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.socket.close()
