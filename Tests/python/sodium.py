"""The little of libsodium that attack clients need: boxes and signatures."""
from __future__ import annotations

import ctypes
import ctypes.util
import os

_library = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
if _library.sodium_init() < 0:
    raise OSError("libsodium does not start")
_MAC, _NONCE, _KEY = 16, 24, 32


def _checked(code: int) -> None:
    if code != 0:
        raise ValueError("not sealed by that key")


def box_keys() -> tuple[bytes, bytes]:
    """A public key of curve25519 and its secret one."""
    public, secret = ctypes.create_string_buffer(_KEY), ctypes.create_string_buffer(_KEY)
    _checked(_library.crypto_box_keypair(public, secret))
    return public.raw, secret.raw


def shared(public: bytes, secret: bytes) -> bytes:
    """What both sides compute from each other's public key."""
    key = ctypes.create_string_buffer(_KEY)
    _checked(_library.crypto_box_beforenm(key, public, secret))
    return key.raw


def seal(text: bytes, nonce: bytes, key: bytes) -> bytes:
    assert len(nonce) == _NONCE
    sealed = ctypes.create_string_buffer(len(text) + _MAC)
    _checked(_library.crypto_box_easy_afternm(
        sealed, text, ctypes.c_ulonglong(len(text)), nonce, key))
    return sealed.raw


def unseal(sealed: bytes, nonce: bytes, key: bytes) -> bytes:
    text = ctypes.create_string_buffer(max(1, len(sealed) - _MAC))
    _checked(_library.crypto_box_open_easy_afternm(
        text, sealed, ctypes.c_ulonglong(len(sealed)), nonce, key))
    return text.raw[:len(sealed) - _MAC]


def sign(text: bytes, seed: bytes) -> bytes:
    """Ed25519."""
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    _checked(_library.crypto_sign_seed_keypair(public, secret, seed))
    signature = ctypes.create_string_buffer(64)
    _checked(_library.crypto_sign_detached(
        signature, None, text, ctypes.c_ulonglong(len(text)), secret))
    return signature.raw


def random_bytes(count: int) -> bytes:
    return os.urandom(count)
