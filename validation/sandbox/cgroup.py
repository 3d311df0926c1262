"""A control group per sandbox: bounds its processes and memory as a whole where we may make one.

Needed above all for root, whom RLIMIT_NPROC does not bind. Where no hierarchy is writable (an
ordinary user without delegation), nothing is made and the other limits stand alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from validation.sandbox.policy import MIB, SandboxPolicy

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_PROCESSES = 4  # the helpers of the sandbox itself, which its code must not pay for
PREFIX = "apr-"
REMOVAL_TIMEOUT_S = 2.0

_numbers = itertools.count(1)


@contextlib.contextmanager
def limit_group(policy: SandboxPolicy) -> Iterator[tuple[Path, ...]]:
    """The `cgroup.procs` files that a process must be written to; the groups go at the end."""
    name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
    made: list[Path] = []
    try:
        for parent, limits in plan_groups(policy, CGROUP_ROOT, own_cgroups()).items():
            group = parent / name
            _sweep(parent)
            with contextlib.suppress(OSError):
                group.mkdir()
                made.append(group)
                for file, value in limits:
                    (group / file).write_text(str(value))
        yield tuple(group / "cgroup.procs" for group in made)
    finally:
        for group in made:
            _remove(group)


def own_cgroups() -> str:
    """The text of `/proc/self/cgroup`, empty where there is none."""
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""


def plan_groups(
    policy: SandboxPolicy, root: Path, memberships: str
) -> dict[Path, tuple[tuple[str, int], ...]]:
    """Which existing groups to make a child in, and the child's limits as (file, value).

    `memberships` is the text of `/proc/self/cgroup`. The child goes below our own group, so that
    limits on us hold for it too; in version 2, below the nearest group that passes `pids` on.
    """
    pids, memory = policy.pids + OWN_PROCESSES, policy.memory_mib * MIB
    limits = {"pids": ("pids.max", pids), "memory": ("memory.limit_in_bytes", memory)}
    plan: dict[Path, tuple[tuple[str, int], ...]] = {}
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in limits and (root / controllers).is_dir():
            plan[root / controllers / path.lstrip("/")] = (limits[controllers],)
        elif not controllers and (root / "cgroup.controllers").exists():
            parent = _delegating_group(root, root / path.lstrip("/"))
            if parent is not None:
                plan[parent] = (limits["pids"], ("memory.max", memory))
    return plan


def _delegating_group(root: Path, own: Path) -> Path | None:
    for group in (own, *own.parents):
        with contextlib.suppress(OSError):
            if "pids" in (group / "cgroup.subtree_control").read_text().split():
                return group
        if group == root:
            break
    return None


def _sweep(parent: Path) -> None:
    """Remove what callers that were killed left behind; the kernel keeps groups in use."""
    for group in parent.glob(f"{PREFIX}*-*"):
        owner = group.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _remove(group: Path) -> None:
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:  # busy for the moment in which the kernel buries the last process
            if time.monotonic() > deadline:
                return
        time.sleep(0.002)
