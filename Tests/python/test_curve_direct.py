"""CURVE over loopback, which libqubus speaks itself: what is changed on the way is not taken."""
import contextlib
import random
import socket

import pytest
from tampering_proxy import TamperingProxy
from test_network import TURN, connect, key_file, network, operator  # noqa: F401 (fixtures)

import qubus

FIRST_ANSWER = 2  # after WELCOME and READY


@contextlib.contextmanager
def through(network, key_file, tamper):
    """A client whose first connection goes through somebody who changes what the server says."""
    host, port = network.network.removeprefix("curve://").split(":")
    proxy = TamperingProxy((host, int(port)), tamper)
    try:
        with qubus.Client(
            f"curve://127.0.0.1:{proxy.port}", server_key=network.public_key, key_file=key_file,
            connect_timeout=30,
        ) as client:
            yield client, proxy
    finally:
        proxy.close()


def flipped(frame, place=-1):
    changed = bytearray(frame)
    changed[place] ^= 1
    return bytes(changed)


def once(number, change):
    """Changes the frame of that number; the others pass."""
    return lambda n, flags, frame: change(frame) if n == number else [frame]


CHANGES = {
    "a bit of WELCOME": once(0, lambda frame: [flipped(frame)]),
    "a bit of READY": once(1, lambda frame: [flipped(frame)]),
    "READY before WELCOME": once(0, lambda frame: [b"\4\x24\5READY" + bytes(30)]),
    "no handshake at all": once(0, lambda frame: [b"\0\3abc"]),
    "a bit of an answer": once(FIRST_ANSWER, lambda frame: [flipped(frame)]),
    "a bit of an answer's nonce": once(FIRST_ANSWER, lambda frame: [flipped(frame, 12)]),
    "an answer twice": once(FIRST_ANSWER, lambda frame: [frame, frame]),
    "an answer that nobody sealed": once(FIRST_ANSWER, lambda frame: [b"\0\3abc"]),
    "a command in the clear": once(FIRST_ANSWER, lambda frame: [b"\4\7\4PING\0\7", frame]),
    "a frame too short to be sealed": once(FIRST_ANSWER, lambda frame: [b"\0\x09\7MESSAGE\0"]),
    "a frame of more bytes than a message may have":
        once(FIRST_ANSWER, lambda frame: [b"\2" + b"\xff" * 8]),
    "an end in the middle of a frame": once(FIRST_ANSWER, lambda frame: [frame[:10], b"\xff" * 3]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_changed_is_not_taken(network, key_file, change):  # noqa: F811
    try:
        with through(network, key_file, change) as (client, proxy):
            # Whoever lost the first connection gets the answer by the second.
            assert client.call("WhoAmI")["principal"].endswith("/ada")
            assert client.health().state == "serving"
            assert proxy.connections >= 2
    except qubus.ConnectionFailedError as error:
        # Keys that do not fit will not fit the next time either.
        assert "CURVE" in error.message


def test_answers_may_come_in_pieces_of_any_size(network, key_file):  # noqa: F811
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)

    def pieces(number, flags, frame):
        while frame:
            count = dice.choice([1, 1, 2, 9, 40, 1000])
            yield frame[:count]
            frame = frame[count:]

    with through(network, key_file, pieces) as (client, proxy):
        for _ in range(20):
            assert client.health().state == "serving", seed
        with client.session(TURN, observables="Z") as session:
            assert [session.step([0.0]) for _ in range(20)] == pytest.approx([1] * 20), seed
        assert proxy.connections == 1, seed


def test_large_messages_go_both_ways(network, key_file):  # noqa: F811
    program = ('OPENQASM 3; include "stdgates.inc"; qubit[18] q; // ' + "x" * 3_000_000
               + "\nh q[0]; ry(0.3) q[17];")
    with connect(network, key_file) as client:
        result = client.submit(program, statevector=True, shots=None).result(timeout=60)
        state = result[0].statevector if hasattr(result, "__getitem__") else result.statevector
        assert abs(state).dot(abs(state)) == pytest.approx(1)


def test_a_name_instead_of_a_number_goes_by_libzmq(network, key_file):  # noqa: F811
    port = network.network.rsplit(":", 1)[1]
    if socket.gethostbyname("localhost") != "127.0.0.1":
        pytest.skip("localhost is another address here")
    with qubus.Client(
        f"curve://localhost:{port}", server_key=network.public_key, key_file=key_file,
        connect_timeout=30,
    ) as client:
        assert client.call("WhoAmI")["principal"].endswith("/ada")


