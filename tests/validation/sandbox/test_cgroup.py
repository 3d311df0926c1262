"""Where a control group is made, for both versions of the interface, on folders made by hand."""

from __future__ import annotations

from pathlib import Path

from validation.sandbox.cgroup import OWN_PROCESSES, plan_groups
from validation.sandbox.policy import SandboxPolicy

POLICY = SandboxPolicy(pids=10, memory_mib=2)
PIDS = 10 + OWN_PROCESSES
MEMORY = 2 * 1024 * 1024


def test_version_1_has_a_group_per_controller(tmp_path: Path) -> None:
    for controller in ("pids", "memory", "cpu"):
        (tmp_path / controller).mkdir()
    memberships = "9:name=systemd:/\n8:pids:/\n4:memory:/ours/here\n1:cpu:/\n0::/\n"
    assert plan_groups(POLICY, tmp_path, memberships) == {
        tmp_path / "pids": (("pids.max", PIDS),),
        tmp_path / "memory/ours/here": (("memory.limit_in_bytes", MEMORY),),
    }


def test_version_2_climbs_to_the_group_that_passes_pids_on(tmp_path: Path) -> None:
    (tmp_path / "user" / "shell").mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "user" / "cgroup.subtree_control").write_text("memory pids\n")
    (tmp_path / "user" / "shell" / "cgroup.subtree_control").write_text("\n")
    assert plan_groups(POLICY, tmp_path, "0::/user/shell\n") == {
        tmp_path / "user": (("pids.max", PIDS), ("memory.max", MEMORY))
    }


def test_nothing_is_planned_where_nothing_is_delegated(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu\n")
    assert plan_groups(POLICY, tmp_path, "0::/\n") == {}
    assert plan_groups(POLICY, tmp_path / "none", "8:pids:/\n0::/\n") == {}
    assert plan_groups(POLICY, tmp_path, "") == {}
