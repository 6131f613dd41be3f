"""Attacks by those whom the daemon does not let in: no key, a key that is not known, bytes alone."""
from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time

import zmq

import wire
from attack import Attack
from curve_peer import GREETING, CurvePeer, Refused
from raw_client import RawClient

#: Connections a second, by one attacker.
FLOOD_RATE = 1000
#: Seconds after which a peer that does not introduce itself has to be cut off; the daemon's own limit
#: is 3 s, the rest is for a machine that is busy with all this.
HANDSHAKE_LIMIT = 15.0
#: What a peer may get that repeats old bytes: greeting and WELCOME, nothing behind them.
HANDSHAKE_BYTES = 64 + 2 + 168


def _connection(attack: Attack) -> socket.socket:
    """From one of a few addresses of this machine; leaves nothing behind when it is closed."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.bind((attack.source, 0))
    peer.setblocking(False)
    error = peer.connect_ex(attack.address)
    if error not in (0, errno.EINPROGRESS):
        peer.close()
        raise OSError(error, "cannot connect")
    return peer


def strangers(attack: Attack) -> None:
    """Keys that were never known, and one that was revoked: refused in the handshake."""
    while attack.goes_on():
        kind = attack.dice.choice(["unknown key", "unknown key", "revoked key"])
        public, secret = ([key.decode() for key in zmq.curve_keypair()] if kind == "unknown key"
                          else attack.facts["keys"]["revoked"])
        try:
            CurvePeer(attack.address, attack.server_key, public, secret, attack.source).close()
        except Refused:
            attack.count(f"{kind} refused")
        except TimeoutError:
            attack.count(f"{kind} left alone")
        except OSError:
            attack.count(f"{kind} cut off")
        else:
            attack.problem(f"{kind}: let in")


def flood(attack: Attack) -> None:
    """A thousand connections a second, closed at once, with or without a first byte."""
    due, started = time.monotonic(), time.monotonic()
    while attack.goes_on():
        due += 0.02
        for _ in range(FLOOD_RATE // 50):
            try:
                peer = _connection(attack)
                if attack.dice.random() < 0.3:
                    peer.send(GREETING[:attack.dice.randint(1, 64)])
                peer.close()
                attack.count("connections")
            except OSError as error:
                attack.count(f"connections {errno.errorcode.get(error.errno, 'failed')}")
        attack.pause(max(0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1)
    attack.counts["seconds of flood"] = round(time.monotonic() - started)


def unfinished_handshakes(attack: Attack) -> None:
    """200 peers at a time that never get beyond some part of a handshake."""
    hello = bytes([4, 200]) + b"\5HELLO" + bytes([1, 0])
    opening, open_peers = GREETING + hello, selectors.DefaultSelector()
    while attack.goes_on():
        while len(open_peers.get_map()) < 200:
            try:
                peer = _connection(attack)
                attack.pause(0.002)
                peer.send(opening[:attack.dice.randint(0, len(opening))])
            except OSError:
                attack.count("handshakes not begun")
                break
            open_peers.register(peer, selectors.EVENT_READ, time.monotonic())
            attack.count("handshakes begun")
        now = time.monotonic()
        for key, _ in open_peers.select(timeout=0.1):
            try:
                if key.fileobj.recv(4096):
                    continue
            except OSError:
                pass
            _drop(open_peers, key.fileobj)
            attack.count("handshakes cut off")
            attack.longest("seconds until a handshake is cut off", now - key.data)
        for key in list(open_peers.get_map().values()):
            if now - key.data > HANDSHAKE_LIMIT:
                attack.problem(f"a handshake stays open for {HANDSHAKE_LIMIT:g} s")
                _drop(open_peers, key.fileobj)
    for key in list(open_peers.get_map().values()):
        _drop(open_peers, key.fileobj)


def _drop(selector: selectors.BaseSelector, peer: socket.socket) -> None:
    selector.unregister(peer)
    peer.close()


def _record(attack: Attack) -> bytes:
    """The bytes of a whole connection of ours, as somebody on the way sees them."""
    listener = socket.create_server(("127.0.0.1", 0))
    recorded = bytearray()

    def forward() -> None:
        inner, _ = listener.accept()
        outer = socket.create_connection(attack.address)
        selector = selectors.DefaultSelector()
        for end in (inner, outer):
            selector.register(end, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if key.fileobj is inner:
                        recorded.extend(data)
                    (outer if key.fileobj is inner else inner).sendall(data)
        except OSError:
            return  # either side has closed
        finally:
            outer.close()

    threading.Thread(target=forward, daemon=True).start()
    context = zmq.Context()
    client = RawClient(
        f"tcp://127.0.0.1:{listener.getsockname()[1]}", context,
        (attack.server_key, *attack.facts["keys"]["mallory"]))
    for _ in range(3):
        answer = client.call("WhoAmI", timeout=30)
        assert isinstance(answer, bytes), answer
    client.close()
    context.term()
    listener.close()
    return bytes(recorded)


def replayed_bytes(attack: Attack) -> None:
    """A recorded connection sent again, whole, cut short and put together anew."""
    recorded = _record(attack)
    while attack.goes_on():
        data = recorded
        if attack.dice.random() < 0.5:
            data = recorded[:attack.dice.randint(64, len(recorded))]
        if attack.dice.random() < 0.5:
            at = attack.dice.randint(64, len(data) - 1) if len(data) > 65 else 64
            data = data[:at] + attack.dice.randbytes(attack.dice.randint(1, 64)) + data[at:]
        try:
            peer = socket.create_connection(
                attack.address, timeout=10, source_address=(attack.source, 0))
        except OSError:
            attack.count("replays not begun")
            continue
        answered = 0
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while more := peer.recv(4096):
                answered += len(more)
        except OSError:
            pass
        peer.close()
        attack.count("replays")
        if answered > HANDSHAKE_BYTES:
            attack.problem(f"old bytes were answered with {answered} bytes")


def unfinished_messages(attack: Attack) -> None:
    """64 MiB of frames of a message that never ends, by a peer with a key that is known; now and
    then on and on, until the daemon ends it."""
    mallory = attack.facts["keys"]["mallory"]
    payload = attack.dice.randbytes(1 << 20)
    envelope = wire.message({1: 1, 2: wire.CALL, 3: 7, 4: "Submit"})
    while attack.goes_on():
        limit = 64 if attack.dice.random() < 0.7 else 2048
        try:
            peer = CurvePeer(attack.address, attack.server_key, *mallory)
        except OSError:
            attack.count("unfinished messages not begun")
            attack.pause(0.1)
            continue
        sent = 0
        try:
            peer.socket.settimeout(20)
            peer.send(envelope, more=True)
            while sent < limit and attack.goes_on():
                peer.send(payload, more=True)
                sent += 1
            if not peer.is_closed(2.0):
                attack.count("unfinished messages held for 2 s")
            else:
                attack.count("unfinished messages cut off")
        except OSError:
            attack.count("unfinished messages cut off")
        attack.count("MiB of unfinished messages", sent)
        attack.longest("MiB of one unfinished message", sent)
        peer.close()


ATTACKS = {each.__name__: each for each in (
    strangers, flood, unfinished_handshakes, replayed_bytes, unfinished_messages)}
#: What must have happened, or the attack was none.
WANTED = ["unknown key refused", "revoked key refused", "connections", "handshakes cut off", "replays",
          "MiB of unfinished messages"]
