"""The line protocol with a sandboxed process: descriptors and poll, no thread per call."""

from __future__ import annotations

import math
import os
import select
import threading
import time
from collections.abc import Callable, Sequence

from apr.core.errors import SandboxDiedError
from validation.sandbox.policy import MIB, SandboxPolicy

CHUNK_BYTES = 1 << 16
SEND_TIMEOUT_S = 60.0
DIAGNOSIS_WAIT_S = 0.5


Collect = Callable[[Sequence[str], int], dict[str, bytes]]


class Tail:
    """The last bytes of standard error; safe between the thread that feeds and a reader.

    More than the policy's total is an excess: `kill` is called once, and `is_exceeded` is true.
    """

    def __init__(self, policy: SandboxPolicy, kill: Callable[[], None]) -> None:
        self._limit = policy.stderr_tail_bytes
        self._left = policy.output_mib * MIB
        self._kill = kill
        self._data = bytearray()
        self._lock = threading.Lock()
        self._complete = threading.Event()
        self.is_exceeded = False

    def feed(self, data: bytes) -> None:
        """Append, forgetting the oldest bytes beyond the limit."""
        with self._lock:
            self._data += data
            del self._data[: max(0, len(self._data) - self._limit)]
            self._left -= len(data)
            is_first = self._left < 0 and not self.is_exceeded
            self.is_exceeded |= is_first
        if is_first:
            self._kill()

    def finish(self) -> None:
        """Nothing more comes."""
        self._complete.set()

    def await_end(self, timeout_s: float) -> None:
        """Return once all has come, or after `timeout_s`: a daemon may hold the stream open."""
        self._complete.wait(timeout_s)

    def text(self) -> str:
        """The bytes kept, undecodable ones replaced."""
        with self._lock:
            return self._data.decode("utf-8", "replace")


class LineBuffer:
    """Splits a byte stream at LF; no byte is searched twice."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Append bytes that were read."""
        self._data += data

    def take(self) -> bytes | None:
        """The next complete line without its LF, or None.

        Raises:
            OverflowError: when the line, complete or not, is longer than the limit.
        """
        end = self._data.find(b"\n", self._searched)
        if (len(self._data) if end < 0 else end) > self._limit:
            raise OverflowError
        if end < 0:
            self._searched = len(self._data)
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        self._searched = 0
        return line


class StreamProcess:
    """A `SandboxProcess` over three descriptors, which stay the property of their opener.

    `stdin` and `stdout` are the process's; `ended` becomes readable (or hangs up) once it has
    ended, which standard output does not tell while a descendant holds it open. `status` gives
    the exit status after that, `collect` what the method of that name returns.
    """

    def __init__(
        self,
        policy: SandboxPolicy,
        descriptors: tuple[int, int, int],
        tail: Tail,
        status: Callable[[], int | None],
        kill: Callable[[], None],
        collect: Collect = lambda globs, limit_bytes: {},
    ) -> None:
        self._stdin, self._stdout, self._ended = descriptors
        self._lines = LineBuffer(policy.line_limit_bytes)
        self._tail = tail
        self._status = status
        self._kill = kill
        self._collect = collect
        self._reading = select.poll()
        self._reading.register(self._stdout, select.POLLIN)
        self._reading.register(self._ended, select.POLLIN)
        self._writing = select.poll()
        self._writing.register(self._stdin, select.POLLOUT)
        self._writing.register(self._ended, select.POLLIN)
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)

    def send(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            SandboxDiedError: when the process has ended or does not read for a minute.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BlockingIOError:
                self._await_room()
            except (BrokenPipeError, ConnectionResetError):
                raise self._died("closed its input") from None

    def _await_room(self) -> None:
        ready = {fd for fd, _ in self._writing.poll(SEND_TIMEOUT_S * 1000)}
        if not ready:
            raise self._died(f"did not read its input for {SEND_TIMEOUT_S:g} s")
        if ready == {self._ended}:
            raise self._died("ended")

    def receive_line(self, timeout_s: float) -> bytes:
        """The next line without its LF; see the port for what is raised when."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.take()
            except OverflowError:
                self._kill()
                raise self._died("was ended: it wrote a line over the output limit") from None
            if line is not None:
                return line
            self._read_more(deadline, timeout_s)

    def _read_more(self, deadline: float, timeout_s: float) -> None:
        left_ms = max(0, math.ceil((deadline - time.monotonic()) * 1000))
        ready = {fd for fd, _ in self._reading.poll(left_ms)}
        if not ready:
            raise TimeoutError(f"the sandboxed process said nothing for {timeout_s:g} s")
        try:
            data = os.read(self._stdout, CHUNK_BYTES)
        except BlockingIOError:
            data = b""
        if not data:
            raise self._died("ended")
        self._lines.feed(data)

    def wait(self, timeout_s: float) -> int:
        """Read standard output to no purpose until the process has ended; see the port."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, math.ceil((deadline - time.monotonic()) * 1000))
            ready = {fd for fd, _ in self._reading.poll(left_ms)}
            if not ready:
                raise TimeoutError(f"the sandboxed process did not end within {timeout_s:g} s")
            if self._ended in ready:
                break
            if not os.read(self._stdout, CHUNK_BYTES):
                self._reading.unregister(self._stdout)
        status = self._status()
        if status is None or self._tail.is_exceeded:
            raise self._died("ended")
        return status

    def collect(self, globs: Sequence[str], limit_bytes: int) -> dict[str, bytes]:
        """End every process, then read files of the scratch copy; see the port."""
        return self._collect(globs, limit_bytes)

    def _died(self, what: str) -> SandboxDiedError:
        if self._tail.is_exceeded:
            what = "was ended: it wrote more to standard error than allowed"
        ending = select.poll()
        ending.register(self._ended, select.POLLIN)
        ended = ending.poll(DIAGNOSIS_WAIT_S * 1000)
        status = self._status() if ended else None
        detail = "" if status is None else f" (exit status {status})"
        if ended:
            # Its last words are read by another thread, which may not have had its turn yet.
            self._tail.await_end(DIAGNOSIS_WAIT_S)
        said = self.stderr_tail().strip()[-500:]
        return SandboxDiedError(
            f"the sandboxed process {what}{detail}" + (f"; it said: {said}" if said else "")
        )

    def stderr_tail(self) -> str:
        """The last few KiB of standard error, for diagnosis."""
        return self._tail.text()

    def kill(self) -> None:
        """End the whole sandbox, every descendant included; harmless when it has ended."""
        self._kill()


def drain(descriptor: int, tail: Tail) -> None:
    """Read `descriptor` to its end and close it, keeping the tail only: its writer never blocks."""
    try:
        while data := os.read(descriptor, CHUNK_BYTES):
            tail.feed(data)
    finally:
        tail.finish()
        os.close(descriptor)
