"""Just enough protobuf and envelope to speak the protocol of proto/ from the server's side."""
from __future__ import annotations

import struct

CALL, CANCEL, CREDIT, PING, PARTIAL, FINAL, PONG, GOAWAY = range(1, 9)
UINT8, UINT64, INT64, FLOAT64, COMPLEX128 = range(1, 6)
ELEMENT_BYTES = {UINT8: 1, UINT64: 8, INT64: 8, FLOAT64: 8, COMPLEX128: 16}


class Fixed32(int):
    """A number that goes over the wire as fixed32."""


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(fields: dict[int, object]) -> bytes:
    """Encodes field numbers to values: int, float, str, bytes, or a list of them (repeated)."""
    out = bytearray()
    for number, value in fields.items():
        for single in value if isinstance(value, list) else [value]:
            if isinstance(single, Fixed32):
                out += _varint(number << 3 | 5) + struct.pack("<I", single)
            elif isinstance(single, int):
                out += _varint(number << 3) + _varint(int(single))
            elif isinstance(single, float):
                out += _varint(number << 3 | 1) + struct.pack("<d", single)
            else:
                data = single.encode() if isinstance(single, str) else bytes(single)
                out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return bytes(out)


def fields(data: bytes) -> dict[int, list]:
    """Decodes one level: field numbers to raw values in order (int or bytes)."""
    found: dict[int, list] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value: object = varint()
        else:
            length = {1: 8, 5: 4}.get(kind) or varint()
            value = data[at:at + length]
            at += length
        found.setdefault(key >> 3, []).append(value)
    return found


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def descriptor(kind: int, shape: tuple[int, ...], data: bytes) -> bytes:
    """An AttachmentDescriptor."""
    return message({1: kind, 2: list(shape), 3: len(data), 4: Fixed32(crc32c(data))})


def envelope(kind: int, call_id: int, *, status: bytes | None = None, sequence: int = 0,
             attachments: list[bytes] = []) -> bytes:
    given: dict[int, object] = {1: 1, 2: kind, 3: call_id}
    if status is not None:
        given[7] = status
    if sequence:
        given[10] = sequence
    given[11] = "scripted"
    if attachments:
        given[12] = list(attachments)
    return message(given)
