"""The line protocol to the host: one JSON object per line, away from the subject's own output."""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO

MAX_MESSAGE = 4096


class Channel:
    """Writes messages to a file descriptor that the subject does not know by number."""

    def __init__(self, write_fd: int) -> None:
        self.fd = write_fd

    def send(self, **message: Any) -> None:
        """Write one message; a closed pipe means that the host is gone."""
        self.write(json.dumps(message, separators=(",", ":")).encode("utf-8", "replace") + b"\n")

    def write(self, data: bytes) -> None:
        """Write raw bytes completely."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]


def open_commands() -> BinaryIO:
    """The host's commands, line by line; descriptor 0 is free for the subject afterwards."""
    return os.fdopen(os.dup(0), "rb")


def claim_streams(quiet: bool) -> Channel:
    """Keep standard output for the protocol; the subject writes to standard error or nowhere."""
    channel = Channel(os.dup(1))
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
