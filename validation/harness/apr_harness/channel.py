"""The line protocol to the host: one sealed JSON object per line, away from the subject's output.

Each line begins with a code that only the holder of the secret can compute, over this line and
all lines before it (keyed BLAKE2b, RFC 7693). Who finds the descriptor can write to it, but not
in our name: a line that is forged, repeated, left out or out of order does not verify.
"""

from __future__ import annotations

import os
import sys
from hashlib import blake2b
from typing import Any, BinaryIO, Callable

MAX_MESSAGE = 4096
TAG_BYTES = 16
_JSON = ("json", "json.decoder", "json.encoder", "json.scanner")


def _private_json() -> tuple[Callable[[Any], str], Callable[[Any], Any]]:
    """A JSON writer and reader that are not the ones which the subject gets to import."""
    before = {name: sys.modules.pop(name) for name in _JSON if name in sys.modules}
    import json

    encode = json.JSONEncoder(separators=(",", ":")).encode
    decode = json.JSONDecoder().decode
    for name in _JSON:
        sys.modules.pop(name, None)
    sys.modules.update(before)
    return encode, decode


encode, decode = _private_json()


class Channel:
    """Writes sealed messages to a file descriptor that the subject does not know by number."""

    def __init__(self, write_fd: int, secret: str) -> None:
        self.open(write_fd, secret)

    def open(self, write_fd: int, secret: str) -> None:
        """Begin a new report; the former secret is forgotten."""
        self.fd = write_fd
        self._pid = os.getpid()
        self._seal = _sealer(secret)

    def send(self, **message: Any) -> None:
        """Write one message, but not from a copy of this process that a test has forked."""
        if _getpid() == self._pid:
            self._write(self._seal(encode(message).encode("ascii", "replace")))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[_write(self.fd, view) :]


_getpid, _write = os.getpid, os.write  # as they are before anything of the subject is loaded


def _sealer(secret: str) -> Callable[[bytes], bytes]:
    state = blake2b(key=bytes.fromhex(secret), digest_size=TAG_BYTES)

    def seal(line: bytes) -> bytes:
        state.update(line)
        state.update(b"\n")
        return state.hexdigest().encode() + line + b"\n"

    return seal


def open_commands() -> BinaryIO:
    """The host's commands, line by line; descriptor 0 is free for the subject afterwards."""
    return os.fdopen(os.dup(0), "rb")


def claim_streams(quiet: bool, secret: str) -> Channel:
    """Keep standard output for the protocol; the subject writes to standard error or nowhere."""
    channel = Channel(os.dup(1), secret)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null if quiet else 2, 1)
    if quiet:
        os.dup2(null, 2)
    os.close(null)
    return channel


def shorten(text: str, limit: int = MAX_MESSAGE) -> str:
    """Keep the beginning and the end of a long text."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + "\n[...]\n" + text[-half:]
