"""The streams of a Docker container: one attached socket, split into stdout and stderr."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from apr.core.errors import SandboxUnavailableError
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.stream import CHUNK_BYTES, StreamProcess, Tail

if TYPE_CHECKING:
    from docker.models.containers import Container

JOIN_TIMEOUT_S = 10.0
HEADER_BYTES = 8  # stream number, three zeros, payload length as a big-endian word
STDERR = 2


def engine_errors() -> tuple[type[Exception], ...]:
    """What the SDK raises when the engine refuses, lacks the container, or does not answer."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return (DockerException, RequestException, OSError)


class AttachedContainer:
    """Splits the engine's multiplexed stream into a pipe for stdout and a tail of stderr."""

    def __init__(self, container: Container, policy: SandboxPolicy) -> None:
        self._container = container
        self._policy = policy
        self._tail = Tail(policy.stderr_tail_bytes)
        self._exit_status: int | None = None
        self._closing = threading.Event()
        self._socket: Any = None
        self._stdout_read, self._stdout_write = os.pipe()
        self._ended_read, self._ended_write = os.pipe()
        self._threads = [
            threading.Thread(target=work, name="sandbox-docker", daemon=True)
            for work in (self._split, self._await_end)
        ]

    def start(self) -> StreamProcess:
        """Attach first, start then: no output can be missed."""
        try:
            attach = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._socket = self._container.attach_socket(params=attach)
            if isinstance(self._socket, ssl.SSLSocket):
                raise SandboxUnavailableError(
                    "the Docker sandbox needs a local engine: DOCKER_HOST names one behind TLS"
                )
            self._container.start()
        except engine_errors() as error:
            raise SandboxUnavailableError(f"a container does not start: {error}") from error
        for thread in self._threads:
            thread.start()
        return StreamProcess(
            self._policy,
            (self._socket.fileno(), self._stdout_read, self._ended_read),
            self._tail,
            lambda: self._exit_status,
            self.kill,
        )

    def _split(self) -> None:
        frames = self._read_frames()
        with contextlib.suppress(OSError):
            for stream, payload in frames:
                if stream == STDERR:
                    self._tail.feed(payload)
                else:
                    self._forward(payload)
        os.close(self._stdout_write)

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
        while True:
            select.select([descriptor], [], [])
            with contextlib.suppress(BlockingIOError):
                return os.read(descriptor, CHUNK_BYTES)

    def _forward(self, payload: bytes) -> None:
        """Write to the pipe of standard output, waiting for its reader but not beyond the end."""
        rest = memoryview(payload)
        os.set_blocking(self._stdout_write, False)
        while rest and not self._closing.is_set():
            try:
                rest = rest[os.write(self._stdout_write, rest) :]
            except BlockingIOError:
                select.select([], [self._stdout_write], [], 0.1)

    def _await_end(self) -> None:
        # Removed already, or the engine itself is gone: ended all the same.
        with contextlib.suppress(*engine_errors()):
            self._exit_status = self._container.wait(condition="removed")["StatusCode"]
        os.write(self._ended_write, b"\n")

    def kill(self) -> None:
        """End every process of the container; it is removed by the engine."""
        with contextlib.suppress(*engine_errors()):  # not running any more
            self._container.kill()

    def close(self) -> None:
        """Kill, then release threads and descriptors."""
        self.kill()
        self._closing.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                _raw(self._socket).shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_TIMEOUT_S)
        if self._threads[0].ident is None:
            os.close(self._stdout_write)
        for descriptor in (self._stdout_read, self._ended_read, self._ended_write):
            os.close(descriptor)
        if self._socket is not None:
            raw = _raw(self._socket)
            self._socket.close()
            raw.close()


def _raw(attached: Any) -> socket.socket:
    """The SDK hands out a `SocketIO`; the socket below it can be shut down."""
    raw: socket.socket = getattr(attached, "_sock", attached)
    return raw
