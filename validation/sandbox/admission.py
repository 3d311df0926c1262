"""How many sandboxes this machine can bear at once, by the memory that it really has.

What counts is the tightest of: the machine's available memory, and what is left in our own
control group and in each of its parents (version 1 or 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from validation.sandbox.cgroup import CGROUP_ROOT, own_cgroups
from validation.sandbox.policy import MIB, SandboxPolicy

RESERVE_MIB = 512
"""Left to ourselves and to the rest of the machine."""
MEMINFO = Path("/proc/meminfo")


def sandboxes_that_fit(policy: SandboxPolicy, available_mib: int | None = None) -> int:
    """How many sandboxes may use all the memory that `policy` grants each, at least one.

    `available_mib` None: what this machine has at the moment.
    """
    available = memory_available_mib() if available_mib is None else available_mib
    return max(1, (available - RESERVE_MIB) // policy.memory_mib)


def memory_available_mib(
    meminfo: Path = MEMINFO, root: Path = CGROUP_ROOT, memberships: str | None = None
) -> int:
    """Memory that can be had without swapping or meeting a limit, in MiB.

    `memberships` is the text of `/proc/self/cgroup` (None: ours), `root` where control groups are
    mounted.
    """
    text = own_cgroups() if memberships is None else memberships
    found = [_fields(meminfo).get("MemAvailable:", 0) * 1024, *_left_in_groups(root, text)]
    return min(found) // MIB


def _left_in_groups(root: Path, memberships: str) -> Iterator[int]:
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            base = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        elif not controllers:
            base = root / "unified" if (root / "unified").is_dir() else root
            names = ("memory.max", "memory.current", "inactive_file")
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        for group in (inside, *inside.parents):
            left = _left(base / group, *names)
            if left is not None:
                yield left


def _left(group: Path, limit_name: str, usage_name: str, reclaimable: str) -> int | None:
    """None where there is no limit. Cached files count as used, but are given up on demand."""
    try:
        limit, usage = (group / limit_name).read_text().strip(), (group / usage_name).read_text()
    except OSError:
        return None
    if not limit.isdecimal():
        return None
    return max(0, int(limit) - int(usage) + _fields(group / "memory.stat").get(reclaimable, 0))


def _fields(path: Path) -> dict[str, int]:
    """The numbers of a file whose lines begin with a name and a number; none if unreadable."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}
