"""What a client shows to an encrypted endpoint and with its calls: keys and tokens."""
from __future__ import annotations

import os
from typing import Any, NamedTuple

from ._native import Handle, check, ffi, lib, take_error, text_at
from .packing import text_argument


class Credentials(NamedTuple):
    """Keys and token as they were given; shown without what they are."""

    server_key: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None
    secret_key: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        given = [name for name, value in zip(self._fields, self) if value is not None]
        return f"Credentials({', '.join(given)})"

    def fill(self, options: Any, keep: list[Any]) -> None:
        """Puts them into a `qubus_client_options`; `keep` holds the texts."""
        for name, value in zip(self._fields, self):
            if value is not None:
                setattr(options, name, text_argument(os.fspath(value), name, keep))


def set_native_token(client: Handle, token: str | None) -> None:
    keep: list[Any] = []
    error = take_error()
    text = ffi.NULL if token is None else text_argument(token, "token", keep)
    check(lib.qubus_client_set_token(client.pointer, text, error), error)


def generate_key(path: str | os.PathLike[str]) -> str:
    """Makes a key pair and writes it to a new file that only its owner may read.

    Returns:
        The public key, for whoever adds it to the server.
    Raises:
        ClientError: the file exists or cannot be written.
    """
    keep: list[Any] = []
    key, error = ffi.new("char[]", lib.QUBUS_KEY_CAPACITY), take_error()
    check(lib.qubus_key_generate(text_argument(os.fspath(path), "path", keep), key, error), error)
    return text_at(key)
