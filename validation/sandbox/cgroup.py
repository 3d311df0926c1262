"""A control group per sandbox: bounds its processes, memory and processor time as a whole.

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
CPU_PERIOD_US = 100_000  # the kernel's default in both versions
Limit = tuple[str, int | str]
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
            for file, value in limits if group in made else ():
                with contextlib.suppress(OSError):
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
) -> dict[Path, tuple[Limit, ...]]:
    """Which existing groups to make a child in, and the child's limits as (file, value).

    `memberships` is the text of `/proc/self/cgroup`. The child goes below our own group, so that
    limits on us hold for it too; in version 2, below the nearest group that passes `pids` on.
    """
    pids, memory = policy.pids + OWN_PROCESSES, policy.memory_mib * MIB
    limits = {"pids": ("pids.max", pids), "memory": ("memory.limit_in_bytes", memory)}
    unified: list[Limit] = [("pids.max", pids), ("memory.max", memory)]
    if policy.cpus is not None:
        quota = int(policy.cpus * CPU_PERIOD_US)
        limits["cpu"] = ("cpu.cfs_quota_us", quota)
        unified.append(("cpu.max", f"{quota} {CPU_PERIOD_US}"))
    plan: dict[Path, tuple[Limit, ...]] = {}
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in limits.keys() & set(controllers.split(",")):
            if (root / controllers).is_dir():  # "cpu,cpuacct" is one hierarchy
                plan[root / controllers / path.lstrip("/")] = (limits[name],)
        if not controllers and (root / "cgroup.controllers").exists():
            parent = _delegating_group(root, root / path.lstrip("/"))
            if parent is not None:
                plan[parent] = tuple(unified)
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
