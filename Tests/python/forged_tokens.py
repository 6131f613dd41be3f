"""Bearer tokens that must be worth nothing, some of them signed with the service's own key."""
from __future__ import annotations

import base64
import json
import pathlib
import re
import time

import sodium


def _encoded(value: bytes | dict) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def signing_key(data: pathlib.Path) -> bytes:
    """The secret that the service signs with: what a thief of the data directory would have."""
    return bytes.fromhex(re.search(r'secret = "([0-9a-f]{64})"',
                                   (data / "token.key").read_text()).group(1))


def forged(good: str, seed: bytes) -> dict[str, str]:
    """By the way in which each is wrong, and `unchanged`, which is signed by the same means and good.

    `good` is bound to the key that will present them.
    """
    head, body, signature = good.split(".")
    claims, now = _decoded(body), int(time.time())

    def signed(**changes: object) -> str:
        text = head + "." + _encoded({**claims, **changes})
        return text + "." + _encoded(sodium.sign(text.encode(), seed))

    none = _encoded({**_decoded(head), "alg": "none"})
    return {
        "unchanged": signed(),
        "expired": signed(iat=now - 1000, nbf=now - 1000, exp=now - 100),
        "future": signed(iat=now + 3000, nbf=now + 3000, exp=now + 3600),
        "long-lived": signed(exp=claims["iat"] + 86_400),
        "wrong audience": signed(aud="qiskit"),
        "another service's": signed(iss="another"),
        "another subject": signed(sub="lab/qc/ada"),
        "never issued": signed(jti="01900000-0000-7000-8000-000000000000"),
        "unsigned": f"{none}.{body}.",
        "without signature": f"{head}.{body}.",
        "altered": f"{head}.{_encoded({**claims, 'act': ['tenants.manage']})}.{signature}",
        "signed by another": f"{head}.{body}.{_encoded(sodium.sign(b'x', bytes(32)))}",
        "not a token": "A" * 2000,
    }
