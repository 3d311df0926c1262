"""Fork one child per candidate at the last moment before the code under repair is imported.

Everything up to that moment (interpreter, test framework, plugins, third-party imports) is
shared by all candidates; what follows runs in a child of its own and ends with it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import time
import warnings
from typing import Any, BinaryIO, Callable, Iterable, Iterator

from apr_harness.channel import Channel, decode, shorten
from apr_harness.imports import ImportWatch
from apr_harness.scratch import Upkeep

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
MAX_PART = 4 * 2**20  # of a report; each travels in a message of its own
REPORT_FACTOR = 16  # a test that passes says less than this many times what asking for it takes
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
LOOK_S = 0.05  # how often to look whether a silent child is still there
STOPPED_S = 0.5  # between two looks: more means that we could not look
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class ForkPoint:
    """Serves candidates from the first of: import of a watched file, or `reach()`.

    `reach` returns in a child only, with the command that it shall execute; the parent stays
    inside, serving, until its command stream ends, and then leaves the process.
    """

    def __init__(
        self, commands: BinaryIO, channel: Channel, watched: Iterable[str], upkeep: Upkeep
    ) -> None:
        self.commands = commands
        self.channel = channel
        self.upkeep = upkeep
        self.imports = ImportWatch(watched, self.reach, self.give_up)
        self.reached = False
        self.on_child: Callable[[dict[str, Any]], None] = lambda command: None

    def give_up(self, error: BaseException) -> None:
        """The patched file does not compile: nothing else needs to be known."""
        self.channel.send(k="unbuildable", m=shorten(f"{type(error).__name__}: {error}"))
        os._exit(1)

    def reach(self, where: str) -> None:
        """Serve here, unless serving began earlier."""
        if self.reached:
            return
        self.reached = True
        self._refuse_stale_modules()
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        # A child must not open its server's descriptors through /proc.
        _prctl(PR_SET_DUMPABLE, 0)
        gc.collect()
        gc.freeze()
        self.upkeep.begin()
        self.channel.send(k="ready", where=where)
        allowance = _allowance()
        for line in iter(self.commands.readline, b""):
            # The next candidate must not inherit what one has done to its parent with prlimit, or
            # left behind so that it cannot be removed.
            if _allowance() != allowance:
                self._close("a candidate has changed the limits of its server")
            if not self.upkeep.renew():
                self._close("what a candidate has left behind cannot be removed")
            command = decode(line.decode())
            if self._serve(command, MAX_PART + REPORT_FACTOR * len(line)):
                return
        os._exit(0)

    def _close(self, reason: str) -> None:
        self.channel.send(k="closed", m=reason)
        os._exit(1)

    def _refuse_stale_modules(self) -> None:
        """A watched file imported before the hook was set would be tested unpatched."""
        name = self.imports.imported()
        if name:
            self.channel.send(k="stale", m=f"{name} was imported too early")
            os._exit(1)

    def _serve(self, command: dict[str, Any], max_report: int) -> bool:
        """Run one candidate; true in the child that is to run it."""
        read_fd, write_fd = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
        if pid == 0:
            self._become_child(command, read_fd, write_fd)
            return True
        os.close(write_fd)
        self._supervise(command, pid, read_fd, max_report)
        return False

    def _become_child(self, command: dict[str, Any], read_fd: int, write_fd: int) -> None:
        os.close(read_fd)
        self.commands.close()
        os.close(self.channel.fd)
        self.channel.open(write_fd, command.pop("secret"))
        os.setsid()
        self.on_child(command)

    def _supervise(self, command: dict[str, Any], pid: int, read_fd: int, max_report: int) -> None:
        started = time.monotonic()
        data, timed_out = _read_until_end(pid, read_fd, command["limit_s"], max_report)
        os.close(read_fd)
        status = _reap(pid)
        _end_descendants()
        lines = _split(data, max_report)
        for part in _parts(lines or []):
            self.channel.send(k="part", n=command["n"], lines=part)
        self.channel.send(
            k="result",
            n=command["n"],
            status=status,
            timed_out=timed_out,
            d=round(time.monotonic() - started, 6),
            is_readable=lines is not None,
        )


def _split(data: bytes, max_report: int) -> list[str] | None:
    """The lines of a report; None when it is too long or holds what no harness writes."""
    text = data.decode("latin-1")
    if len(data) > max_report or not (text.isascii() and text.replace("\n", "").isprintable()):
        return None
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    return lines if all(len(line) <= MAX_PART for line in lines) else None


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """The lines in pieces that are no longer than `MAX_PART`."""
    part: list[str] = []
    size = 0
    for line in lines:
        if size + len(line) > MAX_PART:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part


def _allowance() -> list[Any]:
    """What a process of the same user could change about this one."""
    limits: list[Any] = [resource.getrlimit(kind) for kind in LIMITS]
    return [*limits, os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)]


def _read_until_end(pid: int, read_fd: int, limit_s: float, max_report: int) -> tuple[bytes, bool]:
    """What the child reports until it ends, or until it has used up its time.

    Of a report that is longer than `max_report` bytes, little more than that is kept.

    The limit is on CPU time, so that a busy machine does not fail a good candidate; one that
    sleeps is given four times as long on the wall clock. Time in which the whole sandbox was
    stopped, this process with it, does not count.
    """
    chunks: list[bytes] = []
    size = 0
    elapsed, last, deadline = 0.0, time.monotonic(), limit_s
    poller = select.poll()
    poller.register(read_fd, select.POLLIN | select.POLLHUP)
    while True:
        now = time.monotonic()
        elapsed += min(now - last, STOPPED_S)
        last = now
        if elapsed >= deadline:
            if elapsed < 4 * limit_s and _cpu_seconds(pid) < limit_s:
                deadline = elapsed + limit_s / 4
                continue
            return b"".join(chunks), True
        if not poller.poll(min(deadline - elapsed, LOOK_S) * 1000):
            # Something that the tests left running may hold the pipe open.
            if _has_ended(pid):
                return b"".join(chunks), False
            continue
        chunk = os.read(read_fd, 65536)
        if not chunk:
            return b"".join(chunks), False
        size += len(chunk)
        if size <= max_report + len(chunk):
            chunks.append(chunk)


def _cpu_seconds(pid: int) -> float:
    """CPU time used by a process and the children it has waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return float("inf")
    return sum(int(value) for value in fields[11:15]) / CLOCK_TICKS


def _reap(pid: int) -> int:
    """Kill the candidate's session and return its exit status, negative for a signal."""
    try:
        os.killpg(pid, signal.SIGKILL) if _still_runs(pid) else None
    except (ProcessLookupError, PermissionError):
        pass
    _, status = os.waitpid(pid, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _still_runs(pid: int) -> bool:
    """Give a child that has closed its report a moment to leave by itself."""
    for pause in (0.0, 0.001, 0.005, 0.02, 0.1):
        time.sleep(pause)
        if _has_ended(pid):
            return False
    return True


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_descendants() -> None:
    """Kill whatever the candidate left behind; as subreaper, we inherit its orphans."""
    while True:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as listing:
                children = [int(pid) for pid in listing.read().split()]
        except OSError:
            return
        if not children:
            return
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError):
        return


def fail(channel: Channel, message: str) -> None:
    """Tell the host why no test can run, and leave."""
    channel.send(k="fatal", m=shorten(message))
    os._exit(1)
