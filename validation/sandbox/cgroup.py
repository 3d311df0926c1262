"""A control group per sandbox: bounds its processes, memory and processor time as a whole.

Needed above all for root, whom RLIMIT_NPROC does not bind. Where no hierarchy is writable (an
ordinary user without delegation), nothing is made and the other limits stand alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from validation.sandbox.owner import Owner, this_process
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
    name = f"{group_prefix()}{next(_numbers)}"
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


def group_prefix() -> str:
    """How the names of this process's groups begin."""
    me = this_process()
    return f"{PREFIX}{me.namespace}.{me.pid}.{me.started}-"


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
    """End and remove what callers that were killed left behind."""
    me = this_process()
    for group in parent.glob(f"{PREFIX}*-*"):
        told = group.name.removeprefix(PREFIX).partition("-")[0].replace(".", ":")
        owner = Owner.parse(f"{me.host}:{me.boot}:{told}")
        if owner is not None and owner.is_dead():
            _remove(group)


def _remove(group: Path) -> None:
    """End whatever has escaped every other way of being ended, then the group."""
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:  # in use, or the kernel has not buried the last process yet
            if time.monotonic() > deadline:
                return
        _kill_members(group)
        time.sleep(0.002)


def _kill_members(group: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
