"""Whose a container or control group is, and whether that process is certainly dead."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from later ones with the same number, here and on other machines.

    `host` is the machine, `boot` its current start, `namespace` the one in which `pid` counts,
    `started` the process's start in clock ticks since the boot.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    def __str__(self) -> str:
        return ":".join((self.host, self.boot, self.namespace, str(self.pid), str(self.started)))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The inverse of `str`; None for anything else."""
        parts = text.split(":")
        if len(parts) != 5 or not (parts[3].isdecimal() and parts[4].isdecimal()):
            return None
        return cls(parts[0], parts[1], parts[2], int(parts[3]), int(parts[4]))

    def is_dead(self) -> bool:
        """True only when that is certain: of other machines and namespaces we know nothing."""
        host, boot, namespace = _here()
        if self.host != host or (self.boot == boot and self.namespace != namespace):
            return False
        if self.boot != boot:
            return True
        started = _start_of(self.pid)
        return started != self.started if started is not None else not _is_hidden(self.pid)


def this_process() -> Owner:
    """Ourselves."""
    pid = os.getpid()
    return Owner(*_here(), pid, _start_of(pid) or 0)


@functools.cache
def _here() -> tuple[str, str, str]:
    host = _read("/etc/machine-id") or socket.gethostname().replace(":", "-")
    boot = _read("/proc/sys/kernel/random/boot_id")
    try:
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        namespace = ""
    return host, boot, namespace


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _is_hidden(pid: int) -> bool:
    """Whether it is another user's process that `/proc` does not show us (`hidepid`)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _start_of(pid: int) -> int | None:
    """The start of a living process in clock ticks since the boot."""
    try:
        # The command name may hold spaces and parentheses; what follows its end may not.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
