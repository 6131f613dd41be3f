"""Stands between a client and a server that speak ZMTP, and changes what the server says."""
from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable

LONG = 2


class TamperingProxy:
    """Relays connections; `tamper` gets each frame of the first one's answers, after the greeting, with
    its number and flags, and gives the bytes that go on in its stead. Others pass unchanged."""

    def __init__(self, target: tuple[str, int], tamper: Callable[[int, int, bytes], Iterable[bytes]]):
        self._target, self._tamper = target, tamper
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._target)
            self._open += [client, server]
            answers = self._changed if self.connections == 1 else self._relay
            threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
            threading.Thread(target=answers, args=(server, client), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _changed(self, server: socket.socket, client: socket.socket) -> None:
        stream = server.makefile("rb")
        try:
            client.sendall(stream.read(64))
            number = 0
            while head := stream.read(1):
                size = stream.read(8 if head[0] & LONG else 1)
                body = stream.read(struct.unpack(">Q", size)[0] if head[0] & LONG else size[0])
                for part in self._tamper(number, head[0], head + size + body):
                    client.sendall(part)
                number += 1
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()
        for end in self._open:
            end.close()
