"""A stream to a process in a container: one socket of the engine, split into stdout and stderr."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.stream import CHUNK_BYTES, Collect, StreamProcess, Tail

JOIN_TIMEOUT_S = 10.0
LOOK_S = 1.0  # how often a silent process is asked after
HEADER_BYTES = 8  # stream number, three zeros, payload length as a big-endian word
STDERR = 2


def engine_errors() -> tuple[type[Exception], ...]:
    """What the SDK raises when the engine refuses, lacks the container, or does not answer."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return (DockerException, RequestException, OSError)


class Attached:
    """Splits the engine's multiplexed stream into a pipe for stdout and a tail of stderr.

    `attached` is the socket that the SDK hands out, `status` tells the exit status (None: still
    running), `kill` ends everything, and `on_end` is called when the process has ended by itself.
    The stream ends when the process does, or at the latest
    when `status` has been seen: a daemon may hold the other end open.
    """

    def __init__(
        self,
        attached: Any,
        policy: SandboxPolicy,
        status: Callable[[], int | None],
        kill: Callable[[], None],
        collect: Collect = lambda globs, limit_bytes: {},
        on_end: Callable[[], object] = lambda: None,
    ) -> None:
        if isinstance(attached, ssl.SSLSocket):
            attached.close()
            raise SandboxUnavailableError(
                "the Docker sandbox needs a local engine: DOCKER_HOST names one behind TLS"
            )
        self._socket = attached
        self._status = status
        self._on_end = on_end
        self._exit_status: int | None = None
        self._closing = threading.Event()
        self._killing = threading.Event()
        self._kill = kill
        self._killer = threading.Thread(target=self._end, name="sandbox-docker-kill", daemon=True)
        # A thread of its own: this one has to read on, see `_end`.
        self._tail = Tail(policy, self._killer.start)
        self._stdout_read, self._stdout_write = os.pipe()
        self._ended_read, self._ended_write = os.pipe()
        self._splitter = threading.Thread(target=self._split, name="sandbox-docker", daemon=True)
        self.process = StreamProcess(
            policy,
            (self._socket.fileno(), self._stdout_read, self._ended_read),
            self._tail,
            lambda: self._exit_status,
            self._end,
            collect,
        )
        self._splitter.start()

    def _end(self) -> None:
        """Kill, and meanwhile throw away what comes: the engine waits 10 s for it to be read."""
        self._killing.set()
        self._kill()

    def _split(self) -> None:
        with contextlib.suppress(OSError):
            for stream, payload in self._read_frames():
                if stream == STDERR:
                    self._tail.feed(payload)
                else:
                    self._forward(payload)
        self._tail.finish()
        os.close(self._stdout_write)
        while self._exit_status is None and not self._closing.wait(0.0):
            try:
                self._exit_status = self._status()
            except engine_errors():  # removed already, or the engine itself is gone
                break
            if self._exit_status is None:
                self._closing.wait(0.01)
        os.write(self._ended_write, b"\n")
        if not self._closing.is_set():
            self._on_end()

    def _read_frames(self) -> Iterator[tuple[int, bytes]]:
        pending = bytearray()
        while data := self._read_some():
            pending += data
            while len(pending) >= HEADER_BYTES:
                end = HEADER_BYTES + int.from_bytes(pending[4:HEADER_BYTES], "big")
                if len(pending) < end:
                    break
                yield pending[0], bytes(pending[HEADER_BYTES:end])
                del pending[:end]

    def _read_some(self) -> bytes:
        descriptor = self._socket.fileno()
        reading = select.poll()
        reading.register(descriptor, select.POLLIN)
        while True:
            if reading.poll(LOOK_S * 1000):
                with contextlib.suppress(BlockingIOError):
                    return os.read(descriptor, CHUNK_BYTES)
            elif self._closing.is_set() or self._has_ended():
                return b""

    def _has_ended(self) -> bool:
        try:
            return self._status() is not None
        except engine_errors():
            return True

    def _forward(self, payload: bytes) -> None:
        """Write to the pipe of standard output, waiting for its reader but not beyond the end."""
        rest = memoryview(payload)
        os.set_blocking(self._stdout_write, False)
        writing = select.poll()
        writing.register(self._stdout_write, select.POLLOUT)
        while rest and not (self._closing.is_set() or self._killing.is_set()):
            try:
                rest = rest[os.write(self._stdout_write, rest) :]
            except BlockingIOError:
                writing.poll(100)

    def close(self) -> None:
        """Release the thread and the descriptors; what runs on the other side is not ended."""
        self._closing.set()
        raw = _raw(self._socket)
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        self._splitter.join(JOIN_TIMEOUT_S)
        if self._killer.ident is not None:
            self._killer.join(JOIN_TIMEOUT_S)
        for descriptor in (self._stdout_read, self._ended_read, self._ended_write):
            os.close(descriptor)
        self._socket.close()
        raw.close()


def _raw(attached: Any) -> socket.socket:
    """The SDK hands out a `SocketIO`; the socket below it can be shut down."""
    raw: socket.socket = getattr(attached, "_sock", attached)
    return raw
