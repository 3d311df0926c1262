"""What a sandboxed process may use: one policy object, obeyed by every backend as far as it can."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
MIN_CPUS = 0.01  # the kernel hands processors out by the millisecond
_POSITIVE = (
    *("memory_mib", "pids", "file_size_mib", "open_files"),
    *("tmp_mib", "workspace_mib", "output_mib"),
)


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """Limits and visible paths of a sandbox; `PROMISES` says which backend enforces which.

    There is no switch for the network: a sandbox that can promise it never has one.
    """

    memory_mib: int = 2048
    """Memory of the whole sandbox where a cgroup can hold it, and of each process."""

    limit_address_space: bool = True
    """Bound what each process reserves, not only what it may write to. False for runtimes that
    reserve far more than they use: a JVM, or numeric libraries on many cores."""

    pids: int = 256
    """Processes and threads alive at once."""

    file_size_mib: int = 256
    """Largest file that can be written."""

    cpu_seconds: int | None = None
    """CPU time of one process; None: no limit but the caller's patience."""

    open_files: int = 1024
    """File descriptors of one process."""

    tmp_mib: int = 512
    """Size of the sandbox's own temporary folder, HOME included."""

    workspace_mib: int = 512
    """Size of the scratch copy in which a writable start runs; what is in it counts as memory."""

    cpus: float | None = None
    """Processors that the whole sandbox may keep busy; None: all of them."""

    wall_seconds: int | None = None
    """The whole sandbox ends after that time, even if its owner is suspended; None: no limit."""

    output_mib: int = 256
    """What may be written to standard error in all; more ends the sandbox."""

    line_limit_bytes: int = 16 * MIB
    """Longest line of the protocol on standard output; a longer one ends the sandbox."""

    stderr_tail_bytes: int = 8 * 1024
    """How much of the end of standard error is kept."""

    readable_paths: tuple[str, ...] = ()
    """Absolute host paths that appear read-only at the same place (interpreters, libraries). One
    that is a symbolic link stays a link where the backend can make one."""

    mount_at: str | None = None
    """Absolute path at which the workspace appears; None: its own, or `/workspace` in Docker."""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.cpus is not None and self.cpus < MIN_CPUS:
            raise ValueError(f"cpus must be at least {MIN_CPUS}, not {self.cpus}")
        if self.wall_seconds is not None and self.wall_seconds < 1:
            raise ValueError(f"wall_seconds must be at least 1, not {self.wall_seconds}")
        for path in (*self.readable_paths, *((self.mount_at,) if self.mount_at else ())):
            if not path.startswith("/") or path == "/":
                raise ValueError(f"{path!r} is no absolute path below the root")

    @property
    def network(self) -> bool:
        """Always False."""
        return False
